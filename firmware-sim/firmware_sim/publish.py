"""Packs out over MQTT as a device sends them: QoS 1, a persistent session, and a memory that
forgets a pack only when the broker has acknowledged it.

``Publisher`` may be used by itself: ``say`` keeps a pack and returns, a thread of the MQTT
client does the rest and reconnects for as long as it takes.
"""

import json
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from disk.whole import write_whole
from firmware_sim.device import Pack
from firmware_sim.memory import Kept, Memory
from firmware_sim.senml import encode

log = logging.getLogger(__name__)

WINDOW = 50  # packs handed to the client and not acknowledged
MEMORY_PACKS = 20_000


@dataclass(frozen=True, slots=True)
class Balance:
    """``sent`` counts every pack said, duplicates too. ``distinct`` counts readings of which at
    least one copy was acknowledged. ``waiting`` is in memory still; ``given_up`` was pushed out."""

    packs_sent: int = 0
    readings_sent: int = 0
    packs_acknowledged: int = 0
    readings_acknowledged: int = 0
    distinct: int = 0
    waiting: int = 0
    given_up: int = 0

    def line(self) -> str:
        return (
            f"sent {self.packs_sent} packs, {self.readings_sent} readings; "
            f"acknowledged {self.packs_acknowledged} packs, {self.readings_acknowledged} readings; "
            f"distinct {self.distinct}; waiting {self.waiting}; given up {self.given_up}"
        )


@dataclass(frozen=True, slots=True)
class _Said:
    number: int  # in the memory


@dataclass(frozen=True, slots=True)
class _Thanked:
    mid: int


class Unreachable(Exception):
    """The address or the credentials are wrong: trying again will not help."""


