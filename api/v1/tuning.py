"""``tuning``: how often each rule rang, whether for a real cause, and how soon people answered."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from api.alarms import DAY_MS
from api.asked import InContext
from api.context import Context
from api.problems import Problem
from api.proposals import MOST_ROOMS, proposed
from api.proposals import as_json as proposals_as_json
from api.replies import Asked, reply
from api.times import Instant
from api.tuning import answered, as_json, month_of
from domain.reading import RoomId

router = APIRouter(tags=["rules"])


class WhichSpan(Asked):
    """``month`` (YYYY-MM, local time) or from/to; the last 30 days when all are left out."""

    from_: Annotated[Instant | None, Field(alias="from")] = None
    to: Instant | None = None
    month: str | None = None
    room: str | None = None


@router.get("/tuning")
async def tuning(asked: Annotated[WhichSpan, Query()], context: InContext) -> Response:
    """Figures of each rule's alarms that fired in the span, and the rules to reconsider: called
    false twice within 7 days in one room, or a real cause named for fewer than 30 %."""
    span, room = _asked(asked, context)
    facts = context.sources.facts.need()
    return reply(as_json(answered(context.records, facts, span, room), span))


@router.get("/tuning/proposals")
async def proposals(asked: Annotated[WhichSpan, Query()], context: InContext) -> Response:
    """Other limits and delays that would have spared rooms their alarms for nothing and lost none
    with a real cause, with the difference over the span. Nothing is written: put one in force with
    a new rule. ``forbidden``: alarms with a real cause for which a rule that rang for nothing
    stays as it is; correct a cause that was named by mistake. Other rooms without one are
    left out."""
    span, room = _asked(asked, context)
    rooms = [room] if room is not None else list(context.registry().rooms)
    if len(rooms) > MOST_ROOMS:
        raise Problem(
            413, f"more than {MOST_ROOMS} rooms: give one, or use coldtrail tuning", field="room"
        )
    found = [await proposed(context, one, span) for one in rooms]
    return reply(proposals_as_json(found, span))


def _asked(asked: WhichSpan, context: Context) -> tuple[tuple[int, int], RoomId | None]:
    to_ms = context.now_ms() + 1 if asked.to is None else asked.to
    span = (to_ms - 30 * DAY_MS if asked.from_ is None else asked.from_), to_ms
    if asked.month is not None:
        if asked.from_ is not None or asked.to is not None:
            raise Problem(422, "give a month, or from and to", field="month")
        try:
            span = month_of(asked.month, context.zone)
        except ValueError as error:
            raise Problem(422, str(error), field="month") from error
    if span[0] >= span[1]:
        raise Problem(422, "not after the beginning", field="to")
    room = RoomId(asked.room) if asked.room else None
    if room is not None and room not in context.registry().rooms:
        raise Problem(404, f"there is no room {room[:64]!r}", field="room")
    return span, room
