"""A thread for each channel, so that a slow or dead one delays no other.

The queue of each is on disk, in the notices that wait for it; a thread takes a bounded page of
them at a time. A channel that takes nothing for a while, or that does not come back from a
sending, loses what waits for it to the people's next channels.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping

from alerts.keep_alive import KeepAlive
from alerts.sending import IDLE_S, PATIENCE_MS, Sender
from channels.ports import Channel

log = logging.getLogger(__name__)

STUCK_S = 60.0  # in one sending; a channel's own time-outs are shorter
JOIN_S = 10.0


class Carriers:
    """``failed`` hears of a mistake of ours, on the thread where it happened."""

    def __init__(
        self,
        sender: Sender,
        channels: Mapping[str, Channel],
        keep_alive: KeepAlive,
        now_ms: Callable[[], int],
        failed: Callable[[BaseException], None],
        stuck_s: float = STUCK_S,
    ) -> None:
        self._sender, self._now_ms, self._failed, self._stuck_s = sender, now_ms, failed, stuck_s
        self._keep_alive = keep_alive
        self._stop = threading.Event()
        self._told = {name: threading.Event() for name in channels}
        self._threads = [
            threading.Thread(
                target=self._carry, args=(name, channel), name=f"sending-{name}", daemon=True
            )
            for name, channel in channels.items()
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Something is new."""
        for told in self._told.values():
            told.set()

    def stop(self) -> None:
        """Waits for what is under way, but for nothing that hangs."""
        self._stop.set()
        self.wake()
        deadline = time.monotonic() + JOIN_S
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def look_after(self) -> int:
        """Take from channels that carry nothing what others can, and tell of silent ones; how
        many notices."""
        moved = self._keep_alive.tell()
        for name in self._told:
            began_s = self._sender.sending_since_s(name)
            if began_s is not None and time.monotonic() - began_s > self._stuck_s:
                moved += self._sender.move_on(name, f"{name} does not come back")
                continue
            failing_ms = self._sender.failing_since_ms(name)
            if failing_ms is not None and self._now_ms() - failing_ms >= PATIENCE_MS:
                moved += self._sender.move_on(name, f"{name} takes nothing")
        if moved:
            self.wake()
        return moved

    def _carry(self, name: str, channel: Channel) -> None:
        told = self._told[name]
        try:
            while not self._stop.is_set():
                told.clear()
                if not self._sender.send_due(channel, name):
                    self._keep_alive.ask(name, channel)
                    told.wait(IDLE_S)
        except BaseException as error:  # noqa: BLE001 - the main loop raises it
            self._failed(error)
