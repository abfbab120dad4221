"""``people`` and ``duties``: who is told, and for which rooms."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.context import Caller, InContext
from api.replies import Asked, reply
from api.v1.places import Nothing
from domain.reading import PersonId
from store.records import Refused
from store.records.ports import Duty, Person

router = APIRouter(tags=["people"])


@router.get("/people")
async def people(_asked: Annotated[Nothing, Query()], context: InContext) -> Response:
    duties = context.records.duties()
    return reply(
        {
            "people": [
                asdict(one)
                | {
                    "duties": [
                        {"role": d.role, "scope_kind": d.scope_kind, "scope": d.scope}
                        for d in duties
                        if d.person == one.id
                    ]
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


class DutySaid(Asked):
    person: str
    role: str
    scope_kind: str
    scope: str

    def duty(self) -> Duty:
        return Duty(PersonId(self.person), self.role, self.scope_kind, self.scope)


@router.post("/duties", status_code=201)
async def put_duty(said: DutySaid, context: InContext, caller: Caller) -> Response:
    m = context.records.put_duty(said.duty(), by=caller.person, now_ms=context.now_ms())
    return reply({"change": m}, 201)


@router.delete("/duties")
async def end_duty(
    said: Annotated[DutySaid, Query()], context: InContext, caller: Caller
) -> Response:
    """Named in the query, because a body of DELETE may be dropped on its way (RFC 9110, 9.3.5)."""
    m = context.records.end_duty(said.duty(), by=caller.person, now_ms=context.now_ms())
    return reply({"change": m})
