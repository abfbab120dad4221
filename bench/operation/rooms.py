"""Which rooms there are: what they hold, how they were built, and what watches them.

``drawn`` gives room number *n* of a seed: seven profiles in turn and every month of each in 84
numbers, everything else by chance within the ranges of small cold rooms (20 to 40 m3; vehicles
12 to 18 m3).
"""

from dataclasses import dataclass
from math import inf
from random import Random

from firmware_sim.room import BROCCOLI, NONE, STRAWBERRY, Box, Respiration

from bench.operation.climate import COUNTIES, County

COIL_C = 13.0  # of a freezer's coil at which a defrost ends: makers' 8 (electric) to 13 (vehicles)

CURTAIN = 0.85  # of the flow through a door is stopped by strips

# mg CO2/(kg h) by temperature, from commodities.csv; iced fish, meat and frozen goods give none.
PAK_CHOI: Respiration = ((0.0, 6.0), (5.0, 11.0), (10.0, 20.0), (20.0, 56.0))
CUCUMBER: Respiration = ((0.0, 10.0), (10.0, 25.0), (20.0, 28.0))
PEACH: Respiration = ((0.0, 5.0), (10.0, 20.0), (20.0, 87.0))
PERSIMMON: Respiration = ((0.0, 6.0), (20.0, 20.0))


@dataclass(frozen=True, slots=True)
class Goods:
    """``south`` and ``north``: the months of the peak (0 = January), by county."""

    key: str  # in commodities.csv
    respiration: Respiration
    south: tuple[int, ...]
    north: tuple[int, ...]

    def peak(self, county: County, month: int) -> bool:
        return month in (self.south if county.name == "south" else self.north)


@dataclass(frozen=True, slots=True)
class Kind:
    """One profile's rooms. ``band``: alarm practice, section 4. ``tolerated``: its warning
    limits, the edges from which a warmer or colder lot makes an alarm a true one."""

    profile: str
    goods: tuple[Goods, ...]
    band: tuple[float, float]
    tolerated: tuple[float, float]
    set_c: tuple[float, float]
    differential_k: tuple[float, float]
    goods_kj_kg_k: float = 3.9
    frozen: bool = False
    vehicle: bool = False
    field_warm: bool = False  # some lots come straight from the field


_MEAT_SELLS = (0, 1, 8, 11)
_FROZEN_SELLS = (0, 5, 6, 11)

