"""The machine that a figure was measured on, and one line a figure.

A figure without its machine and its load says nothing, so both are printed with it.
"""

import os
import platform
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import apsw

BUSY = 2.0  # load average from which a figure says more about the neighbours


def describe() -> str:
    model = _line("/proc/cpuinfo", "model name") or platform.processor() or platform.machine()
    memory_kb = int((_line("/proc/meminfo", "MemTotal") or "0 kB").split()[0])
    return (
        f"{model}, {os.cpu_count()} cores, {memory_kb / 1e6:.0f} GB, {_disk()}; "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}, "
        f"SQLite {apsw.sqlite_lib_version()}"
    )


def load() -> str:
    return f"load {os.getloadavg()[0]:.1f}"


def settle(below: float = BUSY, at_most_s: float = 60) -> None:
    """Wait for a quieter machine, but not for ever: the load is printed with the figures."""
    deadline = time.monotonic() + at_most_s
    while os.getloadavg()[0] > below and time.monotonic() < deadline:
        time.sleep(1)


def figure(what: str, measured: str, goal: str = "") -> None:
    print(f"| {what} | {goal or '—'} | {measured} |", flush=True)


def note(text: str) -> None:
    print(f"  {text}", flush=True)


def cpu_s(pid: int) -> float:
    """User and system time that the process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def written_bytes(pid: int) -> int:
    """What the process caused to be written to the disk."""
    return int(_line(f"/proc/{pid}/io", "write_bytes") or 0)


def resident_mb(pid: int) -> tuple[float, float]:
    """(now, at most so far)."""
    path = f"/proc/{pid}/status"
    now, peak = (_line(path, name) or "0 kB" for name in ("VmRSS", "VmHWM"))
    return int(now.split()[0]) / 1024, int(peak.split()[0]) / 1024


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of all values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]


def _line(path: str, name: str) -> str | None:
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return None
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(name)), None)


def _disk() -> str:
    """The device and file system under the folder that the benches write into."""
    where = Path(tempfile.gettempdir()).stat()
    major, minor = os.major(where.st_dev), os.minor(where.st_dev)
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        if fields[2] == f"{major}:{minor}":
            kind, device = line.split(" - ", 1)[1].split()[:2]
            return f"{device} ({kind})"
    return "unknown disk"
