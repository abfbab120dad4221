"""How the InfluxDB follower catches up when InfluxDB was away for weeks.

    python -m bench influx_backlog [--series N] [--days N] [--every S]

The store is filled first; then the follower, a process of its own with an empty cursor, writes all
of it into a real InfluxDB 1.6.7, and ``influx check`` compares. Prints the rate, the processor
time and the most memory that was ever resident.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from bench.influx_filled import NOW_MS, filled
from bench.machine import cpu_s, figure, resident_mb
from ingest.cursor import load
from ingest.influx_check import check

ROOT = Path(__file__).resolve().parents[1]
_FOLLOWER = """
import sys, threading, time, msgspec
from ingest.influx import run
from ingest.settings import InfluxSettings
run(msgspec.json.decode(sys.argv[1], type=InfluxSettings),
    now_ms=lambda: time.time_ns() // 1_000_000, stop=threading.Event())
"""


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--series", type=int, default=100)
    asked.add_argument("--days", type=int, default=21)
    asked.add_argument("--every", type=int, default=60)
    options = asked.parse_args()
    with filled(options.series, options.days, options.every) as (readings, settings):
        head = 24 * options.days
        began_s = time.monotonic()
        follower = subprocess.Popen(
            [sys.executable, "-c", _FOLLOWER, msgspec.json.encode(settings).decode()], cwd=ROOT
        )
        try:
            while load(Path(settings.cursor_path)).n < head:
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
