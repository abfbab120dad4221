"""How long `influx check` takes where nothing differs, by sums and point by point.

    python -m bench influx_check [--series N] [--days N] [--every S]

The follower writes a filled store into a real InfluxDB 1.6.7; each check is a process of its own.
Prints the time, the processor time of both sides and the most memory that was ever resident.
"""

import argparse
import os
import resource
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import msgspec

from bench.influx_filled import NOW_MS, filled
from bench.machine import figure, resident_mb
from ingest.followed import Followed
from ingest.influx import follower
from ingest.influx_check import check
from ingest.influx_server import connect
from ingest.settings import InfluxSettings

ROOT = Path(__file__).resolve().parents[1]


def bring(settings: InfluxSettings) -> None:
    with Followed(settings) as followed:
        one = follower(settings, connect(settings), followed, lambda: NOW_MS)
        with closing(one):
            while one.step():
                pass


def once(settings: InfluxSettings, *, points: bool) -> None:
    """In a process of its own, and the last thing that it does."""
    began_s = time.monotonic()
    report = check(settings, repair=False, now_ms=lambda: NOW_MS, points=points)
    took_s = time.monotonic() - began_s
    used = resource.getrusage(resource.RUSAGE_SELF)
    figure(
        f"influx check of {report.series:,} series x {report.days / report.series:.0f} days, "
        f"{report.readings:,} readings, {'every point' if points else 'sums of each day'}",
        f"{took_s:.1f} s; {used.ru_utime + used.ru_stime:.1f} s of its own CPU, "
        f"{resident_mb(os.getpid())[1]:.0f} MB resident at most; {len(report.differences)} days differ",
    )


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--series", type=int, default=1_000)
    asked.add_argument("--days", type=int, default=1)
    asked.add_argument("--every", type=int, default=60)
    asked.add_argument("--once", choices=["sums", "points"], help=argparse.SUPPRESS)
    asked.add_argument("--settings", help=argparse.SUPPRESS)
    options = asked.parse_args()
    if options.once:
        settings = msgspec.json.decode(options.settings, type=InfluxSettings)
        once(settings, points=options.once == "points")
        return 0
    with filled(options.series, options.days, options.every) as (_, settings):
        bring(settings)
        for way in ("sums", "points"):
            text = msgspec.json.encode(settings).decode()
            command = [sys.executable, "-m", "bench.influx_check", "--once", way]
            subprocess.run([*command, "--settings", text], cwd=ROOT, check=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
