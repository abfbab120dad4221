"""``silences`` and ``drills``: what is not told for a while, and what is told to see that it is."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from api.asked import Caller, InContext
from api.drills import drills_now, new_id
from api.replies import Asked, reply
from api.times import Instant
from api.v1.places import Nothing
from domain.reading import RoomId, SiteId
from store.records.ports import DrillPlan

router = APIRouter(tags=["people"])


class WhichSilences(Asked):
    """``ended``: those that are over as well."""

    ended: bool = False


@router.get("/silences")
async def silences(asked: Annotated[WhichSilences, Query()], context: InContext) -> Response:
    now_ms = context.now_ms()
    found = context.records.silences(0 if asked.ended else now_ms)
    return reply({"silences": [asdict(one) | {"in_force": one.to_ms > now_ms} for one in found]})


class SilenceSaid(Asked):
    """``id``: the caller's own; said twice, it is one silence."""

    id: Annotated[str, Field(min_length=1, max_length=200)]
    room: str
    code: str
    reason: str
    hours: int
    by: str | None = None


@router.post("/silences", status_code=201)
async def silence(said: SilenceSaid, context: InContext, caller: Caller) -> Response:
    """From now on. Never for ceiling, freezing or power; at most 12 h. Facts stay facts."""
    m = context.records.silence(
        said.id, RoomId(said.room), said.code, said.reason, said.hours,
        by=said.by or caller.person, now_ms=context.now_ms(),
    )  # fmt: skip
    return reply({"id": said.id, "change": m}, 201)


@router.delete("/silences/{id}")
async def end(
    id: str, _asked: Annotated[Nothing, Query()], context: InContext, caller: Caller
) -> Response:
    m = context.records.end_silence(id, by=caller.person, now_ms=context.now_ms())
    return reply({"change": m})


class WhichDrills(Asked):
    from_: Annotated[Instant | None, Field(alias="from")] = None
    unanswered: bool = False


@router.get("/drills")
async def drills(asked: Annotated[WhichDrills, Query()], context: InContext) -> Response:
    """Newest first, and the plan by which they come."""
    found = drills_now(context, asked.from_ or 0)
    plan = context.records.drill_plan()
    return reply(
        {
            "plan": asdict(plan) if plan else None,
            "drills": [
                asdict(one.drill) | {"state": one.state}
                for one in found
                if not asked.unanswered or one.state == "unanswered"
            ],
        }
    )


class DrillSaid(Asked):
    site: str
    id: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    by: str | None = None


@router.post("/drills", status_code=201)
async def start(said: DrillSaid, context: InContext, caller: Caller) -> Response:
    """A test alarm through the whole chain, to whoever is on duty for the site's rooms."""
    id = said.id or new_id()
    by = said.by or caller.person
    m = context.records.start_drill(id, SiteId(said.site), by=by, now_ms=context.now_ms())
    return reply({"id": id, "change": m}, 201)


class AnswerSaid(Asked):
    at: Instant | None = None
    by: str | None = None
    channel: str = "api"


@router.post("/drills/{id}/answer", status_code=201)
async def answer(id: str, said: AnswerSaid, context: InContext, caller: Caller) -> Response:
    """The first answer stands."""
    now_ms = context.now_ms()
    at_ms = now_ms if said.at is None else said.at
    by = said.by or caller.person
    m = context.records.answer_drill(id, at_ms, said.channel, by=by, now_ms=now_ms)
    return reply({"change": m}, 201)


class PlanSaid(Asked):
    """``day`` of each month, ``minute`` of the local day."""

    day: int
    minute: int = 10 * 60


@router.put("/drill-plan")
async def plan(said: PlanSaid, context: InContext, caller: Caller) -> Response:
    """Every site once a month."""
    value = DrillPlan(said.day, said.minute)
    m = context.records.put_drill_plan(value, by=caller.person, now_ms=context.now_ms())
    return reply({"change": m})


@router.delete("/drill-plan")
async def no_plan(
    _asked: Annotated[Nothing, Query()], context: InContext, caller: Caller
) -> Response:
    m = context.records.put_drill_plan(None, by=caller.person, now_ms=context.now_ms())
    return reply({"change": m})


class WhichChanges(Asked):
    after: Annotated[int, Field(ge=0)] = 0
    limit: Annotated[int, Field(ge=1, le=500)] = 500


@router.get("/changes")
async def changes(asked: Annotated[WhichChanges, Query()], context: InContext) -> Response:
    """Who changed what, oldest first: the journal of everything that people said."""
    found = context.records.changes(asked.after, asked.limit)
    return reply({"changes": [asdict(one) for one in found]})
