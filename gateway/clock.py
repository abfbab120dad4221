"""When is now to be trusted, and when did a message without a time arrive.

A clock is trusted because the kernel says that it is synchronised, or because the setting
says that the host's clock is looked after; never because it looks plausible.
"""

import ctypes
from pathlib import Path
from typing import Literal

from domain.reading import Series

_STA_UNSYNC = 0x0040  # linux/timex.h
_TIME_ERROR = 5
_SERIES_REMEMBERED = 4_096
SET_BACK_MS = 60_000  # well below what admission allows ahead of a trusted clock


class _Timex(ctypes.Structure):
    """struct timex of adjtimex(2), as far as ``status``; the rest is room for the answer."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


def trusted(trust: Literal["kernel", "host"]) -> bool:
    if trust == "host":
        return True
    answer = _Timex()
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(answer))
    except (OSError, AttributeError):
        return False  # a system that cannot say
    return 0 <= state != _TIME_ERROR and not answer.status & _STA_UNSYNC


def boot_id() -> str:
    """Names this boot of the machine; empty where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


class ArrivalClock:
    """Arrivals never go back and never meet within one series, until somebody sets the clock.

    A clock that is set back by more than ``SET_BACK_MS`` was wrong before: to go on from there
    would place every arrival ahead of a clock that is right now, where nothing may enter.
    """

    def __init__(self) -> None:
        self._now_ms = 0
        self._last: dict[Series, tuple[int, int]] = {}  # the run of used milliseconds

    def now(self, wall_ms: int) -> int:
        if wall_ms < self._now_ms - SET_BACK_MS:
            self._now_ms = wall_ms
            self._last.clear()
        self._now_ms = max(self._now_ms, wall_ms)
        return self._now_ms

    def free(self, series: Series, at_ms: int) -> int:
        """``at_ms``, or the next millisecond that the series has not used yet."""
        first, last = self._last.pop(series, (at_ms, at_ms - 1))
        if first <= at_ms <= last:
            at_ms = last = last + 1
        elif at_ms > last:
            first = last = at_ms
        if len(self._last) >= _SERIES_REMEMBERED:
            del self._last[next(iter(self._last))]
        self._last[series] = (first, last)
        return at_ms
