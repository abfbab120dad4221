"""How the InfluxDB follower catches up when InfluxDB was away for weeks.

    python -m bench influx_backlog [--series N] [--days N] [--every S]

The store is filled first; then the follower, a process of its own with an empty cursor, writes all
of it into a real InfluxDB 1.6.7, and ``influx check`` compares. Prints the rate, the processor
time and the most memory that was ever resident.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from array import array
from pathlib import Path

import msgspec

from bench.machine import cpu_s, figure, note, resident_mb
from domain.reading import Columns, GatewayId, ProbeId, Series
from ingest.cursor import load
from ingest.influx_check import check
from ingest.settings import InfluxSettings
from store.connect import open_readings
from store.ports import AdmittedBatch, BatchId
from tests.support.influx import influxd

ROOT = Path(__file__).resolve().parents[1]
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
NOW_MS = 1_780_272_000_000 // DAY_MS * DAY_MS
_FOLLOWER = """
import sys, threading, time, msgspec
from ingest.influx import run
from ingest.settings import InfluxSettings
run(msgspec.json.decode(sys.argv[1], type=InfluxSettings),
    now_ms=lambda: time.time_ns() // 1_000_000, stop=threading.Event())
"""


def fill(path: Path, series: list[Series], days: int, every_s: int) -> int:
    """An hour of ten series a batch, as gateways drain; how many readings."""
    store = open_readings(path, write=True)
    a_time = HOUR_MS // (every_s * 1_000)
    zeros = array("H", bytes(2 * a_time))
    for hour in range(24 * days):
        start_ms = NOW_MS - days * DAY_MS + hour * HOUR_MS
        times = array("q", [start_ms + i * every_s * 1_000 for i in range(a_time)])
        counts = array("q", [400 + (i * 7 + hour) % 50 for i in range(a_time)])
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
    n = store.totals()["stored"]
    store.close()
    return n


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--series", type=int, default=100)
    asked.add_argument("--days", type=int, default=21)
    asked.add_argument("--every", type=int, default=60)
    options = asked.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        series = [
            Series(ProbeId(f"mqtt:g1:p{i:03d}"), "temperature") for i in range(options.series)
        ]
        readings = fill(folder / "readings.db", series, options.days, options.every)
        note(f"{readings:,} readings stored")
        with influxd(folder) as url:
            settings = InfluxSettings(
                readings_path=str(folder / "readings.db"),
                cursor_path=str(folder / "cursor"),
                url=url,
                kind="1",
            )
            head = 24 * options.days
            began_s = time.monotonic()
            follower = subprocess.Popen(
                [sys.executable, "-c", _FOLLOWER, msgspec.json.encode(settings).decode()], cwd=ROOT
            )
            try:
                while load(folder / "cursor").n < head:
                    if follower.poll() is not None:
                        raise RuntimeError(f"the follower ended with {follower.returncode}")
                    time.sleep(0.2)
                took_s = time.monotonic() - began_s
                used_s, (_, peak_mb) = cpu_s(follower.pid), resident_mb(follower.pid)
            finally:
                follower.kill()
                follower.wait()
            report = check(settings, repair=False, now_ms=lambda: NOW_MS)
        figure(
            f"InfluxDB away for {options.days} days of {options.series} series, then all at once",
            f"{readings:,} in {took_s:.0f} s = {readings / took_s:,.0f}/s; "
            f"{used_s / readings * 1e6:.1f} µs of the follower's CPU a reading, "
            f"{peak_mb:.0f} MB resident at most; {len(report.differences)} of {report.days} days differ",
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
