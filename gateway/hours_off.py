"""Devices whose clock is steadily a whole number of hours off: local time sent as UTC.

What lies ahead goes to quarantine by itself, and is soon sure. What lies behind is stored, and
may as well be a memory that is sent late, so it must stay equally far behind for a while. A
topic stands for its device. One action sets the offset: a file that the gateway reads again
when it changes.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from disk.whole import write_whole

HOUR_MS = 3_600_000
NEAR_MS = 3 * 60_000  # a clock may also be a little wrong
HOURS = range(-12, 15)  # the zones there are
AHEAD_TIMES = 3
BEHIND_TIMES = 6
BEHIND_MS = 30 * 60_000
TOPICS_REMEMBERED = 2_000
MAX_OFFSETS = 10_000


@dataclass(frozen=True, slots=True)
class _Run:
    hours: int
    since_ms: int
    times: int


def hours_ahead(ahead_ms: int) -> int:
    """The zone that would explain it; 0 when none does."""
    hours = round(ahead_ms / HOUR_MS)
    return hours if hours in HOURS and abs(ahead_ms - hours * HOUR_MS) <= NEAR_MS else 0


class HoursOff:
    """Which topics, and by how many hours."""

    def __init__(self) -> None:
        self._runs: dict[str, _Run] = {}

    def saw(self, topic: str, ahead_ms: int, now_ms: int) -> bool:
        """A message's newest time lies so far ahead of now. True when it is sure just now."""
        hours = hours_ahead(ahead_ms)
        before = self._runs.pop(topic, None)
        if hours == 0:
            return False
        run = _Run(hours, now_ms, 1)
        if before is not None and before.hours == hours:
            run = _Run(hours, before.since_ms, before.times + 1)
        if len(self._runs) >= TOPICS_REMEMBERED:
            del self._runs[next(iter(self._runs))]
        self._runs[topic] = run
        was_sure = before is not None and before.hours == hours and _sure(before, now_ms)
        return _sure(run, now_ms) and not was_sure

    def found(self, now_ms: int) -> dict[str, int]:
        return {topic: run.hours for topic, run in list(self._runs.items()) if _sure(run, now_ms)}


def _sure(run: _Run, now_ms: int) -> bool:
    if run.hours > 0:
        return run.times >= AHEAD_TIMES
    return run.times >= BEHIND_TIMES and now_ms - run.since_ms >= BEHIND_MS


class Offsets:
    """Topic to the hours that its device's time is ahead of UTC, as somebody has set them."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._seen = 0
        self.hours: dict[str, int] = {}
        self.changed()

    def changed(self) -> set[str]:
        """Topics whose offset is another than at the last look."""
        if self._path is None:
            return set()
        try:
            seen = self._path.stat().st_mtime_ns
        except FileNotFoundError:
            seen = 0
        if seen == self._seen:
            return set()
        self._seen = seen
        before, self.hours = self.hours, read(self._path)
        return {t for t in before.keys() | self.hours.keys() if before.get(t) != self.hours.get(t)}


def read(path: Path) -> dict[str, int]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, int])
    except (FileNotFoundError, msgspec.MsgspecError, UnicodeDecodeError):
        return {}


def set_offset(path: Path, topic: str, hours: int) -> Mapping[str, int]:
    """0 takes it away. Raises ``ValueError`` for hours that no zone has."""
    if hours not in HOURS:
        raise ValueError(f"{hours}: from {HOURS[0]} to {HOURS[-1]} hours")
    offsets = {t: h for t, h in read(path).items() if t != topic}
    if hours:
        offsets[topic] = hours
    if len(offsets) > MAX_OFFSETS:
        raise ValueError(f"more than {MAX_OFFSETS} offsets")
    write_whole(path, json.dumps(offsets, ensure_ascii=False, indent=1))
    return offsets
