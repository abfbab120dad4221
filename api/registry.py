"""Places, probes, rules and people as they are now, read once for each change.

The api is the only writer of records while it runs, so a picture of the last change number
is the newest there is.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from domain.calibration import Papers
from domain.reading import ProbeId, RoomId, SiteId
from store.records.ports import (
    Assignment,
    Person,
    RecordedCheck,
    RecordsReader,
    Region,
    Room,
    RuleVersion,
    Site,
)

T = TypeVar("T")

# Changes that alter nothing here.
NOT_PICTURED = frozenset({
    "action", "lot", "epcis", "case", "silence", "drill", "drill_plan", "calendar", "texts",
})  # fmt: skip
MOST_CHANGES = 500  # more than this since the last look: read everything anew


@dataclass(frozen=True, slots=True)
class Registry:
    m: int
    regions: Mapping[str, Region]
    sites: Mapping[SiteId, Site]
    rooms: Mapping[RoomId, Room]
    rules: Mapping[RoomId, Sequence[RuleVersion]]  # oldest first
    assignments: Sequence[Assignment]
    people: Mapping[str, Person]
    papers: Mapping[ProbeId, Sequence[Papers]]  # oldest first
    checks: Mapping[ProbeId, Sequence[RecordedCheck]]

    def rule(self, room: RoomId, at_ms: int) -> RuleVersion | None:
        """In force at an instant; the first one holds from the beginning of time."""
        versions = self.rules.get(room, ())
        held = [rule for rule in versions if rule.from_ms <= at_ms]
        return held[-1] if held else (versions[0] if versions else None)

    def room_of(self, probe: ProbeId, at_ms: int) -> RoomId | None:
        return next(
            (a.room for a in self.assignments if a.probe == probe and _holds(a, at_ms)), None
        )

    def probes_of(self, room: RoomId, at_ms: int) -> list[ProbeId]:
        return sorted({a.probe for a in self.assignments if a.room == room and _holds(a, at_ms)})

    def assigned(self, room: RoomId, from_ms: int, to_ms: int) -> list[tuple[ProbeId, int, int]]:
        """Which probes measured the room, from when to when, within [from, to)."""
        return [
            (a.probe, max(a.from_ms, from_ms), min(to_ms if a.to_ms is None else a.to_ms, to_ms))
            for a in self.assignments
            if a.room == room and a.from_ms < to_ms and (a.to_ms is None or a.to_ms > from_ms)
        ]

    def by_probe(self, at_ms: int) -> dict[ProbeId, RoomId]:
        return {a.probe: a.room for a in self.assignments if _holds(a, at_ms)}

    def rooms_of(self, site: SiteId) -> list[Room]:
        return [room for room in self.rooms.values() if room.site == site]

    def gateway_sites(self) -> dict[str, list[Site]]:
        found: dict[str, list[Site]] = {}
        for site in self.sites.values():
            if site.gateway:
                found.setdefault(site.gateway, []).append(site)
        return found


def _holds(assignment: Assignment, at_ms: int) -> bool:
    return assignment.from_ms <= at_ms and (assignment.to_ms is None or at_ms < assignment.to_ms)


class Registrar:
    """Keeps the newest picture."""

    def __init__(self, records: RecordsReader) -> None:
        self._records = records
        self._newest: Registry | None = None
        self._looked_m = 0

    def now(self) -> Registry:
        m = self._records.last_change()
        if self._newest is None or (m > self._looked_m and self._altered()):
            self._newest = _read(self._records, m)
        self._looked_m = m
        return self._newest

    def _altered(self) -> bool:
        changes = self._records.changes(self._looked_m, MOST_CHANGES)
        return len(changes) == MOST_CHANGES or any(c.kind not in NOT_PICTURED for c in changes)


def _read(records: RecordsReader, m: int) -> Registry:
    rooms = {room.id: room for room in records.rooms()}
    return Registry(
        m,
        {region.id: region for region in records.regions()},
        {site.id: site for site in records.sites()},
        rooms,
        {id: records.rules(id) for id in rooms},
        records.assignments(),
        {person.id: person for person in records.people()},
        _by_probe((ProbeId(each.probe), each) for each in records.papers()),
        _by_probe((each.probe, each) for each in records.checks()),
    )


def _by_probe(said: Iterable[tuple[ProbeId, T]]) -> dict[ProbeId, list[T]]:
    found: dict[ProbeId, list[T]] = {}
    for probe, each in said:
        found.setdefault(probe, []).append(each)
    return found
