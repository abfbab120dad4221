"""A modem beside the gateway: one message at a time, on a thread of its own.

Sending takes a modem seconds, and a modem without reception for ever; nothing waits for it. What
people answer is read there as well.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from channels.gammu import GammuChannel
from channels.ports import OnReply, Outgoing, Refused, TryLater

log = logging.getLogger(__name__)

Fate = Literal["waiting", "sent", "failed"]
PAUSE_S = 5.0  # between two tries of one message
REMEMBERED = 1_000  # fates that nobody has asked for


class Modem:
    """``hand_over`` again and again is one message: its key names it. ``run`` sends."""

    def __init__(self, folder: Path, on_reply: OnReply, now_ms: Callable[[], int]) -> None:
        self._folder, self._on_reply, self._now_ms = folder, on_reply, now_ms
        self._channel: GammuChannel | None = None
        self._lock = threading.Lock()
        self._waiting: deque[Outgoing] = deque()
        self._fates: dict[str, Fate] = {}
        self._wake = threading.Event()

    def hand_over(self, message: Outgoing) -> None:
        with self._lock:
            if message.key in self._fates:
                return
            self._fates[message.key] = "waiting"
            self._waiting.append(message)
        self._wake.set()

    def fate(self, key: str) -> Fate | None:
        """None: it was never handed over, in this life."""
        with self._lock:
            return self._fates.get(key)

    def take_back(self, key: str) -> bool:
        """True when it will not be sent any more. False: it was, or is being sent."""
        with self._lock:
            for message in self._waiting:
                if message.key == key:
                    self._waiting.remove(message)
                    break
            else:
                return self._fates.get(key) is None
            if self._channel is not None and not self._channel.take_back(key):
                self._waiting.append(message)  # the modem has it; the next try says what came of it
                return False
            del self._fates[key]
            return True

    def run(self, stop: threading.Event) -> None:
        self._channel = GammuChannel(self._folder, on_reply=self._on_reply, now_ms=self._now_ms)
        try:
            while not stop.is_set():
                with self._lock:
                    message = self._waiting.popleft() if self._waiting else None
                if message is None:
                    self._wake.wait(0.5)
                    self._wake.clear()
                elif not self._send(self._channel, message):
                    stop.wait(PAUSE_S)
        finally:
            self._channel.close()

    def _send(self, channel: GammuChannel, message: Outgoing) -> bool:
        fate: Fate = "sent"
        try:
            channel.send(message)
        except TryLater as error:
            log.warning("the modem has not sent yet", extra={"error": str(error)})
            with self._lock:
                self._waiting.append(message)
            return False
        except Refused as error:
            log.error("the modem did not send", extra={"error": str(error)})  # noqa: TRY400
            fate = "failed"
        with self._lock:
            self._fates[message.key] = fate
            while len(self._fates) > REMEMBERED:
                del self._fates[next(iter(self._fates))]
        return True
