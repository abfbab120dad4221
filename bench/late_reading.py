"""What one reading costs that comes thirty days late.

    python -m bench late_reading [--profile]

One room with 40 days behind it, twelve excursions among them: two air probes, a product probe
and a door, five minutes apart (and once more with a minute between samples). A reading from 30
days ago arrives; half of them begin or end something. First the room's engine alone, then
everything from the committed arrival to the committed facts: the alerts role's own code.
"""

import argparse
import cProfile
import pstats
import random
import tempfile
import time
from array import array
from pathlib import Path

from alerts.engine import Engine
from bench import profile
from bench.machine import figure, percentile
from domain.judgement import Rule
from domain.reading import Columns, GatewayId, ProbeId, RoomId, Series, SiteId
from store.connect import open_readings
from store.facts import open_facts
from store.ports import AdmittedBatch, BatchId, ReadingStore
from store.records import open_records, open_records_reader
from store.records.ports import Region, Room, Site

MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS
NOW_MS = 1_780_372_800_000
DAYS = 40
LATE_MS = 30 * DAY_MS
TIMES = 40
PROBES = [
    Series(ProbeId("mqtt:g1:air1"), "temperature"),
    Series(ProbeId("mqtt:g1:air2"), "temperature"),
    Series(ProbeId("mqtt:g1:pulp"), "product_temperature"),
]


def history(step_ms: int) -> list[tuple[Series, Columns]]:
    chance = random.Random(7)  # noqa: S311 - reproducible
    start_ms = NOW_MS - DAYS * DAY_MS
    times = array("q", range(start_ms, NOW_MS, step_ms))
    warm = [start_ms + int(chance.random() * DAYS * DAY_MS) for _ in range(12)]
    found = []
    for place, series in enumerate(PROBES):
        counts = array("q")
        for i, at_ms in enumerate(times):
            spell = 600 if any(w <= at_ms < w + 90 * MINUTE_MS for w in warm) else 0
            counts.append(220 + (i * 7 + place * 13) % 90 + spell)
        found.append((series, Columns(times, counts, array("H", bytes(2 * len(times))))))
    return found


class Store:
    """Writes as ingest does; one batch a call."""

    def __init__(self, path: Path) -> None:
        self.readings: ReadingStore = open_readings(path, write=True)
        self._seq = 0

    def write(self, rows: list[tuple[Series, Columns]], *, backlog: bool) -> None:
        self._seq += 1
        batch = AdmittedBatch(
            BatchId(GatewayId("g1"), "e", self._seq),
            self._seq.to_bytes(16, "big"), "readings", rows, NOW_MS,
        )  # fmt: skip
        self.readings.write([batch], NOW_MS, backlog=backlog)


def house(folder: Path) -> None:
    records = open_records(folder / "records.db")
    said = {"by": "bench", "now_ms": NOW_MS - DAYS * DAY_MS}
    room = RoomId("r1")
    records.put_region(Region("c", None, "county", "县", "County"), **said)  # type: ignore[arg-type]
    records.put_site(Site(SiteId("s1"), "c", "village-point", "点", "Point"), **said)  # type: ignore[arg-type]
    records.put_room(Room(room, SiteId("s1"), "chilled", "库", "Room"), **said)  # type: ignore[arg-type]
    for series in PROBES:
        records.assign(series.probe, room, NOW_MS - DAYS * DAY_MS, **said)  # type: ignore[arg-type]
    records.add_rule(room, NOW_MS - DAYS * DAY_MS, "SB", ["strawberry"], 300, {}, **said)  # type: ignore[arg-type]
    records.close()


def late_rows(number: int) -> list[tuple[Series, Columns]]:
    """Between two samples of the probe; every other one far above the ceiling."""
    at_ms = NOW_MS - LATE_MS + number * 37 * MINUTE_MS + 1_234
    count = 1_650 if number % 2 else 260
    return [(PROBES[0], Columns(array("q", [at_ms]), array("q", [count]), array("H", [0])))]


def measure(step_ms: int, folder: Path, *, profiled: bool) -> None:
    from domain.engine import RoomEngine

    house(folder)
    store = Store(folder / "readings.db")
    for series, columns in history(step_ms):
        for at in range(0, len(columns), 5_000):
            part = Columns(
                columns.at_ms[at : at + 5_000], columns.count[at : at + 5_000],
                columns.quality[at : at + 5_000],
            )  # fmt: skip
            store.write([(series, part)], backlog=True)
    reader = open_readings(folder / "readings.db", write=False)
    records = open_records_reader(folder / "records.db")
    facts = open_facts(folder / "facts.db")
    every = f"a sample every {step_ms // MINUTE_MS} min, three probes"

    def read(from_ms: int, to_ms: int) -> dict[Series, Columns]:
        found = {s: reader.between(s, from_ms, to_ms) for s in PROBES}
        return {s: rows for s, rows in found.items() if len(rows)}

    rule = Rule("1", NOW_MS - DAYS * DAY_MS, "SB", ("strawberry",), 300, {})
    room = RoomEngine((rule,))
    begun = time.perf_counter()
    room.judge(NOW_MS, read)
    whole_ms = (time.perf_counter() - begun) * 1000
    alone, through = [], []
    for number in range(TIMES):
        rows = late_rows(number)
        store.write(rows, backlog=False)
        at_ms = rows[0][1].at_ms[0]
        begun = time.perf_counter()
        room.touch(at_ms, at_ms)
        room.judge(NOW_MS, read)
        alone.append((time.perf_counter() - begun) * 1000)
    alerts = Engine(reader, records, facts)
    alerts.follow(NOW_MS)
    looked = cProfile.Profile()
    for number in range(TIMES, 2 * TIMES):
        store.write(late_rows(number), backlog=False)
        begun = time.perf_counter()
        if profiled:
            looked.enable()
        alerts.follow(NOW_MS + number)
        looked.disable()
        through.append((time.perf_counter() - begun) * 1000)
    if profiled:
        profile.tell(pstats.Stats(looked), f"{TIMES} late readings, {every}")
    for what, took in (("the engine", alone), ("alerts, facts written", through)):
        figure(
            f"one reading 30 days late, {every}: {what}",
            f"p50 {percentile(took, 0.5):.0f} ms, p99 {percentile(took, 0.99):.0f} ms"
            f" (all {DAYS} days anew: {whole_ms:,.0f} ms)",
            "50 ms",
        )
    facts.close()
    records.close()
    reader.close()
    store.readings.close()


def main() -> None:
    options = argparse.ArgumentParser(description="One reading that comes thirty days late.")
    options.add_argument("--profile", action="store_true", help="also where the time goes")
    profiled: bool = options.parse_args().profile
    for step_ms in (5 * MINUTE_MS, MINUTE_MS):
        with tempfile.TemporaryDirectory() as folder:
            measure(step_ms, Path(folder), profiled=profiled)


if __name__ == "__main__":
    main()
