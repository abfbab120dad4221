"""All alarms; one alarm: what happened, who knows, who takes it, and its case."""

from typing import Any
from uuid import uuid4

from fastapi import APIRouter, Request, Response
from starlette.responses import RedirectResponse

from api.alarms import DAY_MS, acknowledged, cases, facts_since, say, what_was_said
from api.asked import InContext
from api.charts import svg
from api.console.pages import field, form_of, page, words_of
from api.context import Context
from api.explaining import why_raised
from api.ladders import ladder_of, next_rungs
from api.limits import limit_of
from api.lots import all_events, folded, lots_in_room_during
from api.problems import Problem
from api.room_chart import room_chart
from api.rooms import rooms_now
from api.timeline import timeline
from api.tuning import answered
from domain.reading import LotId, RoomId
from domain.stay import Folded
from domain.tuning import FALSE_WITHIN_MS, false_again
from store.facts_ports import StoredFact
from store.records.checks import CAUSES, DISPOSITIONS, NEVER_SILENT
from store.records.ports import Lot

router = APIRouter(include_in_schema=False)

SHOWN = 100


@router.get("/alarms")
async def alarms(
    request: Request, context: InContext, which: str = "all", room: str = ""
) -> Response:
    registry = context.registry()
    here = RoomId(room) if RoomId(room) in registry.rooms else None
    facts = facts_since(context, context.now_ms() - 30 * DAY_MS, here)
    shown = list(facts or ())
    if which in ("active", "over"):
        shown = [fact for fact in shown if (fact.cleared_at_ms is None) == (which == "active")]
    return page(
        request,
        "alarms.html",
        facts=shown[:SHOWN],
        more=max(len(shown) - SHOWN, 0),
        which=which,
        room=here or "",
        rooms=registry.rooms,
        sites=registry.sites,
        judged=facts is not None,
    )


@router.get("/cases")
async def all_cases(request: Request, context: InContext, which: str = "open") -> Response:
    """Each critical fact is one; open ones are tasks."""
    facts = facts_since(context, context.now_ms() - 365 * DAY_MS)
    found = cases(facts or (), what_was_said(context))
    wanted = which != "closed"
    here = folded(all_events(context))
    rows = [(case, _lots_of(context, here, case.fact)) for case in found if case.open == wanted][
        :SHOWN
    ]
    return page(
        request,
        "cases.html",
        rows=rows,
        more=max(sum(case.open == wanted for case in found) - SHOWN, 0),
        which="open" if wanted else "closed",
        rooms=context.registry().rooms,
        sites=context.registry().sites,
        people=context.registry().people,
        judged=facts is not None,
    )


def _lots_of(context: Context, here: Folded, fact: StoredFact) -> list[Lot]:
    end_ms = fact.cleared_at_ms or context.now_ms()
    ids = lots_in_room_during(here, fact.room, fact.began_at_ms, end_ms)
    return [lot for id in ids if (lot := context.records.lot(LotId(id))) is not None]


def _versions(context: Context, fact: str) -> list[StoredFact]:
    versions = context.sources.facts.need().fact(fact)
    if not versions or versions[-1].room not in context.registry().rooms:
        raise Problem(404, f"there is no alarm {fact[:64]!r}")
    return versions


@router.get("/alarms/{fact}")
async def alarm(fact: str, request: Request, context: InContext) -> Response:
    versions = _versions(context, fact)
    why = await why_raised(context, versions[-1])
    return page(request, "alarm.html", why=why, **_alarm(context, request, versions))


def _alarm(context: Context, request: Request, versions: list[StoredFact]) -> dict[str, Any]:
    newest = versions[-1]
    now_ms = context.now_ms()
    now = rooms_now(context)[newest.room]
    end_ms = newest.cleared_at_ms or now_ms
    margin_ms = max(2 * 3600 * 1000, (end_ms - newest.began_at_ms) // 4)
    chart = room_chart(
        context,
        words_of(request),
        now.room,
        newest.began_at_ms - margin_ms,
        min(end_ms + margin_ms, now_ms),
    )
    lots = _lots_of(context, folded(all_events(context)), newest)
    standing = ladder_of(context, newest.room, now_ms)
    rule = context.registry().rule(newest.room, newest.fired_at_ms)
    return {
        "fact": newest,
        "versions": versions,
        "now": now,
        "chart": svg(chart) if chart else None,
        "drawn": (chart.from_ms, chart.to_ms) if chart else None,
        "names": [trace.name for trace in chart.traces] if chart else [],
        "limit": limit_of(rule, newest.code),
        "timeline": timeline(context, newest),
        "coming": []
        if newest.cleared_at_ms
        else next_rungs(context, newest.room, standing.on_turn),
        "silenceable": newest.code not in NEVER_SILENT,
        "people": context.registry().people,
        "ack": acknowledged(context, newest),
        "said": what_was_said(context, newest.room).of(newest),
        "false_twice": _false_twice(context, newest),
        "lots": lots,
        "causes": CAUSES,
        "dispositions": DISPOSITIONS,
    }


def _false_twice(context: Context, fact: StoredFact) -> bool:
    """It was called false, and so was another one of its rule within a week."""
    around = fact.fired_at_ms - FALSE_WITHIN_MS, fact.fired_at_ms + FALSE_WITHIN_MS + 1
    alarms = answered(context.records, context.sources.facts.need(), around, fact.room)
    return any(one.id == fact.id for again in false_again(alarms) for one in again.alarms)


@router.post("/alarms/{fact}/ack")
async def acknowledge(fact: str, request: Request, context: InContext) -> Response:
    newest = _versions(context, fact)[-1]
    form = await form_of(request)
    now_ms = context.now_ms()
    key = f"console:{field(form, 'key') or uuid4().hex}:ack"
    context.records.add_action(
        key, newest.room, "ack", now_ms, field(form, "by") or "admin",
        {"fact": fact, "channel": "console"}, now_ms=now_ms,
    )  # fmt: skip
    return RedirectResponse(f"/alarms/{fact}", 303)


@router.post("/alarms/{fact}/case")
async def case(fact: str, request: Request, context: InContext) -> Response:
    newest = _versions(context, fact)[-1]
    form = await form_of(request)
    said: dict[str, Any] = {
        name: text for name in ("cause", "action", "person") if (text := field(form, name))
    }
    disposition = {
        name.removeprefix("lot:"): text
        for name in form
        if name.startswith("lot:") and (text := field(form, name))
    }
    if disposition:
        said["disposition"] = disposition
    said["closed"] = field(form, "close") == "1"
    by = field(form, "by") or "admin"
    say(context, newest, said, by)
    return RedirectResponse(f"/alarms/{fact}", 303)
