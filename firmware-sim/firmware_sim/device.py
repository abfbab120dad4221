"""What each device measures and when, and what its radio makes of it.

``transmissions`` is the whole story of a scenario as packs in order of sending: pure, lazy,
and the same for the same seed. Seconds count from the start of the story.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush, merge
from itertools import pairwise
from math import cos, inf, pi
from random import Random

from firmware_sim.probe import Element, Sensor, sample, settle, within
from firmware_sim.room import BROCCOLI, NONE, STRAWBERRY, Air, Around, Box, Respiration, State, step
from firmware_sim.scenario import Leg, ProbePlan, Radio, RoomPlan, Scenario

SIGNALS = ("door", "mains", "compressor", "defrost")
LAGGING = ("temperature", "product_temperature", "ambient_temperature", "humidity")
REPEAT_SIGNALS_S = 3600.0
RESPIRATION: dict[str, Respiration] = {
    "strawberry": STRAWBERRY,
    "broccoli": BROCCOLI,
    "none": NONE,
}


@dataclass(frozen=True, slots=True)
class Reading:
    """``device_s`` is the device's own clock, in seconds since the true start; None: no clock."""

    quantity: str
    value: float
    device_s: float | None


@dataclass(frozen=True, slots=True)
class Pack:
    """One message. ``number`` names its content: a duplicate carries the number of the first."""

    at_s: float
    device: str
    number: int
    readings: tuple[Reading, ...]


def transmissions(scenario: Scenario, seed: int | None = None) -> Iterator[Pack]:
    """Packs in order of sending, to the end of the scenario (for ever when it has none)."""
    seed = scenario.seed if seed is None else seed
    end_s = scenario.duration_h * 3600 or inf
    return merge(
        *(_of_room(scenario, room, seed, end_s) for room in scenario.rooms),
        key=lambda pack: pack.at_s,
    )


def _of_room(scenario: Scenario, room: RoomPlan, seed: int, end_s: float) -> Iterator[Pack]:
    """One simulation a room, shared by its probes; every probe has a radio of its own."""
    probes = [
        _Device(scenario, room, probe, Random(f"{seed}/{scenario.name}/{probe.name}"))  # noqa: S311 - a simulation
        for probe in scenario.probes
        if probe.room == room.name
    ]
    if not probes:
        return
    box = box_of(room)
    start_c = room.set_c if room.start_c is None else room.start_c
    goods_c = start_c if room.goods_start_c is None else room.goods_start_c
    state = State(start_c, goods_c)
    now_s = 0.0
    while True:
        around = around_at(scenario, room, now_s)
        shown = _Shown(state, around, room.set_c, place_at(room.route, now_s), box)
        for device in probes:
            device.observe(shown, now_s)
        yield from _in_order(packs for device in probes for packs in device.due(now_s))
        if now_s >= end_s:
            break
        next_s = min(now_s + scenario.step_s, end_s, *(device.next_s for device in probes))
        state = step(box, state, around, next_s - now_s)
        now_s = next_s
    yield from _in_order(packs for device in probes for packs in device.rest())


def _in_order(packs: Iterable[Pack]) -> list[Pack]:
    return sorted(packs, key=lambda pack: pack.at_s)


def box_of(room: RoomPlan) -> Box:
    """The plan in the model's units: capacities and couplings scale with volume and load."""
    reference = Box()
    half = room.differential_k / 2
    return Box(
        air_kj_k=reference.air_kj_k * room.volume_m3 / reference.volume_m3,
        goods_kj_k=room.goods_t * 1000 * room.goods_kj_kg_k,
        goods_t=room.goods_t,
        walls_w_k=room.walls_w_k,
        coupling_fan_w_k=200.0 * room.goods_t,
        coupling_still_w_k=75.0 * room.goods_t,
        fan_w=room.fan_w,
        cooling_w=room.cooling_w,
        on_at_c=room.set_c + half,
        off_at_c=room.set_c - half,
        min_off_s=room.min_off_min * 60,
        defrost_w=room.defrost_w,
        respiration=RESPIRATION[room.respiration],
        volume_m3=room.volume_m3,
        curtain=room.curtain,
        humid_on=room.humid_on,
        humid_off=room.humid_off,
    )


def around_at(scenario: Scenario, room: RoomPlan, at_s: float) -> Around:
    minute = at_s / 60
    happening = [
        event
        for event in room.event
        if _happens(minute, event.at_min, event.for_min, event.every_min, event.until_min)
    ]
    kinds = {event.kind for event in happening}
    leg = leg_at(room.route, at_s)
    weather = scenario.outside
    hour = scenario.start_hour + at_s / 3600
    celsius = weather.celsius + weather.swing_k * cos((hour - 15) / 24 * 2 * pi)
    return Around(
        outside=Air(celsius, weather.humidity),
        mains="power-cut" not in kinds,
        door_open="door" in kinds or (leg is not None and leg.mode == "loading"),
        defrost="defrost" in kinds,
        plant="unit-off" not in kinds,
        cooling="no-cooling" not in kinds,
        heat_w=sum(event.watts for event in happening if event.kind == "heat"),
    )


