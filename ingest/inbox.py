"""Messages between the broker's threads and the one writer: bounded, live ones first.

When a lane is full its broker thread waits, and with it the broker: what is not
acknowledged is sent again. Statuses replace one another, so that lane needs no more than
one place a gateway.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Lane = Literal["status", "live", "backlog"]
LANES: tuple[Lane, ...] = ("status", "live", "backlog")

# Messages. The live lane waits while a backlog group is stored: 25 full batches take some 50 ms.
LARGEST_GROUP: dict[Lane, int] = {"status": 1_000, "live": 400, "backlog": 25}
HELD_BYTES = 64 << 20  # a lane; above it the broker waits
IDLE_S = 0.005  # a group closes when nothing came for so long


@dataclass(frozen=True, slots=True)
class Message:
    """``acknowledge`` is called once, after the message's fate is on disk. ``retained``: the
    broker kept it from before, so it says nothing of now."""

    topic: str
    payload: bytes
    acknowledge: Callable[[], None]
    retained: bool = False


class Inbox:
    def __init__(self, group_s: float) -> None:
        self._group_s = group_s
        self._changed = threading.Condition()
        self._lanes: dict[Lane, deque[Message]] = {lane: deque() for lane in LANES}
        self._bytes: dict[Lane, int] = dict.fromkeys(LANES, 0)
        self._closed = False
        self._refusing = False

    def put(self, lane: Lane, message: Message) -> None:
        """Waits while the lane is full; while refusing, and after ``close``, the message is dropped
        unacknowledged."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._closed or self._refusing or self._bytes[lane] < HELD_BYTES
            )
            if self._closed or self._refusing:
                return
            self._lanes[lane].append(message)
            self._bytes[lane] += len(message.payload)
            self._changed.notify_all()

    def take(self, timeout_s: float) -> tuple[Lane, list[Message]] | None:
        """The next group, or None when nothing came in time.

        A live group is left open while messages keep coming, up to the group's time; a
        backlog group is kept small, because the live lane waits for its end.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: any(self._lanes.values()), timeout_s):
                return None
            self._linger()
            lane = next(lane for lane in LANES if self._lanes[lane])
            waiting = self._lanes[lane]
            group = [waiting.popleft() for _ in range(min(len(waiting), LARGEST_GROUP[lane]))]
            self._bytes[lane] -= sum(len(message.payload) for message in group)
            self._changed.notify_all()
        return lane, group

    def _linger(self) -> None:
        live = self._lanes["live"]
        deadline = time.monotonic() + self._group_s
        while len(live) < LARGEST_GROUP["live"] and not self._closed:
            before = sum(len(waiting) for waiting in self._lanes.values())
            left = deadline - time.monotonic()
            if left <= 0:
                return
            self._changed.wait(min(IDLE_S, left))
            if sum(len(waiting) for waiting in self._lanes.values()) == before:
                return

    def refuse(self, *, refusing: bool) -> None:
        """While refusing nothing is held, and nobody waits."""
        with self._changed:
            self._refusing = refusing
            for lane, waiting in self._lanes.items():
                waiting.clear()
                self._bytes[lane] = 0
            self._changed.notify_all()

    def close(self) -> None:
        """Lets go of everybody who waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
