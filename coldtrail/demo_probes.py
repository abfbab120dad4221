"""The demo's probes: two weeks of memory first, then life; and an account of every reading.

One connection per gateway, as the probes of that gateway. What is counted as sent is what
an edge broker acknowledged; ``Account`` knows each key, so that the end can be compared
reading by reading.
"""

import signal
import threading
import time
from array import array
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context

from firmware_sim.device import Pack, Reading, transmissions
from firmware_sim.publish import Balance, Publisher
from firmware_sim.senml import encode, stamp_ms

from coldtrail import county
from coldtrail.county import ColdRoom
from coldtrail.settings import Edge
from domain.reading import ProbeId, Series

MEMORY_PACK_S = 86_400.0
STEP_S = 60.0
IN_MEMORY = 300  # packs said and not acknowledged before the next is encoded

History = dict[str, "Future[list[Pack]]"]  # by room


class Forecast:
    """Every room's readings, worked out by processes of their own while the roles start."""

    def __init__(self, from_min: float, to_min: float, start_hour: float) -> None:
        self.from_min = from_min
        self._pool = ProcessPoolExecutor(
            2, mp_context=get_context("spawn"), initializer=_deaf_to_ctrl_c
        )
        self.rooms: History = {
            room.id: self._pool.submit(_story, room, from_min, to_min, start_hour)
            for room in county.ROOMS
        }

    def unfinished(self) -> int:
        """Rooms still being worked out."""
        return sum(not future.done() for future in self.rooms.values())

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)


def _deaf_to_ctrl_c() -> None:
    """The terminal sends it to everybody; the demo alone decides what it means."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _story(room: ColdRoom, from_min: float, to_min: float, start_hour: float) -> list[Pack]:
    scenario = county.scenario(
        room, from_min=from_min, to_min=to_min, start_hour=start_hour, step_s=STEP_S
    )
    return list(transmissions(scenario))


def remembered(packs: Iterable[Pack], cuts_s: Iterable[float]) -> Iterator[Pack]:
    """A probe's memory: packs of up to a day, oldest first, none across a cut. ``at_s`` is the
    last reading's."""
    cuts = sorted(cuts_s)
    kept: list[Reading] = []
    first_s, last_s, device, number = 0.0, 0.0, "", 0
    for pack in packs:
        crossed = any(first_s < cut <= pack.at_s for cut in cuts)
        if kept and (crossed or pack.at_s - first_s >= MEMORY_PACK_S):
            number -= 1
            yield Pack(last_s, device, number, tuple(kept))
            kept = []
        if not kept:
            first_s = pack.at_s
        kept += pack.readings
        last_s, device = pack.at_s, pack.device
    if kept:
        yield Pack(last_s, device, number - 1, tuple(kept))


@dataclass(slots=True)
class Account:
    """Keys said by one gateway's probes: series to instants in ms."""

    keys: "dict[Series, array[int]]" = field(default_factory=dict)

    def add(self, probe: ProbeId, pack: Pack, start_ms: int) -> None:
        for reading in pack.readings:
            at_ms = stamp_ms(start_ms, reading.device_s or 0.0)
            self.keys.setdefault(Series(probe, reading.quantity), array("q")).append(at_ms)


class GatewayProbes:
    """All probes behind one gateway. ``loaded`` is set when the history up to the hold has been
    acknowledged; ``release`` lets the rest of the history and the present go on."""

    def __init__(self, edge: Edge, forecast: Forecast, hold_min: float | None = None) -> None:
        self.gateway = edge.gateway.id
        self.account = Account()
        self.loaded = threading.Event()
        self.release = threading.Event()
        if hold_min is None:
            self.release.set()
        self._hold_s = None if hold_min is None else (hold_min - forecast.from_min) * 60
        self._forecast = forecast
        self._stop = threading.Event()
        self._start_ms = 0
        password = (edge.keys / "installer.password").read_text().strip()
        self.publisher = Publisher(
            edge.mqtt_url, f"demo-{self.gateway}", "installer", password, patient=True
        )
        self._thread = threading.Thread(target=self._run, name=f"probes-{self.gateway}")

    def start(self, zero_ms: int) -> None:
        """``zero_ms``: the story's minute 0."""
        self._start_ms = zero_ms + round(self._forecast.from_min * county.MINUTE_MS)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def balance(self) -> Balance:
        return self.publisher.balance()

    def _run(self) -> None:
        zero_s = -self._forecast.from_min * 60
        rooms = [room for room in county.ROOMS if county.gateway_of(room) == self.gateway]
        past: list[Pack] = []
        live: list[Pack] = []
        for room in rooms:
            before, after = self._split(room, zero_s)
            live += after
            past += before
            if self._stop.is_set():
                return
        past.sort(key=lambda pack: pack.at_s)
        held = [p for p in past if self._hold_s is not None and p.at_s >= self._hold_s]
        self._say(past[: len(past) - len(held)])
        self._drain()
        self.loaded.set()
        while not self._stop.is_set() and not self.release.wait(0.2):
            pass
        self._say(held)
        self._live(sorted(live, key=lambda pack: pack.at_s))

    def _split(self, room: ColdRoom, zero_s: float) -> tuple[list[Pack], list[Pack]]:
        packs = self._forecast.rooms.pop(room.id).result()
        cuts = [] if self._hold_s is None else [self._hold_s]
        past: list[Pack] = []
        for device in county.probes(room):
            own = (p for p in packs if p.device == device and p.at_s < zero_s)
            past += remembered(own, cuts)
        return past, [p for p in packs if p.at_s >= zero_s]

    def _live(self, packs: list[Pack]) -> None:
        for pack in packs:
            due_ms = self._start_ms + pack.at_s * 1000
            while not self._stop.is_set() and (wait_s := due_ms / 1000 - time.time()) > 0:
                self._stop.wait(min(wait_s, 1.0))
            if self._stop.is_set():
                return
            self._say([pack])

    def _say(self, packs: Iterable[Pack]) -> None:
        for pack in packs:
            while not self.publisher.room_for(IN_MEMORY, 0.5):
                if self._stop.is_set():
                    return
            payload = encode(pack, self._start_ms)
            name = f"{pack.device}/{pack.number}"
            self.account.add(ProbeId(f"mqtt:{self.gateway}:{pack.device}"), pack, self._start_ms)
            self.publisher.say(pack.device, name, len(pack.readings), payload)

    def _drain(self) -> None:
        while not self.publisher.drain(0.5):
            if self._stop.is_set():
                return
