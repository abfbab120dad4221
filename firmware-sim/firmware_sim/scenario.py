"""A scenario file: rooms, what happens to them, and the probes that watch.

TOML into one frozen ``Scenario``. A mistake is a ``BadScenario`` that names the key, as in
``probe[1].radio.duplicates``; an unknown key is a mistake.
"""

import math
import re
import tomllib
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Literal

import msgspec

UNITS = {
    "temperature": "Cel",
    "product_temperature": "Cel",
    "ambient_temperature": "Cel",
    "setpoint": "Cel",
    "humidity": "%RH",
    "door": "/",
    "mains": "/",
    "compressor": "/",
    "defrost": "/",
    "battery": "%EL",
    "power": "W",
    "lat": "lat",
    "lon": "lon",
    "signal": "dBm",
}  # what a pretend probe can say, with its SenML unit

Minutes = tuple[tuple[float, float], ...]  # [[from, to], …] since the start, half open


class BadScenario(Exception):
    """The file says something that cannot be; the message begins with the key."""


class Outside(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Weather: a daily swing about a mean, warmest at 15:00."""

    celsius: float = 32.0
    swing_k: float = 0.0  # half the difference of warmest and coldest
    humidity: float = 65.0


class Event(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Something happens to a room, once or every so often.

    ``door``: stands open. ``power-cut``: no mains. ``defrost``: heater and flag are on.
    ``unit-off``: compressor and fan are switched off. ``no-cooling``: the compressor runs
    empty. ``heat``: ``watts`` go into the air.
    """

    kind: Literal["door", "power-cut", "defrost", "unit-off", "no-cooling", "heat"]
    at_min: float
    for_min: float
    every_min: float = 0.0  # 0: once
    until_min: float = math.inf
    watts: float = 0.0


class Leg(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """From ``at_min`` on. A moving store is on a straight line to the next leg's place; while
    it is loading its door stands open."""

    at_min: float
    lat: float
    lon: float
    mode: Literal["parked", "moving", "loading"] = "parked"


class RoomPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A room in a builder's words. The defaults are the 28 m3 reference box with 2 t in it."""

    name: str
    start_c: float | None = None  # default: the set point
    goods_start_c: float | None = None
    set_c: float = 2.0
    differential_k: float = 2.0
    min_off_min: float = 3.0
    volume_m3: float = 28.34
    goods_t: float = 2.0
    goods_kj_kg_k: float = 3.9  # about 2.0 when frozen
    walls_w_k: float = 14.0
    cooling_w: float = 4000.0
    fan_w: float = 250.0
    defrost_w: float = 900.0  # what reaches the air; about half of a heater melts ice
    curtain: float = 0.85  # share of the door's flow that the strips stop
    humid_on: float = 86.0  # %RH towards which a running coil dries the air
    humid_off: float = 94.0  # and to which it comes back while the coil rests
    respiration: Literal["strawberry", "broccoli", "none"] = "strawberry"
    event: tuple[Event, ...] = ()
    route: tuple[Leg, ...] = ()


class Radio(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What happens between a sample and the broker. Probabilities are per pack."""

    duplicates: float = 0.0
    shuffle: float = 0.0  # held back and sent after later ones
    loss: float = 0.0  # never sent, unless the probe has a memory: then with the next
    silent_min: Minutes = ()  # nothing can be sent
    memory: bool = True  # what could not be sent is sent afterwards, oldest first
    memory_pack_h: float = 24.0  # at most so much history in one pack
    memory_readings: int = 100_000  # beyond it the oldest are overwritten


class Clock(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The device's own clock against true time."""

    skew_s: float = 0.0
    drift_s_per_day: float = 0.0
    stamps: bool = True  # False: the device has no clock, stamps nothing and remembers nothing


class ProbePlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One device. Analogue quantities are sampled every ``interval_s``; 0/1 signals are sent
    when they change, and once an hour."""

    name: str
    room: str
    quantities: tuple[str, ...] = ("temperature",)
    interval_s: float = 60.0
    phase_s: float = 0.0  # the first sample
    lag_s: float = 60.0
    offset: float = 0.0
    drift_per_day: float = 0.0
    noise: float = 0.03
    resolution: float = 0.0625
    stuck_min: Minutes = ()
    gaps_min: Minutes = ()
    power_on_min: tuple[float, ...] = ()
    battery_start: float = 100.0
    battery_per_day: float = 0.1
    radio: Radio = Radio()
    clock: Clock = Clock()


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``duration_h`` 0 runs until it is stopped. ``start_hour`` is the local hour at which the
    story begins, so that a run does not depend on when somebody starts it."""

    name: str
    about: str
    rooms: tuple[RoomPlan, ...] = msgspec.field(name="room")
    probes: tuple[ProbePlan, ...] = msgspec.field(name="probe")
    duration_h: float = 0.0
    seed: int = 1
    step_s: float = 10.0
    start_hour: float = 9.0
    outside: Outside = Outside()


def load(path: Path) -> Scenario:
    """Raises ``BadScenario`` for a file that is missing, not TOML or not a scenario."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadScenario(f"{path}: cannot be read: {error}") from error
    return parse(text)


def parse(text: str) -> Scenario:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadScenario(f"not TOML: {error}") from error
    try:
        scenario = msgspec.convert(table, type=Scenario)
    except msgspec.ValidationError as error:
        raise BadScenario(_naming_the_key(str(error))) from error
    check(scenario)
    return scenario


def _naming_the_key(message: str) -> str:
    """``Expected `float`, got `str` - at `$.room[0].set_c``` with the key first."""
    what, _, where = message.partition(" - at ")
    key = where.strip("`").removeprefix("$").removeprefix(".") or "scenario"
    unknown = re.search(r"unknown field `(\w+)`", what)
    if unknown:
        return f"{key}.{unknown[1]}: unknown key" if where else f"{unknown[1]}: unknown key"
    missing = re.search(r"missing required field `(\w+)`", what)
    if missing:
        return f"{key}.{missing[1]}: missing" if where else f"{missing[1]}: missing"
    return f"{key}: {what}"


def check(scenario: Scenario) -> None:
    """What types cannot say. Raises ``BadScenario``."""
    _not_negative("duration_h", scenario.duration_h)
    _inside("step_s", scenario.step_s, 1, 60)
    _inside("start_hour", scenario.start_hour, 0, 24)
    _inside("outside.humidity", scenario.outside.humidity, 1, 100)
    if not scenario.probes:
        raise BadScenario("probe: at least one is needed")
    _unique("room", [room.name for room in scenario.rooms])
    _unique("probe", [probe.name for probe in scenario.probes])
    for i, room in enumerate(scenario.rooms):
        _check_room(f"room[{i}]", room)
    named = {room.name: room for room in scenario.rooms}
    for i, probe in enumerate(scenario.probes):
        _check_probe(f"probe[{i}]", probe, named)


def _check_room(key: str, room: RoomPlan) -> None:
    _positive(f"{key}.volume_m3", room.volume_m3)
    _positive(f"{key}.differential_k", room.differential_k)
    _positive(f"{key}.goods_kj_kg_k", room.goods_kj_kg_k)
    _inside(f"{key}.curtain", room.curtain, 0, 1)
    _inside(f"{key}.humid_on", room.humid_on, 1, 100)
    _inside(f"{key}.humid_off", room.humid_off, 1, 100)
    for name in ("goods_t", "walls_w_k", "cooling_w", "fan_w", "defrost_w", "min_off_min"):
        _not_negative(f"{key}.{name}", getattr(room, name))
    for j, event in enumerate(room.event):
        where = f"{key}.event[{j}]"
        _positive(f"{where}.for_min", event.for_min)
        _not_negative(f"{where}.at_min", event.at_min)
        _not_negative(f"{where}.watts", event.watts)
        if event.every_min and event.every_min <= event.for_min:
            raise BadScenario(f"{where}.every_min: must be longer than for_min")
    for j, (before, after) in enumerate(pairwise(room.route)):
        if after.at_min <= before.at_min:
            raise BadScenario(f"{key}.route[{j + 1}].at_min: legs go forward in time")
    for j, leg in enumerate(room.route):
        _inside(f"{key}.route[{j}].lat", leg.lat, -90, 90)
        _inside(f"{key}.route[{j}].lon", leg.lon, -180, 180)


def _check_probe(key: str, probe: ProbePlan, rooms: dict[str, RoomPlan]) -> None:
    if not re.fullmatch(r"[^\s/+#]{1,64}", probe.name):
        raise BadScenario(f"{key}.name: no spaces, no / + #, at most 64 characters")
    if probe.room not in rooms:
        raise BadScenario(f"{key}.room: there is no room {probe.room!r}")
    if not probe.quantities:
        raise BadScenario(f"{key}.quantities: at least one is needed")
    for quantity in probe.quantities:
        if quantity not in UNITS:
            raise BadScenario(f"{key}.quantities: unknown quantity {quantity!r}")
        if quantity in ("lat", "lon") and not rooms[probe.room].route:
            raise BadScenario(f"{key}.quantities: {quantity} needs a route in {probe.room!r}")
    _inside(f"{key}.interval_s", probe.interval_s, 1, 86_400)
    for name in ("phase_s", "lag_s", "noise", "resolution"):
        _not_negative(f"{key}.{name}", getattr(probe, name))
    for name in ("stuck_min", "gaps_min"):
        _spans(f"{key}.{name}", getattr(probe, name))
    for name in ("duplicates", "shuffle", "loss"):
        _inside(f"{key}.radio.{name}", getattr(probe.radio, name), 0, 1)
    _spans(f"{key}.radio.silent_min", probe.radio.silent_min)
    _positive(f"{key}.radio.memory_pack_h", probe.radio.memory_pack_h)
    _positive(f"{key}.radio.memory_readings", probe.radio.memory_readings)


def _unique(key: str, names: Sequence[str]) -> None:
    for i, name in enumerate(names):
        if name in names[:i]:
            raise BadScenario(f"{key}[{i}].name: {name!r} is used twice")


def _spans(key: str, spans: Minutes) -> None:
    for i, (start, end) in enumerate(spans):
        if not 0 <= start < end:
            raise BadScenario(f"{key}[{i}]: from must be before to, and neither negative")


def _positive(key: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise BadScenario(f"{key}: must be more than 0")


def _not_negative(key: str, value: float) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise BadScenario(f"{key}: must be 0 or more")


def _inside(key: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise BadScenario(f"{key}: must be from {low:g} to {high:g}")
