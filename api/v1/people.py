"""``people``, ``duties`` and ``calendar``: who is told, of which rooms, and when."""

from dataclasses import asdict, replace
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from api.asked import Caller, InContext
from api.ladders import ladder_of, next_rungs
from api.problems import Problem
from api.replies import Asked, reply
from api.times import Instant
from api.v1.places import Nothing
from domain.reading import PersonId, RoomId
from domain.roster import DAYS, ROLES, Shift
from store.records import Refused
from store.records.checks import DAY_MIN
from store.records.ports import CalendarDay, Duty, Person

router = APIRouter(tags=["people"])


@router.get("/people")
async def people(_asked: Annotated[Nothing, Query()], context: InContext) -> Response:
    duties = context.records.duties()
    stopped = context.records.texts_stopped()
    return reply(
        {
            "people": [
                asdict(one)
                | {
                    "texts_stopped_ms": stopped.get(one.id),
                    "duties": [
                        {
                            "role": d.role,
                            "scope_kind": d.scope_kind,
                            "scope": d.scope,
                            "shifts": [asdict(shift) for shift in d.shifts],
                        }
                        for d in duties
                        if d.person == one.id
                    ],
                }
                for one in context.records.people()
            ]
        }
    )


class PersonSaid(Asked):
    """``phone``: E.164. ``quiet_hours``: warnings wait for the morning at night. ``channels``:
    names of ``[[alerts.channel]]``, best first; none: as the settings say."""

    name: str
    phone: str
    lang: str
    quiet_hours: bool = True
    channels: tuple[str, ...] = ()


@router.put("/people/{person}")
async def put_person(person: str, said: PersonSaid, context: InContext, caller: Caller) -> Response:
    known = context.settings.channels
    if unknown := sorted(set(said.channels) - set(known)):
        raise Refused("channels", f"unknown: {', '.join(unknown)}; there are {', '.join(known)}")
    value = Person(PersonId(person), **said.model_dump())
    m = context.records.put_person(value, by=caller.person, now_ms=context.now_ms())
    return reply({"change": m})


class StoppedSaid(Asked):
    at: Instant


@router.post("/people/{person}/stopped", status_code=201)
async def stop(person: str, said: StoppedSaid, context: InContext, caller: Caller) -> Response:
    """They sent the carrier's unsubscribe word: no text reaches them until an administrator
    has it allowed again."""
    m = context.records.stop_texts(
        PersonId(person), said.at, by=caller.person, now_ms=context.now_ms()
    )
    return reply({"change": m}, 201)


@router.delete("/people/{person}/stopped")
async def allow(
    person: str, _asked: Annotated[Nothing, Query()], context: InContext, caller: Caller
) -> Response:
    m = context.records.allow_texts(PersonId(person), by=caller.person, now_ms=context.now_ms())
    return reply({"change": m})


class WhichDuty(Asked):
    person: str
    role: str
    scope_kind: str
    scope: str

    def duty(self) -> Duty:
        return Duty(PersonId(self.person), self.role, self.scope_kind, self.scope)


class ShiftSaid(Asked):
    """``days``: some of 1 (Monday) to 7 and H (holidays). Minutes of the local day; an end that
    is not after the beginning lies on the next day."""

    days: str = DAYS
    from_minute: int = 0
    to_minute: int = DAY_MIN
    first_day: str = ""
    last_day: str = ""


class DutySaid(WhichDuty):
    """No ``shifts``: always on duty. Given again, the shifts are replaced."""

    shifts: list[ShiftSaid] = Field(default_factory=list)

    def duty(self) -> Duty:
        shifts = tuple(Shift(**one.model_dump()) for one in self.shifts)
        return replace(super().duty(), shifts=shifts)


@router.post("/duties", status_code=201)
async def put_duty(said: DutySaid, context: InContext, caller: Caller) -> Response:
    m = context.records.put_duty(said.duty(), by=caller.person, now_ms=context.now_ms())
    return reply({"change": m}, 201)


@router.delete("/duties")
async def end_duty(
    said: Annotated[WhichDuty, Query()], context: InContext, caller: Caller
) -> Response:
    """Named in the query, because a body of DELETE may be dropped on its way (RFC 9110, 9.3.5)."""
    m = context.records.end_duty(said.duty(), by=caller.person, now_ms=context.now_ms())
    return reply({"change": m})


@router.get("/calendar")
async def calendar(_asked: Annotated[Nothing, Query()], context: InContext) -> Response:
    """Dates that count as another day than their weekday."""
    return reply({"days": [asdict(day) for day in context.records.calendar()]})


class DaySaid(Asked):
    """``counts_as``: H, or 1 (Monday) to 7."""

    counts_as: str
    name: str = ""


@router.put("/calendar/{day}")
async def put_day(day: str, said: DaySaid, context: InContext, caller: Caller) -> Response:
    value = CalendarDay(day, said.counts_as, said.name)
    m = context.records.put_day(value, by=caller.person, now_ms=context.now_ms())
    return reply({"change": m})


@router.delete("/calendar/{day}")
async def take_day(
    day: str, _asked: Annotated[Nothing, Query()], context: InContext, caller: Caller
) -> Response:
    m = context.records.take_day(day, by=caller.person, now_ms=context.now_ms())
    return reply({"change": m})


class WhichLadder(Asked):
    at: Instant | None = None


@router.get("/rooms/{room}/ladder")
async def ladder(room: str, asked: Annotated[WhichLadder, Query()], context: InContext) -> Response:
    """Who would be told at an instant (now), step by step, and what comes next in an open
    incident if nobody answers."""
    if RoomId(room) not in context.registry().rooms:
        raise Problem(404, f"there is no room {room[:64]!r}", field="room")
    at_ms = context.now_ms() if asked.at is None else asked.at
    found = ladder_of(context, RoomId(room), at_ms)
    return reply(
        {
            "at": at_ms,
            "reaches_somebody": found.reaches,
            "instead": found.instead,
            "steps": [
                {
                    "role": role,
                    "people": [
                        {
                            "id": one.person.id,
                            "name": one.person.name,
                            "on_duty": one.on_duty,
                            "told": one.told,
                            "instead": one.instead,
                            "texts_stopped_ms": one.stopped_ms,
                            "shifts": [asdict(shift) for shift in one.shifts],
                        }
                        for one in found.step(role)
                    ],
                }
                for role in ROLES
            ],
            "next": [asdict(rung) for rung in next_rungs(context, room, found.on_turn)],
        }
    )
