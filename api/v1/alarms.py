"""``alarms``, ``cases``, ``links`` and ``notices``: what was out of order, and who knows."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import Field

from api.alarms import NOTHING_SAID, what_was_said
from api.alarms import cases as cases_of
from api.alarms import say as say_of
from api.asked import Caller, InContext
from api.context import Context
from api.explaining import why_raised
from api.problems import Problem
from api.replies import Asked, reply
from api.times import Instant
from api.v1.places import Nothing
from domain.reading import RoomId
from store.facts_ports import StoredFact

router = APIRouter(tags=["alarms"])


class WhichAlarms(Asked):
    room: str | None = None
    active: bool | None = None
    from_: Annotated[Instant | None, Field(alias="from")] = None
    to: Instant | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 200


def _fact(fact: StoredFact) -> dict[str, Any]:
    return asdict(fact)


@router.get("/alarms")
async def alarms(asked: Annotated[WhichAlarms, Query()], context: InContext) -> Response:
    """Newest version of each fact, newest first; of one minute active before ended, critical
    before warning."""
    reader = context.sources.facts.need()
    found = reader.facts(
        RoomId(asked.room) if asked.room else None,
        active=asked.active,
        from_ms=asked.from_,
        to_ms=asked.to,
        limit=asked.limit,
    )
    return reply({"alarms": [_fact(fact) for fact in found]})


def _versions(context: Context, fact: str) -> list[StoredFact]:
    versions = context.sources.facts.need().fact(fact)
    if not versions:
        raise Problem(404, f"there is no alarm {fact[:64]!r}", field="fact")
    return versions


@router.get("/alarms/{fact}")
async def alarm(fact: str, _asked: Annotated[Nothing, Query()], context: InContext) -> Response:
    """Every version of one fact, oldest first, what was said of it, and a sentence in ``zh`` and
    ``en`` that says why it was raised, or why newer data says that it should not have been."""
    versions = _versions(context, fact)
    said = what_was_said(context, versions[-1].room).of(versions[-1])
    why = await why_raised(context, versions[-1])
    return reply(
        {
            "versions": [_fact(one) for one in versions],
            "said": None if said == NOTHING_SAID else asdict(said),
            "why": why,
        }
    )


class AckSaid(Asked):
    """``id``: the caller's own; said twice, it is one acknowledgement."""

    id: Annotated[str, Field(min_length=1, max_length=200)]
    by: str | None = None
    note: str | None = None


@router.post("/alarms/{fact}/ack", status_code=201)
async def acknowledge(fact: str, said: AckSaid, context: InContext, caller: Caller) -> Response:
    """It stops the room's ladder at once; still active two hours later, it starts again."""
    versions = _versions(context, fact)
    now_ms = context.now_ms()
    detail = {"fact": fact, "channel": "api"} | ({"note": said.note} if said.note else {})
    m = context.records.add_action(
        said.id, versions[-1].room, "ack", now_ms, said.by or caller.person, detail, now_ms=now_ms
    )
    return reply({"id": said.id, "change": m}, 201)


class WhichCases(Asked):
    room: str | None = None
    open: bool | None = None


@router.get("/cases")
async def cases(asked: Annotated[WhichCases, Query()], context: InContext) -> Response:
    room = RoomId(asked.room) if asked.room else None
    facts = context.sources.facts.need().facts(room)
    return reply(
        {
            "cases": [
                _fact(case.fact) | {"open": case.open, "said": asdict(case.said)}
                for case in cases_of(facts, what_was_said(context, room))
                if asked.open in (None, case.open)
            ]
        }
    )


class CaseSaid(Asked):
    """``disposition``: lot id to release, sort, downgrade or destroy."""

    cause: str | None = None
    action: str | None = None
    disposition: dict[str, str] | None = None
    person: str | None = None
    note: str | None = None
    closed: bool | None = None


@router.post("/cases/{fact}", status_code=201)
async def say(fact: str, said: CaseSaid, context: InContext, caller: Caller) -> Response:
    versions = _versions(context, fact)
    by = said.person or caller.person
    m = say_of(context, versions[-1], said.model_dump(exclude_none=True), by)
    return reply({"change": m}, 201)


@router.get("/links")
async def links(_asked: Annotated[Nothing, Query()], context: InContext) -> Response:
    """Series of which nothing arrives, by the server's clock."""
    return reply({"links": [dict(one) for one in context.sources.notices.need().links()]})


class WhichNotices(Asked):
    room: str | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 200


@router.get("/notices")
async def notices(asked: Annotated[WhichNotices, Query()], context: InContext) -> Response:
    """What was told to whom, newest first, and what came back."""
    reader = context.sources.notices.need()
    room = RoomId(asked.room) if asked.room else None
    return reply(
        {
            "notices": [dict(one) for one in reader.notices(room, asked.limit)],
            "replies": [dict(one) for one in reader.replies(asked.limit)],
        }
    )
