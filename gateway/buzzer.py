"""A relay, siren or lamp, switched by a command of the operator's own.

    COMMAND ROOM CODE LEVEL on|off

It runs without a shell, one at a time, for a bounded time, on a thread of its own, so nothing
ever waits for it. What fails is tried again while it is still wanted.
"""

import contextlib
import logging
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from time import monotonic

from gateway.telling import Ring

log = logging.getLogger(__name__)

LONGEST_S = 10.0
RETRY_S = 30.0


class Buzzer:
    """``want`` says how it should be; ``run`` makes it so, until ``stop``."""

    def __init__(
        self,
        command: Sequence[str],
        rung: Mapping[str, Ring],
        on_changed: Callable[[dict[str, Ring]], None],
        *,
        longest_s: float = LONGEST_S,
        retry_s: float = RETRY_S,
    ) -> None:
        self._command = list(command)
        self._rung = dict(rung)
        self._on_changed = on_changed
        self._longest_s, self._retry_s = longest_s, retry_s
        self._wanted: dict[str, Ring] = dict(rung)
        self._not_before_s: dict[str, float] = {}
        self._changed = threading.Condition()

    def want(self, ringing: Mapping[str, Ring]) -> None:
        with self._changed:
            if self._wanted != ringing:
                self._wanted = dict(ringing)
                self._not_before_s.clear()
                self._changed.notify_all()

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            with self._changed:
                room = self._next()
                if room is None:
                    self._changed.wait(0.5)
                    continue
                wanted, rung = self._wanted.get(room), self._rung.get(room)
            if self._switch(room, wanted, rung):
                if wanted is None:
                    del self._rung[room]
                else:
                    self._rung[room] = wanted
                self._on_changed(dict(self._rung))
            else:
                with self._changed:
                    self._not_before_s[room] = monotonic() + self._retry_s

    def _next(self) -> str | None:
        at_s = monotonic()
        for room in sorted({*self._wanted, *self._rung}):
            differs = self._wanted.get(room) != self._rung.get(room)
            if differs and self._not_before_s.get(room, 0.0) <= at_s:
                return room
        return None

    def _switch(self, room: str, wanted: Ring | None, rung: Ring | None) -> bool:
        ring = wanted or rung
        if ring is None:
            return True
        said = [room, ring.code, ring.level, "on" if wanted else "off"]
        try:
            process = subprocess.Popen(  # noqa: S603 - the operator's own command, no shell
                [*self._command, *said],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            log.error("the alarm command cannot be run", extra={"error": str(error)})  # noqa: TRY400
            return False
        try:
            code = process.wait(self._longest_s)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # and what it has started
            process.wait()
            log.error("the alarm command took too long", extra={"room": room})  # noqa: TRY400
            return False
        if code:
            log.error("the alarm command failed", extra={"room": room, "exit": code})
        return code == 0
