"""Controllers that speak Modbus and nothing else: asked, at their interval.

One thread a line, because a serial line carries one question at a time; a controller that
does not answer is asked less and less often, and its neighbours on the line as before. What
was read takes the same way as a device's message, into the outbox. While there is no room
there, the last readings are held here, with their age, and handed in once there is.
"""

import json
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable
from decimal import Decimal
from itertools import groupby
from time import monotonic
from typing import Protocol

from gateway.modbus_map import Device, Line, Register, line, value_of
from gateway.receive import Outcome

log = logging.getLogger(__name__)

LONGEST_PAUSE_S = 300.0
HELD_MESSAGES = 1_000

HandIn = Callable[[str, bytes], Outcome | None]


class NoAnswer(Exception):
    """The controller, or the way to it, did not answer; worth another try."""


class Refused(Exception):
    """The controller answered that it does not have this register, or cannot read it now."""


class Asked(Protocol):
    """One line, open. Both raise ``NoAnswer`` and ``Refused``."""

    def words(self, unit: int, register: Register) -> list[int]: ...

    def bit(self, unit: int, register: Register) -> bool: ...

    def close(self) -> None: ...


class Poller:
    """All devices of one line."""

    def __init__(
        self,
        devices: Iterable[Device],
        open_line: Callable[[Line, float], Asked],
        hand_in: HandIn,
        stop: threading.Event,
        now_s: Callable[[], float] = monotonic,
    ) -> None:
        self._devices = list(devices)
        self._line = line(self._devices[0].url)
        self._open = open_line
        self._hand_in = hand_in
        self._stop = stop
        self._now_s = now_s
        self._due_s = {device.name: now_s() for device in self._devices}
        self._failures = {device.name: 0 for device in self._devices}
        self._held: deque[tuple[float, str, list[tuple[str, Decimal]]]] = deque(
            maxlen=HELD_MESSAGES
        )
        self._asked: Asked | None = None
        self._refused: set[str] = set()

    def run(self) -> None:
        """Until ``stop``."""
        while not self._stop.wait(self.turn()):
            pass
        self._close()

    def turn(self) -> float:
        """Ask whoever is due; seconds until somebody is due again."""
        for device in self._devices:
            if self._stop.is_set():
                break
            if self._now_s() >= self._due_s[device.name]:
                self._ask(device)
        self._hand_over()
        until_s = min(self._due_s.values()) - self._now_s()
        return min(max(until_s, 0.05), 5.0 if self._held else 60.0)

    def _ask(self, device: Device) -> None:
        began_s = self._now_s()
        try:
            values = self._read(device)
        except NoAnswer as error:
            self._close()
            failures = self._failures[device.name] = self._failures[device.name] + 1
            pause_s = min(device.every_s * 2.0 ** min(failures - 1, 9), LONGEST_PAUSE_S)
            pause_s = max(pause_s, device.every_s)
            self._due_s[device.name] = began_s + pause_s
            log.warning(
                "a controller does not answer",
                extra={"device": device.name, "retry_in_s": pause_s, "error": str(error)},
            )
            return
        if self._failures[device.name]:
            log.info("a controller answers again", extra={"device": device.name})
            self._failures[device.name] = 0
        self._due_s[device.name] = max(self._due_s[device.name] + device.every_s, began_s)
        if values:
            self._held.append((began_s, device.name, values))

    def _read(self, device: Device) -> list[tuple[str, Decimal]]:
        if self._asked is None:
            self._asked = self._open(self._line, device.timeout_s)
        values = []
        for register in device.register:
            where = f"{device.name} {register.table} {register.address}"
            try:
                raw = self._raw(self._asked, device.unit, register)
            except Refused as error:
                if where not in self._refused:
                    log.warning("a register is refused", extra={"of": where, "error": str(error)})
                self._refused.add(where)
                continue
            self._refused.discard(where)
            value = value_of(register, raw)
            if value is not None:
                name = (
                    f"{register.part}/{register.quantity}" if register.part else register.quantity
                )
                values.append((name, value))
        return values

    @staticmethod
    def _raw(asked: Asked, unit: int, register: Register) -> list[int] | bool:
        return asked.bit(unit, register) if register.is_bit else asked.words(unit, register)

    def _hand_over(self) -> None:
        while self._held and not self._stop.is_set():
            read_at_s, name, values = self._held[0]
            age_s = max(self._now_s() - read_at_s, 0.0)
            outcome = self._hand_in(f"devices/{name}/readings", _pack(values, age_s))
            if outcome is None:
                return  # no room: later
            if outcome.reason:
                log.warning("not kept", extra={"device": name, "reason": outcome.reason})
            self._held.popleft()

    def _close(self) -> None:
        if self._asked is not None:
            self._asked.close()
            self._asked = None


def pollers(
    devices: Iterable[Device],
    hand_in: HandIn,
    stop: threading.Event,
    open_line: Callable[[Line, float], Asked],
) -> list[Poller]:
    by_line = groupby(sorted(devices, key=lambda d: d.url), key=lambda d: d.url)
    return [Poller(group, open_line, hand_in, stop) for _, group in by_line]


def _pack(values: list[tuple[str, Decimal]], age_s: float) -> bytes:
    """SenML; numbers as they are, the time relative to now."""
    records = (
        f'{{"n":{json.dumps(name)},"v":{value:f},"t":{-age_s:.3f}}}' for name, value in values
    )
    return f"[{','.join(records)}]".encode()
