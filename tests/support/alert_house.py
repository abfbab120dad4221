"""A house for alerts: real stores in a folder, one site, rooms with probes, people on a ladder."""

from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from domain.quantity import QUANTITIES
from domain.reading import Columns, GatewayId, PersonId, ProbeId, RoomId, Series, SiteId
from store.connect import open_readings
from store.ports import AdmittedBatch, BatchId, ReadingStore
from store.records import SqlRecords, open_records
from store.records.ports import Duty, Person, Region, Room, Site
from wire import events_v1

MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS
NOON_MS = 1_780_372_800_000  # 2026-06-02 04:00 UTC: 12:00 where the house stands


class House:
    """``room``: a strawberry room. Closes its writers on exit."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.readings: ReadingStore = open_readings(folder / "readings.db", write=True)
        self.records: SqlRecords = open_records(folder / "records.db")
        self._seq = 0
        self.began_ms = NOON_MS - 20 * DAY_MS
        said: Mapping[str, Any] = {"by": "init", "now_ms": self.began_ms}
        self.records.put_region(Region("county", None, "county", "示范县", "Demo county"), **said)
        self.records.put_site(Site(SiteId("s1"), "county", "village-point", "东村", "East"), **said)

    def __enter__(self) -> "House":
        return self

    def __exit__(self, *_: object) -> None:
        self.records.close()
        self.readings.close()

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def room(self, id: str, probe: str, from_ms: int | None = None) -> None:
        said: Mapping[str, Any] = {"by": "init", "now_ms": self.began_ms}
        room = RoomId(id)
        start = self.began_ms if from_ms is None else from_ms
        self.records.put_room(Room(room, SiteId("s1"), "chilled", id, id), **said)
        self.records.assign(ProbeId(probe), room, start, **said)
        self.records.add_rule(room, self.began_ms, "SB", ["strawberry"], 300, {}, **said)

    def person(self, id: str, role: str, phone: str, *, quiet_hours: bool = True) -> None:
        said: Mapping[str, Any] = {"by": "init", "now_ms": self.began_ms}
        self.records.put_person(Person(PersonId(id), id, phone, "zh", quiet_hours), **said)
        self.records.put_duty(Duty(PersonId(id), role, "site", "s1"), **said)

    def report(self, events: list[events_v1.Event], *, at_ms: int) -> None:
        """A gateway's report of what it did, stored at ``at_ms``."""
        self._seq += 1
        id, digest = BatchId(GatewayId("g1"), "e", self._seq), self._seq.to_bytes(16, "big")
        body = events_v1.encode(events)
        self.readings.write([AdmittedBatch(id, digest, "event", [], at_ms, note=body)], at_ms)

    def arrive(
        self,
        rows: Sequence[tuple[int, float]],
        *,
        at_ms: int,
        probe: str = "mqtt:g1:p1",
        quantity: str = "temperature",
        backlog: bool = False,
    ) -> None:
        """One batch of (measured_at_ms, value), stored at ``at_ms``."""
        self._seq += 1
        counts = [QUANTITIES[quantity].count(value) for _, value in rows]
        columns = Columns(
            array("q", [t for t, _ in rows]), array("q", counts), array("H", [0] * len(rows))
        )
        batch = AdmittedBatch(
            BatchId(GatewayId("g1"), "e", self._seq),
            self._seq.to_bytes(16, "big"),
            "readings",
            [(Series(ProbeId(probe), quantity), columns)],
            at_ms,
        )
        self.readings.write([batch], at_ms, backlog=backlog)
