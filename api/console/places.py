"""A site's page and a room's page, and what a person tells the system there."""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Request, Response
from starlette.responses import RedirectResponse

from api.advice import advice_of, text_of
from api.alarms import DAY_MS, facts_since
from api.asked import InContext
from api.calibration import standing
from api.charts import svg
from api.console.pages import field, form_instant, form_of, page, words_of
from api.context import Context
from api.limits import limits_in_force
from api.lots import all_events, folded, in_room
from api.problems import NotYet, Problem
from api.room_chart import room_chart
from api.rooms import RoomNow, rooms_now
from domain.reading import RoomId, SiteId
from store.records import Refused
from store.records.ports import RecordedAction

router = APIRouter(include_in_schema=False)

SPANS = {"24h": DAY_MS, "7d": 7 * DAY_MS, "14d": 14 * DAY_MS}
PAIRS = (
    ("loading_started", "loading_ended"),
    ("standby_started", "standby_ended"),
    ("maintenance_started", "maintenance_ended"),
)
SHOWN_ACTIONS = 8


@router.get("/sites/{site}")
async def site(site: str, request: Request, context: InContext) -> Response:
    found = context.registry().sites.get(SiteId(site))
    if found is None:
        raise Problem(404, f"there is no site {site[:64]!r}")
    rooms = [one for one in rooms_now(context).values() if one.site.id == found.id]
    words = words_of(request)
    now_ms = context.now_ms()
    charts: dict[RoomId, str | None] = {}
    for one in rooms:
        chart = room_chart(context, words, one.room, now_ms - DAY_MS, now_ms, id=f"c{len(charts)}")
        charts[one.room.id] = svg(chart) if chart else None
    region = context.registry().regions.get(found.region)
    return page(request, "site.html", site=found, region=region, rooms=rooms, charts=charts)


def buttons(actions: Sequence[RecordedAction]) -> list[str]:
    """Of each pair, what can be said next: the end of what was begun, else the beginning."""
    last = {action.kind: number for number, action in enumerate(actions)}
    return [end if last.get(start, -1) > last.get(end, -1) else start for start, end in PAIRS]


def why_quiet(now: RoomNow, judged: bool) -> list[tuple[str, int | None]]:
    """Reasons, as message keys with since when, why this room raises no alarm."""
    if not judged:
        return [("room.quiet_facts", None)]
    if now.rule is None:
        return [("room.no_rule", None)]
    found: list[tuple[str, int | None]] = [
        (f"room.quiet_{pause.cause}", pause.from_ms) for pause in now.pauses
    ]
    if now.silent and now.state != "standby":
        found.append(("room.quiet_silent", None))
    return found or ([] if now.alarms else [("room.quiet_ok", None)])


@router.get("/rooms/{room}")
async def room(room: str, request: Request, context: InContext, span: str = "24h") -> Response:
    now = rooms_now(context).get(RoomId(room))
    if now is None:
        raise Problem(404, f"there is no room {room[:64]!r}")
    return page(request, "room.html", refused=None, **_room(context, request, now, span))


def _room(context: Context, request: Request, now: RoomNow, span: str) -> dict[str, Any]:
    id, now_ms = now.room.id, context.now_ms()
    span = span if span in SPANS else "24h"
    chart = room_chart(context, words_of(request), now.room, now_ms - SPANS[span], now_ms)
    facts = facts_since(context, now_ms - 14 * DAY_MS, id)
    pauses = context.sources.facts.ask(lambda f: f.pauses(id, now_ms - DAY_MS, now_ms + 1))
    judged = context.sources.facts.ask(lambda f: f.judged().get(id))
    lots = {lot.id: lot for lot in context.records.lots()}
    actions = context.records.actions(id)
    stays = folded(all_events(context))
    return {
        "now": now,
        "chart": svg(chart) if chart else None,
        "drawn": (chart.from_ms, chart.to_ms) if chart else None,
        "names": [trace.name for trace in chart.traces] if chart else [],
        "span": span,
        "spans": list(SPANS),
        "quiet": why_quiet(now, facts is not None),
        "history": [fact for fact in facts or () if fact.cleared_at_ms is not None],
        "judged": facts is not None,
        "judged_to_ms": judged[2] if judged else None,
        "pauses": sorted(pauses or (), key=lambda pause: -pause.from_ms),
        "limits": limits_in_force(now.rule) if now.rule else [],
        "people": context.registry().people,
        "contacts": context.records.contacts(id),
        "lots": in_room(stays, lots, id),
        "actions": actions[-SHOWN_ACTIONS:][::-1],
        "buttons": buttons(actions),
        "advice": [
            text_of(one, words_of(request), context.registry())
            for one in advice_of(context, now, stays)
        ],
        "standing": {
            value.probe: standing(context.registry(), value.probe, now_ms) for value in now.values
        },
        "missing": context.sources.missing(),
    }


@router.post("/rooms/{room}/actions")
async def act(room: str, request: Request, context: InContext) -> Response:
    form = await form_of(request)
    kind = field(form, "kind")
    if not any(kind in pair for pair in PAIRS):
        raise Problem(422, f"no such button: {kind[:64]!r}", field="kind")
    detail = {"reason": field(form, "reason")} if kind == "maintenance_started" else {}
    at_ms = form_instant(form, context)
    if at_ms > context.now_ms():
        raise NotYet("at")
    key = f"console:{field(form, 'key') or uuid4().hex}:{kind}"
    by = field(form, "by") or "admin"
    try:
        context.records.add_action(
            key, RoomId(room), kind, at_ms, by, detail, now_ms=context.now_ms()
        )
    except Refused as error:
        if (now := rooms_now(context).get(RoomId(room))) is None:
            raise
        said = Refused(error.field.removeprefix("detail."), error.reason)
        shown = _room(context, request, now, "")
        return page(request, "room.html", 422, refused=said, **shown)
    return RedirectResponse(f"/rooms/{room}", 303)
