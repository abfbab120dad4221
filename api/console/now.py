"""The front page: what needs me now, then every room."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.responses import RedirectResponse

from api.alarms import DAY_MS, Case, acknowledged, cases, facts_since, say, what_was_said
from api.asked import InContext
from api.calibration import standing
from api.console.pages import field, form_of, page
from api.context import Context
from api.drills import last_of_sites
from api.ladders import unstaffed
from api.problems import Problem
from api.registry import Registry
from api.rooms import SEVERITY, RoomNow, rooms_now, urgency
from api.system import alarms_now
from domain.reading import RoomId
from store.facts_ports import StoredFact
from store.records.ports import Region, Site

router = APIRouter(include_in_schema=False)

PAST_MS = 2 * DAY_MS  # an ended excursion is offered this long
SHOWN = 6  # of each list; the rest is one tap away
CARDS = 20  # of rooms that alarm: a black-out may have hundreds
WIDE = 60  # more rooms than this are shown by region: the page is fetched again every ten seconds


@dataclass(frozen=True, slots=True)
class SiteNow:
    site: Site
    rooms: Sequence[RoomNow]


@dataclass(frozen=True, slots=True)
class RegionNow:
    region: Region
    depth: int
    sites: Sequence[SiteNow]

    @property
    def states(self) -> dict[str, int]:
        """How many of its own sites' rooms are in each state, the worst first."""
        counts = Counter(one.state for site in self.sites for one in site.rooms)
        return {state: counts[state] for state in SEVERITY if counts[state]}


@dataclass(frozen=True, slots=True)
class Link:
    room: RoomId
    since_ms: int
    level: str
    probes: int


def region_tree(
    registry: Registry, rooms: Mapping[RoomId, RoomNow], top: str | None = None
) -> list[RegionNow]:
    by_region: dict[str, list[SiteNow]] = {}
    for site in registry.sites.values():
        now = SiteNow(site, [rooms[room.id] for room in registry.rooms_of(site.id)])
        by_region.setdefault(site.region, []).append(now)
    return [
        RegionNow(region, depth, by_region.get(region.id, []))
        for region, depth in regions_within(registry, top)
    ]


def regions_within(registry: Registry, top: str | None = None) -> list[tuple[Region, int]]:
    """Each with its depth, depth first, in the order of the records: the region ``top`` and what
    lies in it, or all."""
    children: dict[str | None, list[Region]] = {}
    for region in registry.regions.values():
        children.setdefault(region.parent, []).append(region)
    found: list[tuple[Region, int]] = []

    def walk(regions: Sequence[Region], depth: int) -> None:
        for region in regions:
            found.append((region, depth))
            walk(children.get(region.id, []), depth + 1)

    walk(children.get(None, []) if top is None else [registry.regions[top]], 0)
    return found


def silent_links(context: Context) -> list[Link] | None:
    """One line a room: since when, how many series, the worst level."""
    said = context.sources.notices.ask(lambda reader: reader.links())
    if said is None:
        return None
    rooms: dict[RoomId, Link] = {}
    for one in said:
        room, since_ms = RoomId(str(one["room"])), int(str(one["since_ms"]))
        before = rooms.get(room)
        level = "critical" if "critical" in (one["level"], before and before.level) else "warning"
        rooms[room] = Link(
            room,
            min(since_ms, before.since_ms) if before else since_ms,
            level,
            1 + (before.probes if before else 0),
        )
    return sorted(rooms.values(), key=lambda link: (link.level != "critical", link.since_ms))


def _past(
    facts: Sequence[StoredFact], open_cases: Sequence[Case], seen: set[str], since_ms: int
) -> list[StoredFact]:
    listed = {case.fact.id for case in open_cases}
    return [
        fact
        for fact in facts
        if fact.cleared_at_ms is not None
        and fact.cleared_at_ms >= since_ms
        and fact.id not in listed
        and fact.id not in seen
    ]


def front(context: Context) -> dict[str, Any]:
    rooms = rooms_now(context)
    registry = context.registry()
    now_ms = context.now_ms()
    said = what_was_said(context)
    facts = facts_since(context, now_ms - 30 * DAY_MS)
    alarmed = [one for one in rooms.values() if one.alarms]
    current = {fact.id for one in alarmed for fact in one.alarms}
    open_cases = [
        case for case in cases(facts or (), said, only_open=True) if case.fact.id not in current
    ]
    closed = {fact.id for fact in facts or () if said.of(fact).closed}
    alarmed.sort(key=lambda one: urgency(one.alarms[0]))
    worst = [one.alarms[0] for one in alarmed[:CARDS]]
    return {
        "rooms": rooms,
        "judged": facts is not None,
        "alarmed": alarmed,
        "cards": CARDS,
        "acks": {fact.id: acknowledged(context, fact) for fact in worst},
        "wide": len(rooms) > WIDE,
        "links": silent_links(context),
        "cases": open_cases,
        "past": _past(facts or (), open_cases, closed, now_ms - PAST_MS),
        "due": [
            (one, registry.rooms[room])
            for probe, room in sorted(registry.by_probe(now_ms).items())
            if (one := standing(registry, probe, now_ms)).state in ("due", "overdue")
            or one.drifted is not None
        ],
        "tree": region_tree(registry, rooms),
        "silences": context.records.silences(now_ms),
        "drills": [one for one in last_of_sites(context).values() if one.state == "unanswered"],
        "sites": registry.sites,
        "registry_rooms": registry.rooms,
        "stopped": context.records.texts_stopped(),
        "unstaffed": unstaffed(context, now_ms) if registry.people else {},
        "people": registry.people,
        "shown": SHOWN,
        "missing": context.sources.missing(),
        "system": alarms_now(context),
    }


@router.get("/regions/{region}")
async def of_region(region: str, request: Request, context: InContext) -> Response:
    registry = context.registry()
    found = registry.regions.get(region)
    if found is None:
        raise Problem(404, f"there is no region {region[:64]!r}")
    tree = region_tree(registry, rooms_now(context), region)
    wide = sum(sum(one.states.values()) for one in tree) > WIDE
    return page(request, "region.html", region=found, tree=tree, wide=wide)


@router.get("/")
async def now(request: Request, context: InContext) -> Response:
    return page(request, "now.html", **front(context))


@router.post("/seen")
async def seen(request: Request, context: InContext) -> Response:
    """Past excursions that somebody has looked at; a note on each, nothing else."""
    form = await form_of(request)
    by = field(form, "by") or "admin"
    for value in form.getlist("fact"):
        if isinstance(value, str):
            versions = context.sources.facts.need().fact(value)
            if versions:
                say(context, versions[-1], {"closed": True}, by)
    return RedirectResponse("/", 303)