def _happens(minute: float, at: float, length: float, every: float, until: float) -> bool:
    since = minute - at
    if since < 0 or minute >= until:
        return False
    return (since % every if every else since) < length


def leg_at(route: tuple[Leg, ...], at_s: float) -> Leg | None:
    """The last leg that has begun; before the first one the store stands at its place."""
    if not route:
        return None
    begun = [leg for leg in route if leg.at_min * 60 <= at_s]
    return begun[-1] if begun else route[0]


def place_at(route: tuple[Leg, ...], at_s: float) -> tuple[float, float] | None:
    """(lat, lon); a moving store is on the straight line to the next leg's place."""
    leg = leg_at(route, at_s)
    if leg is None:
        return None
    following = next((there for here, there in pairwise(route) if here is leg), None)
    if leg.mode != "moving" or following is None:
        return leg.lat, leg.lon
    part = (at_s / 60 - leg.at_min) / (following.at_min - leg.at_min)
    part = min(max(part, 0.0), 1.0)
    return (
        round(leg.lat + (following.lat - leg.lat) * part, 6),
        round(leg.lon + (following.lon - leg.lon) * part, 6),
    )


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a probe could see at one instant."""

    state: State
    around: Around
    set_c: float
    place: tuple[float, float] | None
    box: Box

    def truth(self, quantity: str) -> float:
        match quantity:
            case "temperature":
                return self.state.air_c
            case "product_temperature":
                return self.state.goods_c
            case "ambient_temperature":
                return self.around.outside.celsius
            case "humidity":
                return self.state.humidity
            case "door":
                return float(self.around.door_open)
            case "mains":
                return float(self.around.mains)
            case "compressor":
                return float(self.state.compressor)
            case "defrost":
                return float(self.around.defrost)
            case "setpoint":
                return self.set_c
            case "power":
                return self._power_w()
            case "lat" | "lon" if self.place is not None:
                return self.place[0 if quantity == "lat" else 1]
            case _:
                raise AssertionError(quantity)  # scenario.check lets nothing else through

    def _power_w(self) -> float:
        """Compressor at a coefficient of performance of 2.5, fan and heater."""
        if not self.around.mains:
            return 0.0
        heater = self.box.defrost_w if self.around.defrost else self.box.fan_w
        if not self.around.plant and not self.around.defrost:
            return 0.0
        return round(heater + (self.box.cooling_w / 2.5 if self.state.compressor else 0.0))


class _Device:
    """One probe with its elements, clock and radio."""

    def __init__(self, scenario: Scenario, room: RoomPlan, plan: ProbePlan, random: Random) -> None:
        self._plan = plan
        self._random = random
        self._sensors = {q: _sensor(plan, q) for q in plan.quantities if q in LAGGING}
        self._elements: dict[str, Element] = {}
        self._signals = tuple(q for q in plan.quantities if q in SIGNALS)
        self._analogue = tuple(q for q in plan.quantities if q not in SIGNALS)
        self._said: dict[str, float] = {}
        self._repeat_s = 0.0
        self._taken = 0
        self._radio = _RadioPath(plan.name, plan.radio, plan.clock.stamps, random)
        self._gaps = _seconds(plan.gaps_min)
        self.next_s = plan.phase_s

    def observe(self, shown: _Shown, at_s: float) -> None:
        for quantity, sensor in self._sensors.items():
            truth = shown.truth(quantity)
            before = self._elements.get(quantity) or Element(truth, at_s)
            self._elements[quantity] = settle(sensor, before, truth, at_s)
        readings = [*self._changed_signals(shown, at_s), *self._samples(shown, at_s)]
        if readings:
            self._radio.take(at_s, tuple(readings))

    def due(self, at_s: float) -> list[Pack]:
        return self._radio.due(at_s)

    def rest(self) -> list[Pack]:
        return self._radio.rest()

    def _changed_signals(self, shown: _Shown, at_s: float) -> Iterator[Reading]:
        if not self._signals or within(self._gaps, at_s):
            return
        again = at_s >= self._repeat_s
        if again:
            self._repeat_s += REPEAT_SIGNALS_S
        for quantity in self._signals:
            value = shown.truth(quantity)
            if again or self._said.get(quantity) != value:
                self._said[quantity] = value
                yield self._reading(quantity, value, at_s)

    def _samples(self, shown: _Shown, at_s: float) -> Iterator[Reading]:
        if at_s < self.next_s:
            return
        self._taken += 1
        self.next_s = self._plan.phase_s + self._taken * self._plan.interval_s
        for quantity in self._analogue:
            value = self._value(quantity, shown, at_s)
            if value is not None:
                yield self._reading(quantity, value, at_s)

    def _value(self, quantity: str, shown: _Shown, at_s: float) -> float | None:
        if quantity in self._sensors:
            element, value = sample(self._sensors[quantity], self._elements[quantity], self._random)
            self._elements[quantity] = element
            if quantity == "humidity" and value is not None:
                return min(max(value, 0.0), 100.0)
            return value
        if within(self._gaps, at_s):
            return None
        if quantity == "battery":
            spent = self._plan.battery_per_day * at_s / 86_400
            return round(max(self._plan.battery_start - spent, 0.0), 1)
        if quantity == "signal":
            return float(round(self._random.gauss(-71, 3)))
        return shown.truth(quantity)

    def _reading(self, quantity: str, value: float, at_s: float) -> Reading:
        clock = self._plan.clock
        if not clock.stamps:
            return Reading(quantity, value, None)
        own_s = at_s + clock.skew_s + clock.drift_s_per_day * at_s / 86_400
        return Reading(quantity, value, round(own_s, 3))


def _sensor(plan: ProbePlan, quantity: str) -> Sensor:
    """Lag and bad days are the probe's; offset, drift and 85.0 belong to its thermometer."""
    thermometer = quantity in ("temperature", "product_temperature")
    return Sensor(
        lag_s=plan.lag_s,
        offset=plan.offset if thermometer else 0.0,
        drift_per_day=plan.drift_per_day if thermometer else 0.0,
        noise=plan.noise if quantity != "humidity" else 0.3,
        resolution=plan.resolution if quantity != "humidity" else 0.1,
        stuck=_seconds(plan.stuck_min) if thermometer else (),
        power_on_s=tuple(minute * 60 for minute in plan.power_on_min) if thermometer else (),
        gaps=_seconds(plan.gaps_min),
    )


