"""How warm a lot had it: readings of a room, over the time that the lot was in it.

Each valid sample holds until the next one (models, section 2, "step"). Across a gap of
more than three logging intervals nothing is assumed: that time is unknown. Sums are exact
integers of counts and milliseconds, kept by the hour, so that whoever has the hours can
add them up again; decimals are made for people, at the very end.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from domain.reading import NOT_VALID, Columns

HOUR_MS = 3_600_000
GAP_INTERVALS = 3  # alarm decisions 14: exactly three is no gap
COUNTS_PER_DEGREE = 100  # resolution of the temperatures
DEGREE_MINUTE = COUNTS_PER_DEGREE * 60_000  # count-ms in 1 degC min


@dataclass(frozen=True, slots=True)
class Limits:
    """From ``from_ms`` on: the room's reference limits in counts (alarm decisions 26)."""

    from_ms: int
    interval_ms: int
    high: int | None
    low: int | None
    rule: str  # names the rule version


@dataclass(frozen=True, slots=True)
class Hour:
    """What one series adds within ``start_ms <= t < start_ms + 1 h`` of a stay.

    ``n``, ``low``, ``high`` and ``total`` are of the samples in it (low and high None
    without one); the rest are integrals in ms and count-ms, hold-last, over known time.
    """

    start_ms: int
    n: int
    low: int | None
    high: int | None
    total: int
    known_ms: int
    weighted: int  # count x ms: over known_ms it is the mean
    above_ms: int
    above: int  # count x ms above the high limit
    below_ms: int
    below: int


@dataclass(frozen=True, slots=True)
class Exposure:
    """One series over one stay, ``from_ms <= t < to_ms``: the sums of its hours."""

    from_ms: int
    to_ms: int
    n: int
    low: int | None
    high: int | None
    known_ms: int
    weighted: int
    above_ms: int
    above: int
    below_ms: int
    below: int
    hours: tuple[Hour, ...]

    @property
    def unknown_ms(self) -> int:
        return self.to_ms - self.from_ms - self.known_ms

    @property
    def mean(self) -> Fraction | None:
        """In counts, weighted by time; None when nothing is known."""
        return Fraction(self.weighted, self.known_ms) if self.known_ms else None


def valid(columns: Columns) -> Columns:
    """The samples that rules and records may use."""
    found = Columns(array("q"), array("q"), array("H"))
    for at_ms, count, quality in columns:
        if not quality & NOT_VALID:
            found.at_ms.append(at_ms)
            found.count.append(count)
            found.quality.append(quality)
    return found


def expose(columns: Columns, from_ms: int, to_ms: int, limits: Sequence[Limits]) -> Exposure:
    """``columns``: valid samples, oldest first, from three intervals before the stay to three
    after it, so that the first and the last sample reach over its edges. ``limits``: oldest
    first; the first holds from the beginning of time."""
    hours: dict[int, list[int]] = {}
    lows: dict[int, int] = {}
    highs: dict[int, int] = {}
    first = bisect_left(columns.at_ms, from_ms)
    after = bisect_left(columns.at_ms, to_ms)
    for at_ms, count in zip(columns.at_ms[first:after], columns.count[first:after], strict=True):
        hour = at_ms - at_ms % HOUR_MS
        row = hours.setdefault(hour, [0] * 8)
        row[0] += 1
        row[1] += count
        lows[hour] = min(count, lows.get(hour, count))
        highs[hour] = max(count, highs.get(hour, count))
    starts = [limit.from_ms for limit in limits]
    for start_ms, end_ms, count in _held(columns, from_ms, to_ms, limits, starts):
        limit = _in_force(limits, starts, start_ms)
        length = end_ms - start_ms
        row = hours.setdefault(start_ms - start_ms % HOUR_MS, [0] * 8)
        row[2] += length
        row[3] += count * length
        if limit.high is not None and count > limit.high:
            row[4] += length
            row[5] += (count - limit.high) * length
        if limit.low is not None and count < limit.low:
            row[6] += length
            row[7] += (limit.low - count) * length
    return total(
        from_ms,
        to_ms,
        [
            Hour(hour, row[0], lows.get(hour), highs.get(hour), *row[1:])
            for hour, row in sorted(hours.items())
        ],
    )


def total(from_ms: int, to_ms: int, hours: Sequence[Hour]) -> Exposure:
    """The hours added up: whoever has them can check the sums."""
    return Exposure(
        from_ms=from_ms,
        to_ms=to_ms,
        n=sum(h.n for h in hours),
        low=min((h.low for h in hours if h.low is not None), default=None),
        high=max((h.high for h in hours if h.high is not None), default=None),
        known_ms=sum(h.known_ms for h in hours),
        weighted=sum(h.weighted for h in hours),
        above_ms=sum(h.above_ms for h in hours),
        above=sum(h.above for h in hours),
        below_ms=sum(h.below_ms for h in hours),
        below=sum(h.below for h in hours),
        hours=tuple(hours),
    )


def _held(
    columns: Columns, from_ms: int, to_ms: int, limits: Sequence[Limits], starts: Sequence[int]
) -> list[tuple[int, int, int]]:
    """(start, end, count) of known time in the stay, cut at hours and where limits change."""
    found: list[tuple[int, int, int]] = []
    near = slice(
        max(bisect_right(columns.at_ms, from_ms) - 1, 0), bisect_left(columns.at_ms, to_ms) + 1
    )
    samples = list(zip(columns.at_ms[near], columns.count[near], strict=True))
    for (at_ms, count), (next_ms, _) in pairwise(samples):
        interval_ms = _in_force(limits, starts, at_ms).interval_ms
        if next_ms - at_ms > GAP_INTERVALS * interval_ms:
            continue
        start_ms, end_ms = max(at_ms, from_ms), min(next_ms, to_ms)
        while start_ms < end_ms:
            cut_ms = min(end_ms, start_ms - start_ms % HOUR_MS + HOUR_MS)
            turn = bisect_right(starts, start_ms)
            if turn < len(starts):
                cut_ms = min(cut_ms, starts[turn])
            found.append((start_ms, cut_ms, count))
            start_ms = cut_ms
    return found


def _in_force(limits: Sequence[Limits], starts: Sequence[int], at_ms: int) -> Limits:
    return limits[max(bisect_right(starts, at_ms) - 1, 0)]
