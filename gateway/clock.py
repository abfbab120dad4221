"""When is now to be trusted, and when did a message without a time arrive.

A clock is trusted because the kernel says that it is synchronised, or because the setting
says that the host's clock is looked after; never because it looks plausible.
"""

import ctypes
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from domain.reading import Series
from wire.batch_v1 import Clock

_STA_UNSYNC = 0x0040  # linux/timex.h
_TIME_ERROR = 5
_SERIES_REMEMBERED = 4_096
_ARRIVALS_REMEMBERED = 8_192  # 2 MB
STEP_MS = 2_000  # a clock that moves by more against the machine's own has been set
LOOKS, LOOK_MS = 20, 20  # how often both clocks are looked at until one look is quick
MOST_STEPS = 50  # that wait to be reported
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
    """Names this boot of the machine; where the system does not say, this process alone."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return f"process-{os.urandom(8).hex()}"


def since_boot_ms(rate: float = 1.0) -> int:
    """Of this machine, sleep included; nobody can set it. ``rate``: of a story's clock."""
    return int(time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000 * rate)


@dataclass(frozen=True, slots=True)
class Step:
    """Somebody set the clock: it showed ``by_ms`` more (or less) than before, at ``at_ms``."""

    at_ms: int
    by_ms: int


class BootClock:
    """The wall clock beside the time since the machine's start. Any thread.

    What turns the one into the other is fixed when the wall clock is first trusted in a boot and
    never changes within it: ``keep`` has put it on disk before anybody hears of it, so that what
    is dated by it has one date, whoever works it out.
    """

    def __init__(
        self,
        *,
        boot: str,
        now_ms: Callable[[], int],
        since_boot_ms: Callable[[], int],
        trusted: Callable[[], bool],
        offset: int | None,
        keep: Callable[[str, int, int], bool],
        rate: float = 1.0,
    ) -> None:
        self._rate = max(rate, 1.0)  # of a story's clock, which turns a pause of ours into hours
        self._boot, self._now_ms, self._since_boot_ms = boot, now_ms, since_boot_ms
        self._trusted, self._offset, self._keep = trusted, offset, keep
        self._lock = threading.Lock()
        self._between_ms = self._both()[1]
        self._steps: deque[Step] = deque(maxlen=MOST_STEPS)
        self.last_step: Step | None = None

    @property
    def boot(self) -> str:
        return self._boot

    def since_boot_ms(self) -> int:
        return self._since_boot_ms()

    def now(self) -> Clock:
        """What may be said of the clock at this moment; notices when it was set."""
        with self._lock:
            now_ms, between_ms = self._both()
            if abs(between_ms - self._between_ms) > STEP_MS * self._rate:
                self.last_step = Step(now_ms, between_ms - self._between_ms)
                self._steps.append(self.last_step)
            self._between_ms = between_ms
            trusted = self._trusted()
            if trusted and self._offset is None and self._keep(self._boot, between_ms, now_ms):
                self._offset = between_ms
            return Clock(trusted, self._offset, self._boot)

    def _both(self) -> tuple[int, int]:
        """The wall clock, and how far it is from the time since boot. Looked at again when the
        process was held up in between, which would look like a clock that was set."""
        looks = 0
        while True:
            before_ms, now_ms, after_ms = (
                self._since_boot_ms(),
                self._now_ms(),
                self._since_boot_ms(),
            )
            looks += 1
            if looks == LOOKS or after_ms - before_ms <= LOOK_MS * self._rate:
                return now_ms, now_ms - before_ms

    def take_step(self) -> Step | None:
        """The oldest that nobody has reported yet."""
        with self._lock:
            return self._steps.popleft() if self._steps else None

    def give_back(self, step: Step) -> None:
        """It could not be reported now."""
        with self._lock:
            self._steps.appendleft(step)


class ArrivalClock:
    """Arrivals never go back and never meet within one series, until somebody sets the clock.

    A clock that is set back by more than ``SET_BACK_MS`` was wrong before: to go on from there
    would place every arrival ahead of a clock that is right now, where nothing may enter.
    """

    def __init__(self) -> None:
        self._now_ms = 0
        self._last: dict[Series, tuple[int, int]] = {}  # the run of used milliseconds
        self._used: dict[
            tuple[Series, int], None
        ] = {}  # the newest: a clock may be set back to them

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
        while (series, at_ms) in self._used:
            at_ms = last = at_ms + 1
        if len(self._last) >= _SERIES_REMEMBERED:
            del self._last[next(iter(self._last))]
        if len(self._used) >= _ARRIVALS_REMEMBERED:
            del self._used[next(iter(self._used))]
        self._last[series] = (first, last)
        self._used[series, at_ms] = None
        return at_ms