def _seconds(spans: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    return tuple((start * 60, end * 60) for start, end in spans)


class _RadioPath:
    """Numbers the packs and decides when each is sent, once, twice or never."""

    def __init__(self, device: str, radio: Radio, stamps: bool, random: Random) -> None:
        self._device = device
        self._remembers = radio.memory and stamps
        self._radio = radio
        self._random = random
        self._silent = _seconds(radio.silent_min)
        self._memory: deque[Reading] = deque(maxlen=radio.memory_readings)
        self._waiting: list[tuple[float, int, Pack]] = []
        self._numbers = 0
        self._order = 0

    def take(self, at_s: float, readings: tuple[Reading, ...]) -> None:
        if within(self._silent, at_s):
            if self._remembers:
                self._memory.extend(readings)
            return
        if self._memory:
            self._recall(at_s)
        if self._happens(self._radio.loss):
            if self._remembers:
                self._memory.extend(readings)
            return
        pack = self._pack(at_s, readings)
        late_s = 0.0
        if self._happens(self._radio.shuffle):
            late_s = self._random.uniform(60, 600)
        self._send(at_s + late_s, pack)
        if self._happens(self._radio.duplicates):
            self._send(at_s + late_s + self._random.uniform(0.1, 30), pack)

    def due(self, at_s: float) -> list[Pack]:
        out = []
        while self._waiting and self._waiting[0][0] <= at_s:
            out.append(heappop(self._waiting)[2])
        return out

    def rest(self) -> list[Pack]:
        """What was still held back when the story ended. A silent probe keeps its memory."""
        return self.due(inf)

    def _recall(self, at_s: float) -> None:
        """The memory, oldest first, in packs of bounded length."""
        length_s = self._radio.memory_pack_h * 3600
        chunk: list[Reading] = []
        for reading in self._memory:
            if chunk and (reading.device_s or 0.0) - (chunk[0].device_s or 0.0) >= length_s:
                self._send(at_s, self._pack(at_s, tuple(chunk)))
                chunk = []
            chunk.append(reading)
        self._send(at_s, self._pack(at_s, tuple(chunk)))
        self._memory.clear()

    def _pack(self, at_s: float, readings: tuple[Reading, ...]) -> Pack:
        self._numbers += 1
        return Pack(at_s, self._device, self._numbers, readings)

    def _send(self, at_s: float, pack: Pack) -> None:
        self._order += 1
        sent = Pack(at_s, pack.device, pack.number, pack.readings)
        heappush(self._waiting, (at_s, self._order, sent))

    def _happens(self, chance: float) -> bool:
        return chance > 0 and self._random.random() < chance