class Publisher:
    """Devices that share one connection. Close it, or use it in a ``with``.

    The MQTT client calls back with its own lock held, so a callback only puts a number on a
    queue; one thread hands packs to the client and takes the acknowledgements.
    """

    def __init__(
        self,
        url: str,
        client_id: str,
        username: str | None = None,
        password: str | None = None,
        *,
        memory: Memory | None = None,
        patient: bool = False,
    ) -> None:
        """``patient``: go on trying when the broker refuses the credentials, because it may know
        them later. ``connected`` is set at the first connection."""
        at = urlsplit(url)
        if at.scheme != "mqtt" or not at.hostname:
            raise Unreachable(f"{url!r} is not mqtt://host:port")
        self._memory = Memory(MEMORY_PACKS) if memory is None else memory
        self._changed = threading.Condition()  # guards memory, counts and refused
        self._events: SimpleQueue[_Said | _Thanked | None] = SimpleQueue()
        self._to_send: deque[int] = deque(self._memory.numbers())
        self._in_flight: dict[int, int] = {}  # MQTT's message id to the memory's number
        self._contents: set[str] = set()
        self._counts = Balance()
        self._refused: str | None = None
        self._patient = patient
        self.connected = threading.Event()
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=False
        )
        if username is not None:
            self._client.username_pw_set(username, password)
        self._client.max_inflight_messages_set(WINDOW)
        self._client.reconnect_delay_set(1, 10)
        self._client.on_publish = self._on_publish
        self._client.on_connect = self._on_connect
        self._client.connect_async(at.hostname, at.port or 1883, keepalive=30)
        self._client.loop_start()
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
        self._thread.start()

    def __enter__(self) -> "Publisher":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def say(self, device: str, content: str, readings: int, payload: bytes) -> None:
        """Keep one pack and send it. ``content`` names its readings, the same for a repeat."""
        kept = Kept(f"devices/{device}/readings", content, readings, payload)
        with self._changed:
            if self._refused:
                raise Unreachable(self._refused)
            number = self._memory.keep(kept)
            self._counts = replace(
                self._counts,
                packs_sent=self._counts.packs_sent + 1,
                readings_sent=self._counts.readings_sent + readings,
            )
        self._events.put(_Said(number))

    def balance(self) -> Balance:
        with self._changed:
            return replace(self._counts, waiting=len(self._memory), given_up=self._memory.given_up)

    def drain(self, timeout_s: float) -> bool:
        """Wait until everything said has been acknowledged; False when time ran out."""
        return self.room_for(0, timeout_s)

    def room_for(self, packs: int, timeout_s: float) -> bool:
        """Wait until at most ``packs`` are unacknowledged, so that a fast story fills no memory."""
        with self._changed:
            done = self._changed.wait_for(
                lambda: len(self._memory) <= packs or self._refused is not None, timeout_s
            )
            if self._refused is not None:
                raise Unreachable(self._refused)
            return done

    def close(self) -> None:
        """What is not acknowledged stays in the memory."""
        self._events.put(None)
        self._thread.join()
        self._client.disconnect()
        self._client.loop_stop()

    def _run(self) -> None:
        self._fill_window()
        while (event := self._events.get()) is not None:
            if isinstance(event, _Said):
                self._to_send.append(event.number)
            else:
                self._thanked(event.mid)
            self._fill_window()

    def _fill_window(self) -> None:
        while self._to_send and len(self._in_flight) < WINDOW:
            number = self._to_send.popleft()
            with self._changed:
                kept = self._memory.get(number)
            if kept is None:  # given up meanwhile
                continue
            info = self._client.publish(kept.topic, kept.payload, qos=1)
            self._in_flight[info.mid] = number

    def _thanked(self, mid: int) -> None:
        number = self._in_flight.pop(mid, None)
        if number is None:
            return
        with self._changed:
            kept = self._memory.get(number)
            if kept is not None:
                first = kept.content not in self._contents
                self._contents.add(kept.content)
                self._memory.forget(number)
                counts = self._counts
                self._counts = replace(
                    counts,
                    packs_acknowledged=counts.packs_acknowledged + 1,
                    readings_acknowledged=counts.readings_acknowledged + kept.readings,
                    distinct=counts.distinct + (kept.readings if first else 0),
                )
            self._changed.notify_all()

    def _on_publish(
        self,
        _client: mqtt.Client,
        _userdata: object,
        mid: int,
        _reason: ReasonCode,
        _properties: Properties,
    ) -> None:
        self._events.put(_Thanked(mid))

    def _on_connect(
        self,
        _client: mqtt.Client,
        _userdata: object,
        _flags: mqtt.ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if not reason.is_failure:
            self.connected.set()
        elif not self._patient:
            log.warning("broker refused the devices", extra={"reason": str(reason)})
            if str(reason) in ("Not authorized", "Bad user name or password"):
                with self._changed:
                    self._refused = f"the broker refuses these credentials: {reason}"
                    self._changed.notify_all()


def play(
    packs: Iterable[Pack],
    publisher: Publisher,
    *,
    start_ms: int,
    speed: float,
    now_s: Callable[[], float],
    stop: threading.Event,
    namespace: str = "",
    count_file: Path | None = None,
) -> None:
    """Say each pack when its time has come; ``now_s`` is monotonic. Returns at the end of the
    story or soon after ``stop``. ``speed`` 0 does not wait at all."""
    began_s = now_s()
    counted_s = began_s
    for pack in packs:
        if speed > 0:
            while not stop.is_set() and (wait_s := began_s + pack.at_s / speed - now_s()) > 0:
                stop.wait(min(wait_s, 1.0))
                counted_s = _count(publisher, count_file, now_s(), counted_s)
        while not stop.is_set() and not publisher.room_for(MEMORY_PACKS // 2, 1.0):
            pass
        if stop.is_set():
            return
        publisher.say(
            pack.device,
            f"{namespace}{pack.device}/{pack.number}",
            len(pack.readings),
            encode(pack, start_ms),
        )
        counted_s = _count(publisher, count_file, now_s(), counted_s)


def _count(publisher: Publisher, file: Path | None, now_s: float, counted_s: float) -> float:
    if file is None or now_s - counted_s < 1:
        return counted_s
    write_count(publisher.balance(), file)
    return now_s


def write_count(balance: Balance, file: Path) -> None:
    """Whole or not at all: somebody may read it at any moment."""
    write_whole(file, json.dumps(asdict(balance)) + "\n", sync=False)
