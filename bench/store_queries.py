"""How fast the SQLite home answers what charts and lists ask.

    python -m bench store_queries [--series N] [--days N] [--folder DIR]

One reading a minute for each series. Prints milliseconds, p50 and p99 of 50 (warm: the file
fits in the page cache): latest of all, a day of one raw, a month of one in buckets, the last
week's lowest, highest and mean of each series.
"""

import argparse
import random
import tempfile
import time
from array import array
from collections.abc import Callable
from pathlib import Path

from bench.machine import figure, note
from domain.reading import Columns, GatewayId, ProbeId, Series
from store.connect import open_readings
from store.ports import AdmittedBatch, BatchId, ReadingReader

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
START_MS = 1_780_272_000_000 // DAY_MS * DAY_MS
TIMES = 50


def fill(path: Path, series: list[Series], days: int) -> None:
    store = open_readings(path, write=True)
    zeros = array("H", bytes(120))
    for hour in range(24 * days):
        start_ms = START_MS + hour * HOUR_MS
        times = array("q", [start_ms + minute * 60_000 for minute in range(60)])
        counts = array("q", [400 + (minute * 7 + hour) % 50 for minute in range(60)])
        batches = [
            AdmittedBatch(
                BatchId(GatewayId("g1"), f"e{at}", hour + 1),
                b"%8d%8d" % (at, hour),
                "readings",
                [(one, Columns(times, counts, zeros)) for one in series[at : at + 10]],
                start_ms,
            )
            for at in range(0, len(series), 10)
        ]
        store.write(batches, start_ms + 2 * HOUR_MS)
    store.close()


def told(name: str, goal: str, ask: Callable[[], object]) -> None:
    ask()
    took = []
    for _ in range(TIMES):
        begun = time.perf_counter()
        ask()
        took.append((time.perf_counter() - begun) * 1000)
    took.sort()
    figure(name, f"p50 {took[TIMES // 2]:.2f} ms, worst of {TIMES} {took[-1]:.2f} ms", goal)


def ask_all(reader: ReadingReader, series: list[Series], days: int) -> None:
    chance = random.Random(3)  # noqa: S311 - which series is asked for
    end_ms = START_MS + days * DAY_MS
    week_ms = end_ms - min(days, 7) * DAY_MS
    month_ms = end_ms - min(days, 30) * DAY_MS

    def any_one() -> Series:
        return chance.choice(series)

    told(f"latest of {len(series):,}", "1 ms", reader.latest)
    told("a day of one, raw", "2 ms", lambda: reader.between(any_one(), end_ms - DAY_MS, end_ms))
    told(
        f"{min(days, 30)} days of one in buckets of 2 h",
        "5 ms",
        lambda: reader.buckets(any_one(), month_ms, end_ms, 2 * HOUR_MS),
    )
    told(
        f"{min(days, 30)} days of one in 500 buckets, off the hour",
        "5 ms",
        lambda: reader.buckets(any_one(), month_ms, end_ms, (end_ms - month_ms) // 500),
    )
    told(
        f"a week's low, high and mean of {len(series):,}",
        "50 ms",
        lambda: reader.overview(week_ms, end_ms),
    )


def main() -> None:
    options = argparse.ArgumentParser(description="Queries on the SQLite home.")
    options.add_argument("--series", type=int, default=1_000)
    options.add_argument("--days", type=int, default=8)
    options.add_argument("--folder", type=Path, default=None)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        path = Path(folder) / "readings.db"
        series = [Series(ProbeId(f"ieee:{at:016x}"), "temperature") for at in range(chosen.series)]
        begun = time.perf_counter()
        fill(path, series, chosen.days)
        rows = chosen.series * chosen.days * 1440
        note(f"{rows:,} readings in {time.perf_counter() - begun:.0f} s, "
              f"{path.stat().st_size / rows:.1f} B each")  # fmt: skip
        reader = open_readings(path, write=False)
        ask_all(reader, series, chosen.days)
        reader.close()


if __name__ == "__main__":
    main()
