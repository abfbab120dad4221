"""Every probe ever heard or assigned, with its room and its newest values."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from api.calibration import Standing, standing
from api.context import Context
from api.rooms import ORDER, Value, value_of
from domain.reading import ProbeId, RoomId


@dataclass(frozen=True, slots=True)
class ProbeNow:
    probe: ProbeId
    room: RoomId | None
    from_ms: int | None  # of its assignment
    values: Sequence[Value]
    standing: Standing

    @property
    def last_ms(self) -> int | None:
        return max((value.at_ms for value in self.values), default=None)


def probes_now(context: Context) -> list[ProbeNow]:
    """Unassigned first: they wait for somebody."""
    now_ms, registry = context.now_ms(), context.registry()
    latest = context.sources.readings.ask(lambda reader: reader.latest()) or []
    heard: dict[ProbeId, list[Value]] = defaultdict(list)
    for one in latest:
        heard[one.series.probe].append(value_of(one))
    held = {
        a.probe: a
        for a in registry.assignments
        if a.from_ms <= now_ms and (a.to_ms is None or now_ms < a.to_ms)
    }
    found = []
    for probe in sorted({*heard, *held, *registry.papers}):
        assignment = held.get(probe)
        room, from_ms = (
            (None, None) if assignment is None else (assignment.room, assignment.from_ms)
        )
        mine = sorted(heard[probe], key=lambda v: ORDER.index(v.quantity.name))
        found.append(ProbeNow(probe, room, from_ms, mine, standing(registry, probe, now_ms)))
    return sorted(found, key=lambda one: (one.room is not None, one.room or "", one.probe))
