"""``rooms``: what holds there now, what people say of them, and a replay case of one."""

from dataclasses import asdict
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import Field

from api.advice import advice_of, text_of
from api.alarms import note_cause
from api.asked import Caller, InContext
from api.console.language import LANGUAGES, Words
from api.context import Context
from api.explaining import as_json, explained, silences_at
from api.problems import NotYet, Problem
from api.replay_case import replay_case
from api.replies import Asked, reply
from api.rooms import RoomNow, rooms_now
from api.times import Instant
from api.v1.places import Nothing
from domain.reading import RoomId
from store.records.checks import CAUSES
from store.records.ports import Room

router = APIRouter(tags=["rooms"])


def known(context: Context, room: str) -> Room:
    found = context.registry().rooms.get(RoomId(room))
    if found is None:
        raise Problem(404, f"there is no room {room[:64]!r}", field="room")
    return found


class WhichRooms(Asked):
    site: str | None = None


@router.get("/rooms")
async def rooms(asked: Annotated[WhichRooms, Query()], context: InContext) -> Response:
    found = rooms_now(context)
    return reply(
        {"rooms": [_now(one) for one in found.values() if asked.site in (None, one.room.site)]}
    )


@router.get("/rooms/{room}")
async def room(room: str, _asked: Annotated[Nothing, Query()], context: InContext) -> Response:
    known(context, room)
    now = rooms_now(context)[RoomId(room)]
    rules = [asdict(rule) for rule in context.registry().rules.get(RoomId(room), ())]
    contacts = [
        {"id": c.person.id, "name": c.person.name, "lang": c.person.lang, "role": c.role}
        for c in context.records.contacts(RoomId(room))
    ]
    return reply(_now(now) | {"rules": rules, "contacts": contacts})


def _now(one: RoomNow) -> dict[str, Any]:
    return asdict(one.room) | {
        "state": one.state,
        "profile": one.rule.profile if one.rule else None,
        "commodities": one.rule.commodities if one.rule else (),
        "values": [
            {
                "probe": value.probe,
                "quantity": value.quantity.name,
                "unit": value.quantity.unit,
                "v": value.number,
                "t": value.at_ms,
                "q": value.quality,
            }
            for value in one.values
        ],
        "alarms": [fact.id for fact in one.alarms],
        "pauses": [pause.cause for pause in one.pauses],
        "silent": one.silent,
    }


@router.get("/rooms/{room}/advice")
async def advice(room: str, _asked: Annotated[Nothing, Query()], context: InContext) -> Response:
    """What is worth knowing of the room and no alarm: a wet humidity sensor, sweating goods,
    ethylene, defrosts that no controller tells of, probes due for calibration. Nothing of it is
    ever sent at night."""
    known(context, room)
    now = rooms_now(context)[RoomId(room)]
    texts = {lang: Words(lang, context.zone, context.now_ms()) for lang in LANGUAGES}
    return reply(
        {
            "room": room,
            "advice": [
                {"code": one.code, "how": one.how, "detail": one.said}
                | {lang: text_of(one, words, context.registry()) for lang, words in texts.items()}
                for one in advice_of(context, now)
            ],
        }
    )


class WhichCase(Asked):
    from_: Annotated[Instant | None, Field(alias="from")] = None
    until: Instant | None = None


@router.get("/rooms/{room}/case")
async def case(room: str, asked: Annotated[WhichCase, Query()], context: InContext) -> Response:
    """The room's whole input as a case for ``coldtrail replay``, so that anybody can compare
    the alarms recorded here with what the published rules make of the same readings."""
    known(context, room)
    reader = context.sources.readings.need()
    until_ms = context.now_ms() if asked.until is None else asked.until
    return reply(replay_case(context.records, reader, RoomId(room), asked.from_ or 0, until_ms))


class WhichInstant(Asked):
    at: Instant | None = None


@router.get("/rooms/{room}/explain")
async def explain(
    room: str, asked: Annotated[WhichInstant, Query()], context: InContext
) -> Response:
    """How every rule of the room stood at an instant (now, when left out): what fires or is
    pending and until when, what waits or is off and why, which readings counted."""
    known(context, room)
    now_ms = context.now_ms()
    at_ms = now_ms if asked.at is None else asked.at
    if at_ms > now_ms:
        raise NotYet("at")
    found = await explained(context, RoomId(room), at_ms)
    if found is None:
        raise Problem(409, "the room has no rule, so nothing is judged there", field="room")
    words = partial(Words, zone=context.zone, now_ms=now_ms)
    silences = silences_at(context.records, RoomId(room), at_ms)
    return reply(as_json(found, RoomId(room), words, silences))


class ActionSaid(Asked):
    id: Annotated[str, Field(min_length=1, max_length=200)]
    kind: str
    at: Instant
    by: Annotated[str, Field(min_length=1, max_length=200)]
    detail: Annotated[dict[str, Any], Field(default_factory=dict)]


@router.get("/rooms/{room}/actions")
async def actions(room: str, _asked: Annotated[Nothing, Query()], context: InContext) -> Response:
    known(context, room)
    return reply({"actions": [asdict(a) for a in context.records.actions(RoomId(room))]})


@router.post("/rooms/{room}/actions", status_code=201)
async def act(room: str, said: ActionSaid, context: InContext) -> Response:
    """Said twice with one id, it is recorded once."""
    known(context, room)
    before = context.records.last_change()
    m = context.records.add_action(
        said.id, RoomId(room), said.kind, said.at, said.by, said.detail, now_ms=context.now_ms()
    )
    cause = str(said.detail.get("cause", "")).replace(" ", "_")
    if said.kind == "ack" and cause in CAUSES and m > before:
        note_cause(context, RoomId(room), cause, said.at, said.by)
    return reply({"id": said.id, "change": m}, 201)


class RuleSaid(Asked):
    from_: Annotated[Instant, Field(alias="from")]
    profile: str
    commodities: Annotated[list[str], Field(default_factory=list)]
    interval_s: int = 300
    overrides: Annotated[dict[str, Any], Field(default_factory=dict)]


@router.post("/rooms/{room}/rules", status_code=201)
async def rule(room: str, said: RuleSaid, context: InContext, caller: Caller) -> Response:
    known(context, room)
    m = context.records.add_rule(
        RoomId(room),
        said.from_,
        said.profile,
        said.commodities,
        said.interval_s,
        said.overrides,
        by=caller.person,
        now_ms=context.now_ms(),
    )
    return reply({"change": m}, 201)
