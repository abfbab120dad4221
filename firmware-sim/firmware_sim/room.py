"""What the air and the goods of a small cold room do after a while.

Two nodes, explicit Euler: the air with the inner skin of the walls, and the goods. The air
gains through walls and door, from the fan, the defrost heater and the goods, and loses to
the coil; the goods gain their own heat of respiration. Reference parameters and the numbers
that the tests compare with: a 28 m3 box with 2 t of strawberries.

Sources: Gosney and Olama's door formula as taught with the ASHRAE handbook (coefficient
0.221 in SI); Magnus over water with the WMO's coefficients; respiration interpolated
log-linearly between tabulated temperatures. What follows the exhausted air of an opening,
and the humidity, are engineering assumptions that keep charts believable.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp, inf, log, sqrt

WATTS_PER_TONNE = 2.964  # for 1 mg CO2 per kg and hour
PRESSURE_PA = 101_325.0
GRAVITY = 9.81

Respiration = Sequence[tuple[float, float]]  # (degC, mg CO2/(kg h)), by temperature, rates > 0

STRAWBERRY: Respiration = ((0.0, 16.0), (10.0, 75.0), (20.0, 150.0))
BROCCOLI: Respiration = ((0.0, 21.0), (20.0, 300.0))
NONE: Respiration = ()


@dataclass(frozen=True, slots=True)
class Air:
    """Moist air at sea level. Per kg of dry air: water in kg, enthalpy in kJ."""

    celsius: float
    humidity: float  # %RH

    @property
    def water(self) -> float:
        vapour = self.humidity / 100 * saturation_hpa(self.celsius) * 100
        return 0.62198 * vapour / (PRESSURE_PA - vapour)

    @property
    def enthalpy(self) -> float:
        return 1.006 * self.celsius + self.water * (2501 + 1.86 * self.celsius)

    @property
    def density(self) -> float:
        """kg/m3."""
        kelvin = self.celsius + 273.15
        water = self.water
        return (1 + water) / (287.055 * kelvin * (1 + 1.6078 * water) / PRESSURE_PA)


def saturation_hpa(celsius: float) -> float:
    return 6.112 * exp(17.62 * celsius / (243.12 + celsius))


def respiration_rate(celsius: float, table: Respiration) -> float:
    """mg CO2/(kg h); beyond the table the slope of the nearest pair goes on; empty table: 0."""
    if len(table) < 2:
        return table[0][1] if table else 0.0
    upper = min(max(bisect_right(table, (celsius, 0.0)), 1), len(table) - 1)
    (low, at_low), (high, at_high) = table[upper - 1], table[upper]
    return at_low * exp(log(at_high / at_low) * (celsius - low) / (high - low))


def flow_factor(inside: Air, outside: Air) -> float:
    return float((2 / (1 + (inside.density / outside.density) ** (1 / 3))) ** 1.5)


def infiltration_kw(inside: Air, outside: Air, area_m2: float, height_m: float) -> float:
    """Heat through a wide open door at full flow; 0 when the room is not the colder side."""
    difference = 1 - outside.density / inside.density
    if difference <= 0 or outside.enthalpy <= inside.enthalpy:
        return 0.0
    return (
        0.221
        * area_m2
        * (outside.enthalpy - inside.enthalpy)
        * inside.density
        * sqrt(difference)
        * sqrt(GRAVITY * height_m)
        * flow_factor(inside, outside)
    )


@dataclass(frozen=True, slots=True)
class Box:
    """A room, its plant and its load, as they were built. Heat in kJ/K, W/K and W."""

    air_kj_k: float = 150.0  # with the inner skin
    goods_kj_k: float = 7800.0
    goods_t: float = 2.0
    walls_w_k: float = 14.0
    coupling_fan_w_k: float = 400.0  # goods to air
    coupling_still_w_k: float = 150.0
    fan_w: float = 250.0
    cooling_w: float = 4000.0
    on_at_c: float = 3.0
    off_at_c: float = 1.0
    min_off_s: float = 0.0
    defrost_w: float = 900.0  # of a heater's 1.8 kW: the rest melts ice
    defrost_w_k: float = inf  # at most so much a kelvin between a coil of ``coil_c`` and the air
    coil_c: float = 13.0  # at which its thermostat ends a defrost
    respiration: Respiration = STRAWBERRY
    volume_m3: float = 28.34
    door_m2: float = 1.71
    door_height_m: float = 1.9
    curtain: float = 0.0  # share of the flow that it stops: 0.85 for strips
    door_after_cap: float = 0.25  # share of the flow once the cold air has fallen out
    humid_on: float = (
        86.0  # %RH towards which a running coil dries the air, and a still one lets it
    )
    humid_off: float = 94.0


@dataclass(frozen=True, slots=True)
class Around:
    """What happens to the room from outside during one step."""

    outside: Air = Air(32.0, 65.0)
    mains: bool = True
    door_open: bool = False
    defrost: bool = False  # the heater is on and the compressor is held
    plant: bool = True  # False: compressor and fan are switched off
    cooling: bool = True  # False: the compressor runs empty
    heat_w: float = 0.0  # whatever else brings heat into the air


@dataclass(frozen=True, slots=True)
class State:
    """``door_kj`` is what this opening has let in; ``off_s`` how long the compressor rests."""

    air_c: float
    goods_c: float
    compressor: bool = False
    off_s: float = 86_400.0
    humidity: float = 92.0
    door_kj: float = 0.0


def thermostat(box: Box, state: State, around: Around) -> State:
    """On at or above the upper, off at or below the lower temperature; never without mains."""
    on = state.compressor
    if not (around.mains and around.plant) or around.defrost:
        on = False
    elif on:
        on = state.air_c > box.off_at_c
    elif state.air_c >= box.on_at_c and state.off_s >= box.min_off_s:
        on = True
    if on == state.compressor:
        return state
    return replace(state, compressor=on, off_s=0.0)


def door_w(box: Box, state: State, outside: Air, dt_s: float) -> tuple[float, float]:
    """(W, kJ let in by this opening so far). The room holds little air: when most of its cold
    has fallen out, what still comes in is a trickle, however long the door stands open."""
    inside = Air(state.air_c, state.humidity)
    flow_kw = infiltration_kw(inside, outside, box.door_m2, box.door_height_m) * (1 - box.curtain)
    cap_kj = inside.density * box.volume_m3 * max(outside.enthalpy - inside.enthalpy, 0.0) * 0.9
    if state.door_kj + flow_kw * dt_s > cap_kj:
        flow_kw = max((cap_kj - state.door_kj) / dt_s, flow_kw * box.door_after_cap)
    return flow_kw * 1000, state.door_kj + flow_kw * dt_s


def defrost_w(box: Box, air_c: float) -> float:
    """What a defrost brings into the air. The fan stands still, so all of it comes off the coil,
    which its thermostat keeps from getting warmer than ``coil_c``: the nearer the air is to that,
    the less it takes. What it does not take melts ice, or the heater is off."""
    if box.defrost_w_k == inf:
        return box.defrost_w
    return min(box.defrost_w, box.defrost_w_k * max(box.coil_c - air_c, 0.0))


def step(box: Box, state: State, around: Around, dt_s: float) -> State:
    """The room ``dt_s`` later. Keep ``dt_s`` at 30 or less: the thermostat is asked once a step."""
    state = thermostat(box, state, around)
    fan = around.mains and around.plant and not around.defrost
    coupling = box.coupling_fan_w_k if fan else box.coupling_still_w_k
    to_air_w = coupling * (state.goods_c - state.air_c)
    air_w = box.walls_w_k * (around.outside.celsius - state.air_c) + to_air_w + around.heat_w
    if fan:
        air_w += box.fan_w
    if around.defrost and around.mains:
        air_w += defrost_w(box, state.air_c)
    if state.compressor and around.cooling:
        air_w -= box.cooling_w
    let_in_kj = 0.0
    if around.door_open:
        through_w, let_in_kj = door_w(box, state, around.outside, dt_s)
        air_w += through_w
    goods_c = state.goods_c
    if box.goods_kj_k > 0:
        own_w = box.goods_t * respiration_rate(goods_c, box.respiration) * WATTS_PER_TONNE
        goods_c += (own_w - to_air_w) * dt_s / (box.goods_kj_k * 1000)
    return State(
        air_c=state.air_c + air_w * dt_s / (box.air_kj_k * 1000),
        goods_c=goods_c,
        compressor=state.compressor,
        off_s=0.0 if state.compressor else state.off_s + dt_s,
        humidity=_humidity(box, state, around, dt_s),
        door_kj=let_in_kj,
    )


def _humidity(box: Box, state: State, around: Around, dt_s: float) -> float:
    if around.door_open:
        towards, after_s = max(around.outside.humidity, 60.0), 240.0
    elif state.compressor:
        towards, after_s = box.humid_on, 900.0
    else:
        towards, after_s = box.humid_off, 1200.0
    return state.humidity + (towards - state.humidity) * (1 - exp(-dt_s / after_s))
