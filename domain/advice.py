"""What is worth knowing of a room and no reason to wake anybody: it is shown, never sent at night.

Humidity, dew and ethylene (alarm practice, sections 4 and 12; models, section 5). Advice is no
fact: it is made when somebody looks, from what is known then, and kept nowhere. So it may use
the floating numbers of a formula, which no rule does.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from domain.commodity import Commodity
from domain.span import Sample, Span

HOUR_MS = 3_600_000
WET_ABOVE = 9800  # counts of 0.01 %RH
SHORTEST_OUTAGE_MS = HOUR_MS // 2
FEWEST_SAMPLES = 3
LONGEST_FORECAST_H = 24
BANDS: Mapping[str, tuple[float, float]] = {  # where goods are meant to be: alarm practice, 4
    "SB": (0, 4), "CU": (10, 13), "PS": (-1, 1), "MT": (0, 4), "FI": (0, 2),
    "FZ": (-math.inf, -18), "FT": (-math.inf, -18), "VX": (2, 8),
}  # fmt: skip
A_DAY_MS = 24 * HOUR_MS
DRY_MARGIN_C = 1.0  # above the dew point by more than this nothing sweats
_LEVELS = {"very_low": 0, "low": 1, "moderate": 2, "high": 3, "very_high": 4}


@dataclass(frozen=True, slots=True)
class Advice:
    """``code`` as in facts/rules.toml; ``how`` picks the words; ``said`` fills them."""

    code: str
    how: str
    said: Mapping[str, str | float | int] = field(default_factory=dict)


def wet_sensor(
    humidity: Sequence[Sample], openings: Sequence[Span], gap_ms: int, now_ms: int
) -> int | None:
    """Since when the humidity stands above 98 %, if that is for an hour or more and the door was
    opened less often in the last hour than in the one before: damp that no door brought in.
    ``humidity`` oldest first."""
    since: int | None = None
    last: int | None = None
    for at, count in humidity:
        if count <= WET_ABOVE or (last is not None and at - last > gap_ms):
            since = None
        if count > WET_ABOVE and since is None:
            since = at
        last = at
    if since is None or last is None or last - since < HOUR_MS or now_ms - last > gap_ms:
        return None
    lately = sum(1 for begin, _ in openings if last - HOUR_MS < begin <= last)
    before = sum(1 for begin, _ in openings if last - 2 * HOUR_MS < begin <= last - HOUR_MS)
    return since if lately < before else None


def dew_point(celsius: float, humidity_pct: float) -> float:
    """Magnus over water, WMO coefficients. Humidity above 0."""
    gamma = math.log(humidity_pct / 100) + 17.62 * celsius / (243.12 + celsius)
    return 243.12 * gamma / (17.62 - gamma)


def sweat(surface_c: float, air_c: float, humidity_pct: float) -> tuple[str, float] | None:
    """(wet | risk, dew point) of goods in that air; None when they stay dry."""
    if humidity_pct <= 0:
        return None
    dew = dew_point(air_c, humidity_pct)
    margin = surface_c - dew
    if margin > DRY_MARGIN_C:
        return None
    return ("wet" if margin < 0 else "risk"), dew


def ethylene_harm(giver: Commodity, taker: Commodity, *, same_room: bool) -> bool:
    """True when goods that give off ethylene are likely to harm the others. Across rooms only
    what gives off much and what is very sensitive."""
    given = _LEVELS.get(giver.ethylene_production, 0)
    suffered = _LEVELS.get(taker.ethylene_sensitivity, 0)
    if giver.key == taker.key:
        return False
    if same_room:
        return min(given, suffered) >= 2 and given + suffered >= 5
    return given >= 3 and suffered >= 3


def outside_band(
    profile: str, series: Sequence[Sequence[Sample]], interval_ms: int
) -> tuple[float, float] | None:
    """(mean, the edge that it is beyond), in degC, of all series over the day that was given. A
    room may stand between its band and its warning limit for weeks and no rule speaks. None inside
    the band, for a profile without one, and with less than half of the samples of a day."""
    low, high = BANDS.get(profile, (-math.inf, math.inf))
    counts = [
        count
        for samples in series
        if len(samples) * interval_ms * 2 >= A_DAY_MS
        for _, count in samples
    ]
    if not counts:
        return None
    mean = sum(counts) / len(counts) / 100
    if low <= mean <= high:
        return None
    return mean, high if mean > high else low


def warm_up(samples: Sequence[Sample], outages: Sequence[Span]) -> float | None:
    """How fast the room warmed without power, counts an hour: the median of its outages of half
    an hour or more, each from its first to its last sample. A full room and an empty one differ
    twentyfold, so no table can say it (models, section 8.3)."""
    rates: list[float] = []
    for begin, end in outages:
        within = [(at, count) for at, count in samples if begin <= at < end]
        if len(within) < FEWEST_SAMPLES or within[-1][0] - within[0][0] < SHORTEST_OUTAGE_MS:
            continue
        rise = within[-1][1] - within[0][1]
        rates.append(rise * HOUR_MS / (within[-1][0] - within[0][0]))
    rates.sort()
    return rates[(len(rates) - 1) // 2] if rates else None


def hours_left(count: int, limit: int, rate: float | None) -> int | None:
    """Whole hours until the limit, at least 1: an estimate is never said to the minute. None: not
    within a day, or nothing to say it by."""
    if rate is None or rate <= 0 or count >= limit:
        return None
    hours = (limit - count) / rate
    return None if hours > LONGEST_FORECAST_H else max(1, round(hours))
