"""``readings``, ``series`` and ``latest``: what was measured."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import Field

from api.asked import InContext
from api.context import Context
from api.problems import Problem
from api.readings import (
    MOST_POINTS,
    MOST_ROWS,
    Stretch,
    bucket_width_ms,
    bucketed,
    grid_from_ms,
    page,
    quantity_named,
    values,
)
from api.replies import Asked, reply
from api.times import Instant
from domain.admission import EARLIEST_MS
from domain.quantity import QUANTITIES
from domain.reading import ProbeId, RoomId

router = APIRouter(tags=["readings"])


class WhichReadings(Asked):
    probe: str | None = None
    room: str | None = None
    quantity: str = "temperature"
    from_: Annotated[Instant | None, Field(alias="from")] = None
    to: Instant | None = None
    limit: Annotated[int, Field(ge=1, le=MOST_ROWS)] = 10_000
    cursor: str = ""
    next: str = ""  # the same, as the answer calls it
    points: Annotated[int | None, Field(ge=1, le=MOST_POINTS)] = None


@router.get("/readings")
async def readings(asked: Annotated[WhichReadings, Query()], context: InContext) -> Response:
    """Readings of one quantity of a probe, or of every probe while it was in a room."""
    quantity = quantity_named(asked.quantity)
    to_ms = context.now_ms() + 1 if asked.to is None else asked.to
    from_ms = max(asked.from_ or 0, EARLIEST_MS)
    if asked.from_ is None and asked.points is not None:
        raise Problem(422, "points needs a beginning", field="from")
    if from_ms >= to_ms:
        raise Problem(422, "not after the beginning", field="to")
    if (asked.probe is None) == (asked.room is None):
        raise Problem(422, "give either a probe or a room", field="probe")
    answer: dict[str, Any] = {"quantity": quantity.name, "unit": quantity.unit}
    if asked.probe is not None:
        answer["probe"] = asked.probe
        stretches = [Stretch(ProbeId(asked.probe), from_ms, to_ms)]
    else:
        answer["room"] = asked.room
        stretches = _stretches(context, RoomId(str(asked.room)), from_ms, to_ms)
    reader = context.sources.readings.need()
    if asked.points is None:
        rows = page(reader, stretches, quantity, asked.limit, asked.cursor or asked.next)
    else:
        width_ms = bucket_width_ms(from_ms, to_ms, asked.points)
        rows = bucketed(reader, stretches, quantity, grid_from_ms(from_ms, width_ms), width_ms)
    return reply(answer | rows)


def _stretches(context: Context, room: RoomId, from_ms: int, to_ms: int) -> list[Stretch]:
    registry = context.registry()
    if room not in registry.rooms:
        raise Problem(404, f"there is no room {room[:64]!r}", field="room")
    return [Stretch(*one) for one in registry.assigned(room, from_ms, to_ms)]


class WhichSeries(Asked):
    room: str | None = None
    probe: str | None = None


@router.get("/series")
async def series(asked: Annotated[WhichSeries, Query()], context: InContext) -> Response:
    reader = context.sources.readings.need()
    rooms = context.registry().by_probe(context.now_ms())
    return reply(
        {
            "series": [
                {
                    "probe": one.probe,
                    "quantity": one.quantity,
                    "unit": QUANTITIES[one.quantity].unit,
                    "room": rooms.get(one.probe),
                }
                for one in sorted(reader.series())
                if asked.probe in (None, one.probe) and asked.room in (None, rooms.get(one.probe))
            ]
        }
    )


@router.get("/latest")
async def latest(asked: Annotated[WhichSeries, Query()], context: InContext) -> Response:
    """The newest reading of each series, with its age in seconds."""
    reader = context.sources.readings.need()
    now_ms = context.now_ms()
    rooms = context.registry().by_probe(now_ms)
    found = []
    for one in sorted(reader.latest(), key=lambda one: one.series):
        probe, quantity = one.series.probe, QUANTITIES[one.series.quantity]
        room = rooms.get(probe)
        if asked.probe in (None, probe) and asked.room in (None, room):
            found.append(
                {
                    "probe": probe,
                    "quantity": quantity.name,
                    "unit": quantity.unit,
                    "room": room,
                    "t": one.at_ms,
                    "v": values([one.count], quantity)[0],
                    "q": one.quality,
                    "stored_at": one.stored_at_ms,
                    "age_s": round((now_ms - one.at_ms) / 1000, 1),
                }
            )
    return reply({"now": now_ms, "latest": found})
