"""How fast the SQLite home takes readings: one commit a group, on disk before it returns.

    python -m bench ingest_store [--readings N] [--folder DIR]

Prints the machine, then readings per second: batches of 600 (a gateway's hour) and of 10
(one sample of each of ten series), written in groups as ingest does, each also with every
tenth batch sent twice and, for 10, one commit a batch.
"""

import argparse
import os
import resource
import tempfile
import time
from array import array
from collections.abc import Iterator
from pathlib import Path

from bench.machine import figure, note, written_bytes
from domain.reading import Columns, GatewayId, ProbeId, Series
from store.connect import open_readings
from store.ports import AdmittedBatch, BatchId

GOALS = {"600 a batch, 20 a commit": "200,000", "10 a batch, 400 a commit": "100,000"}
START_MS = 1_780_272_000_000
SERIES = [
    [Series(ProbeId(f"ieee:{gateway:04x}{probe:08x}"), "temperature") for probe in range(10)]
    for gateway in range(100)
]


def hours(readings: int) -> Iterator[AdmittedBatch]:
    """600 readings a batch: ten series of one gateway, an hour of minutes each."""
    for at in range(readings // 600):
        hour, gateway = divmod(at, len(SERIES))
        start_ms = START_MS + hour * 3_600_000
        times = array("q", [start_ms + minute * 60_000 + gateway for minute in range(60)])
        counts = array("q", [400 + (minute * 7 + gateway) % 50 for minute in range(60)])
        rows = [
            (series, Columns(times, counts, array("H", bytes(120)))) for series in SERIES[gateway]
        ]
        yield batch(gateway, hour + 1, rows)


def minutes(readings: int) -> Iterator[AdmittedBatch]:
    """10 readings a batch: one sample of each of ten series."""
    for at in range(readings // 10):
        minute, gateway = divmod(at, len(SERIES))
        at_ms = START_MS + minute * 60_000 + gateway
        rows = [
            (series, Columns(array("q", [at_ms]), array("q", [400 + at % 50]), array("H", [0])))
            for series in SERIES[gateway]
        ]
        yield batch(gateway, minute + 1, rows)


def batch(gateway: int, seq: int, rows: list[tuple[Series, Columns]]) -> AdmittedBatch:
    name = BatchId(GatewayId(f"g{gateway}"), "e1", seq)
    digest = b"%8d%8d" % (gateway, seq)
    return AdmittedBatch(name, digest, "readings", rows, START_MS)


def groups(batches: list[AdmittedBatch], size: int) -> Iterator[list[AdmittedBatch]]:
    for at in range(0, len(batches), size):
        yield batches[at : at + size]


def measure(name: str, batches: list[AdmittedBatch], group: int, late: bool, folder: Path) -> None:
    """``late``: every hour is closed already, as in a backlog; its rollup is kept up."""
    path = folder / f"{name.replace(' ', '-').replace(',', '')}.db"
    store = open_readings(path, write=True)
    now_ms = START_MS + (90 * 86_400_000 if late else 0)
    written_before = written_bytes(os.getpid())
    cpu, begun = time.process_time(), time.perf_counter()
    worst = 0.0
    for one in groups(batches, group):
        commit = time.perf_counter()
        store.write(one, now_ms if late else one[-1].rows[0][1].at_ms[-1])
        worst = max(worst, time.perf_counter() - commit)
    taken, cpu = time.perf_counter() - begun, time.process_time() - cpu
    rows = store.totals()["rows"]
    store.close()
    to_disk = (written_bytes(os.getpid()) - written_before) / rows
    size = path.stat().st_size / rows
    figure(
        f"into SQLite, {name}",
        f"{rows / taken:,.0f} readings/s ({cpu / rows * 1e6:.2f} µs CPU, commit at most"
        f" {worst * 1000:.0f} ms, {to_disk:.0f} B written and {size:.0f} B kept a reading)",
        GOALS.get(name, ""),
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--readings", type=int, default=600_000)
    options.add_argument("--folder", type=Path, default=None, help="on the disk to measure")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        n = chosen.readings
        by_hour, by_minute = list(hours(n)), list(minutes(n))
        measure("600 a batch, 20 a commit", by_hour, 20, True, Path(folder))
        measure("600 a batch, 1 a commit", by_hour, 1, True, Path(folder))
        measure("10 a batch, 400 a commit", by_minute, 400, False, Path(folder))
        measure("10 a batch, 100 a commit", by_minute, 100, False, Path(folder))
        measure("10 a batch, 100 a commit, all late", by_minute, 100, True, Path(folder))
        measure("10 a batch, 1 a commit", by_minute[: n // 100], 1, False, Path(folder))
        again = [one for at, one in enumerate(by_hour) for _ in range(2 if at % 10 == 0 else 1)]
        measure("600 a batch, every tenth sent twice", again, 20, True, Path(folder))
        renamed = [
            AdmittedBatch(
                BatchId(one.id.gateway, f"again{at}", 1), one.digest, one.kind, one.rows, 0
            )
            for at, one in enumerate(by_hour) if at % 10 == 0
        ]  # fmt: skip
        mixed = [two for at, one in enumerate(by_hour)
                 for two in ([one, renamed[at // 10]] if at % 10 == 0 else [one])]  # fmt: skip
        measure("600 a batch, every tenth under two names", mixed, 20, True, Path(folder))
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    note(f"peak memory {peak_mb:.0f} MB, the prepared batches included")


if __name__ == "__main__":
    main()
