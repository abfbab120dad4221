"""``probes``: what measures, where, and which still wait for a room."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import Field

from api.asked import Caller, InContext
from api.calibration import Standing, standing
from api.limits import COUNTS
from api.probes import probes_now
from api.replies import Asked, reply
from api.times import Instant
from domain.calibration import Check, Papers
from domain.quantity import QUANTITIES
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
                    "calibration": _standing(one.standing),
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


def _standing(one: Standing) -> dict[str, Any]:
    drifted = one.drifted
    return {
        "state": one.state,
        "papers": None if one.held is None else _papers(one.held),
        "drift": None if drifted is None or drifted.off is None else drifted.off / COUNTS,
    }


def _papers(one: Papers) -> dict[str, Any]:
    return {
        "from": one.from_ms,
        "serial": one.serial,
        "certificate": one.certificate,
        "due_on": None if one.due_on is None else one.due_on.isoformat(),
        "offset_c": float(one.offset_c),
        "lag_s": one.lag_s,
    }


class WhichProbe(Asked):
    probe: str


@router.get("/probes/papers")
async def papers(asked: Annotated[WhichProbe, Query()], context: InContext) -> Response:
    """One probe: papers oldest first, checks newest first, where it measured."""
    probe, registry = ProbeId(asked.probe), context.registry()
    one = standing(registry, probe, context.now_ms())
    return reply(
        {
            "probe": probe,
            "calibration": _standing(one),
            "papers": [_papers(each) for each in one.papers],
            "checks": [
                {
                    "id": each.said.id,
                    "at": each.said.check.at_ms,
                    "shown": each.said.check.shown / COUNTS,
                    "reference": each.said.check.reference / COUNTS,
                    "off": None if each.off is None else each.off / COUNTS,
                    "by": each.said.by,
                }
                for each in one.checks
            ],
            "assignments": [
                {"room": a.room, "from": a.from_ms, "to": a.to_ms}
                for a in registry.assignments
                if a.probe == probe
            ],
        }
    )


class PapersSaid(Asked):
    """In force from ``from`` on; they replace what was said of the probe before. The certificate's
    ``offset_c`` is shown beside the readings and changes none."""

    probe: str
    from_: Annotated[Instant, Field(alias="from")]
    serial: str = ""
    certificate: str = ""
    due_on: date | None = None
    offset_c: Decimal = Decimal(0)
    lag_s: int = 0


@router.post("/probes/papers", status_code=201)
async def put_papers(said: PapersSaid, context: InContext, caller: Caller) -> Response:
    papers = Papers(
        said.probe, said.from_, said.serial, said.certificate, said.due_on, said.offset_c, said.lag_s
    )  # fmt: skip
    m = context.records.put_papers(papers, by=caller.person, now_ms=context.now_ms())
    return reply({"change": m}, 201)


class CheckSaid(Asked):
    """``shown`` by the probe while a calibrated thermometer beside it showed ``reference``."""

    id: Annotated[str, Field(min_length=1, max_length=200)]
    probe: str
    at: Instant
    shown: Annotated[float, Field(ge=-90, le=100)]
    reference: Annotated[float, Field(ge=-90, le=100)]


@router.post("/probes/checks", status_code=201)
async def add_check(said: CheckSaid, context: InContext, caller: Caller) -> Response:
    count = QUANTITIES["temperature"].count
    check = Check(said.at, count(said.shown), count(said.reference))
    m = context.records.add_check(
        said.id, ProbeId(said.probe), check, by=caller.person, now_ms=context.now_ms()
    )
    return reply({"id": said.id, "change": m}, 201)


class SwapSaid(Asked):
    """From ``at`` on ``new`` measures the room of ``old``."""

    old: str
    new: str
    at: Instant


@router.post("/probes/swap", status_code=201)
async def swap(said: SwapSaid, context: InContext, caller: Caller) -> Response:
    m = context.records.swap(
        ProbeId(said.old), ProbeId(said.new), said.at, by=caller.person, now_ms=context.now_ms()
    )
    return reply({"change": m}, 201)


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
