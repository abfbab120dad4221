"""Ladders, silences and drills: who would be told, what is not told, and whether telling works."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Query, Request, Response
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse

from api.asked import Caller, InContext
from api.console.now import regions_within
from api.console.pages import field, form_of, local_instant, page, safe_path
from api.context import Context
from api.drills import drills_now, last_of_sites, new_id
from api.ladders import ladder_of, next_rungs, state_of
from api.problems import Problem
from api.registry import Registry
from api.sessions import Session
from domain.message import CODES
from domain.reading import RoomId, SiteId
from domain.roster import ROLES
from store.records import Refused
from store.records.checks import LONGEST_SILENCE_H, NEVER_SILENT
from store.records.ports import DrillPlan, Region

router = APIRouter(include_in_schema=False)

HOURS = (1, 2, 4, 8, LONGEST_SILENCE_H)
SHOWN = 60
SITES, PAST, MESSAGES = 20, 10, 6  # of drills, at once: the page is for a phone
OPEN = ("running", "unanswered")
PassedOver = Annotated[int, Query(ge=0, le=1_000_000)]


@router.get("/rooms/{room}/ladder")
async def ladder(room: str, request: Request, context: InContext, at: str = "") -> Response:
    id = RoomId(room)
    registry = context.registry()
    if id not in registry.rooms:
        raise Problem(404, f"there is no room {room[:64]!r}")
    now_ms = context.now_ms()
    at_ms = local_instant(at, context, "at") if at else now_ms
    standing = ladder_of(context, id, at_ms)
    now_standing = standing if not at else ladder_of(context, id, now_ms)
    state = state_of(context, room)
    return page(
        request,
        "ladder.html",
        room=registry.rooms[id],
        site=registry.sites[registry.rooms[id].site],
        ladder=standing,
        roles=ROLES,
        at_ms=at_ms,
        chosen=bool(at),
        incident=state.incident if state else None,
        coming=next_rungs(context, room, now_standing.on_turn),
        people=registry.people,
        silences=[one for one in context.records.silences(now_ms) if one.room == id],
    )


@router.get("/silences")
async def silences(
    request: Request, context: InContext, room: str = "", code: str = ""
) -> Response:
    return _silences(request, context, 200, typed={"room": room, "code": code})


@router.post("/silences")
async def silence(request: Request, context: InContext, caller: Caller) -> Response:
    form = await form_of(request)
    try:
        if field(form, "do") == "end":
            now_ms = context.now_ms()
            context.records.end_silence(field(form, "id"), by=caller.person, now_ms=now_ms)
        else:
            _silence(form, context, caller)
    except Refused as error:
        typed = {name: field(form, name) for name in form}
        return _silences(request, context, 422, refused=error, typed=typed)
    return RedirectResponse("/silences", 303)


def _silence(form: FormData, context: Context, caller: Session) -> None:
    hours = field(form, "hours")
    context.records.silence(
        f"console:{field(form, 'key') or uuid4().hex}",
        RoomId(field(form, "room")),
        field(form, "code"),
        field(form, "reason"),
        int(hours) if hours.isdecimal() else 0,
        by=field(form, "by") or caller.person,
        now_ms=context.now_ms(),
    )


def _silences(
    request: Request,
    context: Context,
    status: int,
    *,
    refused: Refused | None = None,
    typed: dict[str, str],
) -> Response:
    registry, now_ms = context.registry(), context.now_ms()
    found = context.records.silences()[::-1]
    return page(
        request,
        "silences.html",
        status,
        now=[one for one in found if one.to_ms > now_ms],
        over=[one for one in found if one.to_ms <= now_ms][:SHOWN],
        rooms=registry.rooms,
        sites=registry.sites,
        people=registry.people,
        codes=[code for code in CODES if code not in NEVER_SILENT],
        hours=HOURS,
        refused=refused,
        typed=typed,
    )


@dataclass(frozen=True, slots=True)
class RegionDrilled:
    """``states``: how many of its own sites are in each, what needs somebody first."""

    region: Region
    depth: int
    states: Mapping[str, int]


@router.get("/drills")
async def drills(
    request: Request,
    context: InContext,
    region: str = "",
    start: PassedOver = 0,
    past: PassedOver = 0,
) -> Response:
    """In a wide county the sites that need somebody, or those of one region; and so many that a
    phone can load them. ``start``, ``past``: how many sites and drills are passed over."""
    registry, last, found = context.registry(), last_of_sites(context), drills_now(context)
    if region and region not in registry.regions:
        raise Problem(404, f"there is no region {region[:64]!r}")
    wide = len(registry.sites) > SITES
    here = registry.regions.get(region) if wide else None
    state = {id: last[id].state if id in last else "never" for id in registry.sites}
    sites = list(registry.sites.values())
    within = regions_within(registry, here.id if here else None) if wide else []
    if here is not None:
        inside = {each.id for each, _ in within}
        ours = {site.id for site in sites if site.region in inside}
        sites = [site for site in sites if site.region == here.id]
        found = [one for one in found if one.drill.site in ours]
    elif wide:
        sites = [site for site in sites if state[site.id] in OPEN]
        sites.sort(key=lambda site: OPEN.index(state[site.id]))
    listed = found[past : past + PAST]
    reader = context.sources.notices.get()
    return page(
        request,
        "drills.html",
        sites=registry.sites,
        shown=sites[start : start + SITES],
        more=max(len(sites) - start - SITES, 0),
        start=start + SITES,
        wide=wide,
        region=here,
        regions=[
            RegionDrilled(each, depth, _states(registry, each, state))
            for each, depth in within[1 if here else 0 :]
        ],
        last=last,
        found=listed,
        earlier=max(len(found) - past - PAST, 0),
        past=past + PAST,
        told={
            one.drill.id: reader.notices(RoomId(f"drill:{one.drill.id}"), 50)[::-1]
            if reader
            else ()
            for one in listed
        },
        messages=MESSAGES,
        plan=context.records.drill_plan(),
        people=registry.people,
    )


def _states(registry: Registry, region: Region, state: Mapping[SiteId, str]) -> dict[str, int]:
    counts = Counter(state[site.id] for site in registry.sites.values() if site.region == region.id)
    return {each: counts[each] for each in (*OPEN, "never", "answered") if counts[each]}


@router.post("/drills")
async def drill(request: Request, context: InContext, caller: Caller) -> Response:
    form = await form_of(request)
    records, now_ms, by = context.records, context.now_ms(), caller.person
    match field(form, "do"):
        case "start":
            id = f"d-{key[:12]}" if (key := field(form, "key")) else new_id()
            records.start_drill(id, SiteId(field(form, "site")), by=by, now_ms=now_ms)
        case "answer":
            by = field(form, "by") or by
            records.answer_drill(field(form, "id"), now_ms, "console", by=by, now_ms=now_ms)
        case "plan":
            records.put_drill_plan(_plan(form), by=by, now_ms=now_ms)
        case other:
            raise Problem(422, f"no such form: {other[:64]!r}", field="do")
    back = field(form, "back")
    return RedirectResponse(safe_path(back) if back else "/drills", 303)


def _plan(form: FormData) -> DrillPlan | None:
    day = field(form, "day")
    if not day.isdecimal() or not int(day):
        return None
    return DrillPlan(int(day), minute_of(field(form, "at"), 10 * 60))


def minute_of(text: str, default: int) -> int:
    """As ``<input type=time>`` has it."""
    hour, _, minute = text.partition(":")
    if not (hour.isdecimal() and minute[:2].isdecimal()):
        return default
    return min(int(hour), 24) * 60 + min(int(minute[:2]), 59)
