"""``probes``: what measures, where, and which still wait for a room."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from api.context import Caller, InContext
from api.probes import probes_now
from api.replies import Asked, reply
from api.times import Instant
from domain.reading import ProbeId, RoomId

router = APIRouter(tags=["probes"])


class WhichProbes(Asked):
    room: str | None = None
    unassigned: bool = False


@router.get("/probes")
async def probes(asked: Annotated[WhichProbes, Query()], context: InContext) -> Response:
    return reply(
        {
            "probes": [
                {
                    "probe": one.probe,
                    "room": one.room,
                    "from": one.from_ms,
                    "last_heard": one.last_ms,
                    "values": [
                        {
                            "quantity": value.quantity.name,
                            "unit": value.quantity.unit,
                            "v": value.number,
                            "t": value.at_ms,
                            "q": value.quality,
                        }
                        for value in one.values
                    ],
                }
                for one in probes_now(context)
                if asked.room in (None, one.room) and not (asked.unassigned and one.room)
            ]
        }
    )


class AssignmentSaid(Asked):
    """``room`` null ends the probe's assignment at ``from``."""

    probe: str
    room: str | None
    from_: Annotated[Instant, Field(alias="from")]


@router.post("/assignments", status_code=201)
async def assign(said: AssignmentSaid, context: InContext, caller: Caller) -> Response:
    probe, by, now_ms = ProbeId(said.probe), caller.person, context.now_ms()
    if said.room is None:
        m = context.records.unassign(probe, said.from_, by=by, now_ms=now_ms)
    else:
        m = context.records.assign(probe, RoomId(said.room), said.from_, by=by, now_ms=now_ms)
    return reply({"change": m}, 201)