KINDS = (
    Kind(
        "SB",
        (
            Goods("strawberry", STRAWBERRY, (11, 0, 1, 2, 3), (3, 4, 5)),
            Goods("broccoli", BROCCOLI, (10, 11, 0, 1), (5, 8, 9)),
            Goods("pak_choi", PAK_CHOI, (9, 10, 11, 2, 3), (4, 5, 8, 9)),
        ),
        band=(0.0, 4.0), tolerated=(0.0, 4.0), set_c=(1.8, 2.4), differential_k=(1.0, 2.0),
        field_warm=True,
    ),
    Kind(
        "CU",
        (
            Goods("cucumber", CUCUMBER, (3, 4, 5, 8, 9), (4, 5, 6, 8)),
            Goods("eggplant", CUCUMBER, (4, 5, 6, 8), (5, 6, 7)),
            Goods("bitter_gourd", CUCUMBER, (4, 5, 6, 7), (6, 7)),
        ),
        band=(10.0, 13.0), tolerated=(10.0, 14.0), set_c=(11.5, 12.0), differential_k=(1.0, 2.0),
        field_warm=True,
    ),
    Kind(
        "MT",
        (
            Goods("pork_chilled", NONE, _MEAT_SELLS, _MEAT_SELLS),
            Goods("beef_chilled", NONE, _MEAT_SELLS, _MEAT_SELLS),
            Goods("poultry_chilled", NONE, _MEAT_SELLS, _MEAT_SELLS),
        ),
        band=(0.0, 4.0), tolerated=(-1.5, 4.0), set_c=(1.2, 2.0), differential_k=(1.0, 2.0),
        goods_kj_kg_k=3.2,
    ),
    Kind(
        "FZ",
        (
            Goods("pork_frozen", NONE, _FROZEN_SELLS, _FROZEN_SELLS),
            Goods("frozen_dumpling", NONE, _FROZEN_SELLS, _FROZEN_SELLS),
            Goods("frozen_vegetable", NONE, _FROZEN_SELLS, _FROZEN_SELLS),
        ),
        band=(-40.0, -18.0), tolerated=(-40.0, -15.0), set_c=(-22.0, -20.0),
        differential_k=(2.0, 3.0), goods_kj_kg_k=2.0, frozen=True,
    ),
    Kind(
        "FT",
        (Goods("frozen_dumpling", NONE, _FROZEN_SELLS, _FROZEN_SELLS),),
        band=(-40.0, -18.0), tolerated=(-40.0, -15.0), set_c=(-22.0, -20.0),
        differential_k=(2.0, 3.0), goods_kj_kg_k=2.0, frozen=True, vehicle=True,
    ),
    Kind(
        "PS",
        (
            Goods("peach", PEACH, (5, 6), (6, 7)),
            Goods("persimmon", PERSIMMON, (9, 10), (9, 10)),
        ),
        band=(-1.0, 1.0), tolerated=(-1.0, 2.0), set_c=(0.0, 0.3), differential_k=(0.8, 1.2),
        field_warm=True,
    ),
    Kind(
        "FI",
        (
            Goods("fish_freshwater_iced", NONE, (0, 1, 8), (0, 1, 8)),
            Goods("fish_marine_iced", NONE, (0, 7, 8, 9), (0, 8, 9)),
        ),
        band=(0.0, 2.0), tolerated=(0.0, 2.0), set_c=(0.6, 0.9), differential_k=(0.8, 1.2),
        goods_kj_kg_k=8.0,  # with the ice that melts and freezes again about 0 degC
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Watched:
    """What the room tells. ``pulp``: a probe in the resident lot (in a lot that is cooled, while
    it is). ``plant``: the controller is polled for compressor, set point and defrost flag;
    ``heater``: at least the current of the defrost heater is seen. ``buffered``: the air probes
    hang in bottles."""

    air_probes: int
    pulp: bool
    door: bool
    mains: bool
    ambient: bool
    plant: bool
    heater: bool
    buffered: bool = False


@dataclass(frozen=True, slots=True)
class Room:
    number: int
    kind: Kind
    goods: Goods
    county: County
    month: int
    volume_m3: float
    set_c: float
    differential_k: float
    walls_w_k: float
    cooling_w: float  # at 35 degC outside
    fan_w: float
    curtain: float
    coupling_w_k_t: tuple[float, float]  # per tonne, fan on and off
    heater_w: float  # of the defrost: what reaches the air
    capacity_t: float
    filled: float  # share of the capacity at the beginning
    watched: Watched

    @property
    def peak(self) -> bool:
        return self.goods.peak(self.county, self.month)

    def box(self, tonnes: float, outside_c: float = 35.0) -> Box:
        """The room with so much in it. Capacity falls by 1.2 % a kelvin outside."""
        half = self.differential_k / 2
        fan, still = self.coupling_w_k_t
        return Box(
            air_kj_k=150.0 * self.volume_m3 / 28.34,
            goods_kj_k=tonnes * 1000 * self.kind.goods_kj_kg_k,
            goods_t=tonnes,
            walls_w_k=self.walls_w_k,
            coupling_fan_w_k=fan * tonnes,
            coupling_still_w_k=still * tonnes,
            fan_w=self.fan_w,
            cooling_w=self.cooling_w * (1 - 0.012 * (outside_c - 35.0)),
            on_at_c=self.set_c + half,
            off_at_c=self.set_c - half,
            min_off_s=180.0,
            defrost_w=self.heater_w,
            defrost_w_k=self.heater_w / (COIL_C - self.set_c) if self.kind.frozen else inf,
            coil_c=COIL_C,
            respiration=self.goods.respiration,
            volume_m3=self.volume_m3,
            curtain=self.curtain,
        )


def drawn(seed: int, number: int) -> Room:
    """The same for the same seed and number."""
    random = Random(f"{seed}/room/{number}")  # noqa: S311 - a simulation
    kind = KINDS[number % len(KINDS)]
    county = random.choice(COUNTIES)
    month = 5 * number % 12
    volume = random.uniform(12, 18) if kind.vehicle else random.uniform(20, 40)
    large = (volume - 20) / 20  # 0 at 20 m3, 1 at 40 m3
    aged = random.random() ** 2  # most are nearer to new
    walls = (11 + 7 * large) + aged * (9 + 7 * large)  # W/K, from new to aged
    cooling = random.uniform(2500 + 2500 * large, 4000 + 4000 * large)
    if kind.frozen:
        walls *= 0.8  # thicker panels
        cooling *= 0.75  # less at -20 degC
    if kind.vehicle:
        walls, cooling = random.uniform(12, 18), random.uniform(2500, 3500)
    return Room(
        number=number,
        kind=kind,
        goods=random.choice(kind.goods),
        county=county,
        month=month,
        volume_m3=volume,
        set_c=round(random.uniform(*kind.set_c), 1),
        differential_k=round(random.uniform(*kind.differential_k), 1),
        walls_w_k=walls,
        cooling_w=cooling,
        fan_w=random.uniform(150, 300),
        curtain=CURTAIN if random.random() < (0.5 if kind.vehicle else 0.7) else 0.0,
        coupling_w_k_t=(random.uniform(150, 300), random.uniform(50, 100)),
        heater_w=random.uniform(900, 1300) if kind.frozen else random.uniform(600, 900),
        capacity_t=0.15 * volume,
        filled=random.uniform(0.3, 0.8),
        watched=Watched(
            air_probes=2 if random.random() < 0.25 else 1,
            pulp=kind.field_warm or random.random() < 0.2,
            door=random.random() < 0.8,
            mains=random.random() < 0.8,
            ambient=random.random() < 0.5,
            plant=random.random() < 0.5,
            heater=random.random() < 0.5,
        ),
    )
