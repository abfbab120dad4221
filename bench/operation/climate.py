"""The air around a cold room: two counties, twelve months, a daily swing and spells of weather.

Monthly means are round figures for the Pearl River basin (south) and the Hebei plain (north),
our choice. A room stands in a hall or under a roof: never colder than ``HALL_C``.
"""

from dataclasses import dataclass
from math import cos, pi
from random import Random

from firmware_sim.room import Air

HALL_C = 1.0
WARMEST_HOUR = 15.0
SPELL_K = 2.5  # standard deviation of a day against its month
SPELL_KEEPS = 0.7  # from one day to the next


@dataclass(frozen=True, slots=True)
class County:
    name: str
    means_c: tuple[float, ...]  # January to December
    swing_k: float  # half the difference between afternoon and night
    humidity: float


SOUTH = County(
    "south",
    (13.0, 14.5, 18.0, 22.5, 26.0, 28.0, 28.5, 28.5, 27.0, 23.5, 19.0, 14.5),
    swing_k=4.0,
    humidity=78.0,
)
NORTH = County(
    "north",
    (-2.5, 0.5, 7.0, 14.5, 20.5, 25.0, 27.0, 26.0, 21.0, 14.5, 6.0, -0.5),
    swing_k=6.0,
    humidity=60.0,
)
COUNTIES = (SOUTH, NORTH)


class Weather:
    """One month of one place. ``month`` 0 is January; seconds count from its first midnight."""

    def __init__(self, county: County, month: int, days: int, random: Random) -> None:
        self._county = county
        spell, means = 0.0, []
        for _ in range(days + 1):
            drawn = random.gauss(0.0, SPELL_K * (1 - SPELL_KEEPS**2) ** 0.5)
            spell = SPELL_KEEPS * spell + drawn
            means.append(county.means_c[month] + spell)
        self._means = means

    def at(self, second: float) -> Air:
        day, of_day = divmod(second, 86_400)
        today, tomorrow = self._means[int(day)], self._means[int(day) + 1]
        mean = today + (tomorrow - today) * of_day / 86_400
        swing = self._county.swing_k * cos((of_day / 3600 - WARMEST_HOUR) / 24 * 2 * pi)
        return Air(max(mean + swing, HALL_C), self._county.humidity)
