"""Every figure, one bench after the other; or one of them, by its name.

    python -m bench [NAME [options of that bench]]
    python -m bench NAME --help

Each runs in a process of its own, after the machine has had a moment to grow quiet, and the
load is printed before it. All of them take about a quarter of an hour, most of it waiting.
"""

import subprocess
import sys
from pathlib import Path

from bench.machine import describe, load, settle

ROOT = Path(__file__).resolve().parents[1]

BENCHES: dict[str, list[str]] = {
    "ingest_store": ["--readings", "600000"],
    "ingest_pipeline": ["--batches", "2000", "--broker", "mosquitto"],
    "peer_influx": [],
    "influx_backlog": ["--every", "300"],  # three weeks of a reading every 5 min
    "influx_check": [],
    "notice_latency": [],
    "county_outage": ["--hours", "24", "--told", "120"],  # a third; 72 hours when asked by name
    "late_reading": [],
    "gateway_box": ["--minutes", "5"],
    "gateway_alone": [],
    "store_queries": [],
    "web_requests": [],
    "normal_operation": ["--room-months", "14"],  # a sample; 365 when asked by name
    "failures": ["--failures", "28"],  # a sample; 500 when asked by name
}
BY_NAME = {"after_tuning"}  # hours of work


def main(arguments: list[str]) -> int:
    names = f"there are: {', '.join(BENCHES)}; only by name: {', '.join(sorted(BY_NAME))}"
    if arguments and arguments[0] in ("--help", "-h"):
        print(f"{__doc__}\n{names}")
        return 0
    if arguments and arguments[0] not in BENCHES.keys() | BY_NAME:
        print(f"no bench {arguments[0]!r}; {names}", file=sys.stderr)
        return 2
    print(describe())
    wanted = {arguments[0]: arguments[1:]} if arguments else BENCHES
    failed = []
    for name, options in wanted.items():
        settle()
        print(f"\n{name} ({load()})", flush=True)
        done = subprocess.run(
            [sys.executable, "-m", f"bench.{name}", *options], cwd=ROOT, check=False
        )
        if done.returncode:
            failed.append(name)
    if failed:
        print(f"\nwithout a figure: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
