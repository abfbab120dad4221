"""When a notice stands in ``notices.db``, seen from outside while alerts writes it."""

import threading
import time
from collections.abc import Sequence
from pathlib import Path

import apsw

from bench.machine import figure, percentile

LOOK_EVERY_S = 0.005


class Outbox:
    """Watches the file; ``seen`` is the instant (``time.perf_counter``) of each room's first
    notice, late by 5 ms at most."""

    def __init__(self, path: Path) -> None:
        self.seen: dict[str, float] = {}
        self._path = path
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join(5)

    def _look(self) -> None:
        db = apsw.Connection(str(self._path), flags=apsw.SQLITE_OPEN_READONLY)
        db.set_busy_timeout(5_000)
        seq = 0
        while not self._stop.wait(LOOK_EVERY_S):
            rows = db.execute("SELECT seq, room FROM notices WHERE seq > ?", (seq,)).fetchall()
            for _, room in rows:
                self.seen.setdefault(room, time.perf_counter())
            seq = max((row[0] for row in rows), default=seq)
        db.close()


def waits(said: dict[str, float], outbox: Outbox, at_most_s: float = 30) -> list[float]:
    """Seconds from what was said to its notice; of all, or the figure would flatter."""
    deadline = time.monotonic() + at_most_s
    while said.keys() - outbox.seen.keys() and time.monotonic() < deadline:
        time.sleep(0.05)
    return [outbox.seen[room] - at for room, at in said.items() if room in outbox.seen]


def told(what: str, said: dict[str, float], took: Sequence[float]) -> None:
    lost = len(said) - len(took)
    if not took:
        figure(what, f"none of {lost} told in time", "p99 2 s")
        return
    figure(
        what,
        f"p50 {percentile(took, 0.5):.2f} s, p99 {percentile(took, 0.99):.2f} s,"
        f" max {max(took):.2f} s ({len(took)} rooms{f', {lost} NOT TOLD' if lost else ''})",
        "p99 2 s",
    )
