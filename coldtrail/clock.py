"""One clock for all roles. It is the machine's, unless ``[clock] start, rate`` lay a story.

A story's clock starts at ``start`` when the folder is first used and runs ``rate`` times as
fast from then on, restarts included: the instant of that first use is kept in a file.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

NowMs = Callable[[], int]


def machine_ms() -> int:
    return time.time_ns() // 1_000_000


def story(start_ms: int, rate: float, anchor_ms: int, machine: NowMs = machine_ms) -> NowMs:
    """``start_ms`` at the machine's ``anchor_ms``; whole milliseconds."""

    def now_ms() -> int:
        return start_ms + int((machine() - anchor_ms) * rate)

    return now_ms


def anchor(path: Path) -> int:
    """The machine's time at the first use of the folder; whoever comes first writes it."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        return int(path.read_text())
    with os.fdopen(fd, "w") as file:
        file.write(str(now := machine_ms()))
    return now
