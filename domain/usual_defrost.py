"""Defrosts that no controller tells of: what the last seven days have taught (alarm practice,
section 5).

A rise that begins at about the same time of day, reaches the same peak and is over within 45 min,
on five of the last seven days, is taken for a defrost. A label: it changes no fact and no pause,
and keeps a warning from being told for 45 min at most (docs/decisions/0012). A function of the
readings alone, whatever order they came in.
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from domain.judgement import Fact
from domain.profile import MINUTE_MS, NEVER
from domain.reading import NOT_VALID, Columns, Series
from domain.span import Sample

RISES = (200, 250, 300)  # counts above where it began: the least that stands out in this room
BACK = 100  # within this of where it began the rise is over
LONGEST_MS = 45 * MINUTE_MS
CLOCK_MS = 15 * MINUTE_MS  # "similar clock times"
PEAK = 150
LOWERED = ("WARN_HIGH", "PREDICT_HIGH")  # what a usual defrost looks like, and no critical
DAYS, OF_DAYS = 5, 7
DAY_MS = 24 * 60 * MINUTE_MS
WEEK_MS = OF_DAYS * DAY_MS
THIN_MS = 2 * MINUTE_MS
MOST_A_DAY = 8  # more often than every three hours it is the thermostat, not a defrost


@dataclass(frozen=True, slots=True)
class Rise:
    """Over at ``end_ms``, at most 45 min after it began. ``door``: it was open meanwhile."""

    begin_ms: int
    end_ms: int
    peak: int
    door: bool = False


@dataclass(frozen=True, slots=True)
class Usual:
    """``at_ms``: time of day, UTC. ``days``: of the last seven."""

    at_ms: int
    peak: int
    days: int


def rises(samples: Sequence[Sample], gap_ms: int, least: int = RISES[-1]) -> list[Rise]:
    """Those that came back in time. ``samples`` of one series, valid, oldest first."""
    found: list[Rise] = []
    i = 0
    while i < len(samples):
        over = _over(samples, i, gap_ms, least)
        if over is None:
            i += 1
            continue
        top = max(range(i, over), key=lambda k: (samples[k][1], -k))
        level = samples[i][1] + BACK
        begin = next(k for k in range(top, i - 1, -1) if samples[k][1] <= level)
        found.append(Rise(samples[begin][0], samples[over][0], samples[top][1]))
        i = over
    return found


def _over(samples: Sequence[Sample], i: int, gap_ms: int, least: int) -> int | None:
    """Where what rose since sample ``i`` is back; None when it did not rise, or not come back."""
    begin, level = samples[i]
    peak = level
    for j in range(i + 1, len(samples)):
        at, count = samples[j]
        if at - samples[j - 1][0] > gap_ms or at - begin > LONGEST_MS or count < level:
            return None
        peak = max(peak, count)
        if peak - level >= least and count <= level + BACK:
            return j
    return None


def usual(found: Sequence[Rise], now_ms: int) -> list[Usual]:
    """The times of day at which the room defrosts, as far as the last seven days show."""
    week = [r for r in found if now_ms - WEEK_MS <= r.begin_ms < now_ms]
    if _thermostat(week):
        return []
    patterns: list[Usual] = []
    for rise in sorted(week, key=lambda r: r.begin_ms):
        if any(_apart(rise.begin_ms, p.at_ms) <= CLOCK_MS for p in patterns):
            continue
        alike = [r for r in week if _apart(r.begin_ms, rise.begin_ms) <= CLOCK_MS]
        peak = sorted(r.peak for r in alike)[len(alike) // 2]
        same = [r for r in alike if abs(r.peak - peak) <= PEAK]
        days = {(now_ms - r.begin_ms) // DAY_MS for r in same}
        if len(days) >= DAYS:
            clocks = sorted(_apart_signed(r.begin_ms, rise.begin_ms) for r in same)
            at_ms = (rise.begin_ms + clocks[len(clocks) // 2]) % DAY_MS
            patterns.append(Usual(at_ms, peak, len(days)))
    return patterns


def habits(readings: Mapping[Series, Columns], gap_ms: int, now_ms: int) -> list[Usual]:
    """Of a room, from its readings of the last seven days. None where a controller tells of its
    defrosts itself."""
    if any(series.quantity == "defrost" for series in readings):
        return []
    openings = sorted(
        at
        for series, rows in readings.items()
        if series.quantity == "door"
        for at, count, _ in rows
        if count
    )
    found: list[Usual] = []
    for series in sorted(readings):
        if series.quantity == "temperature":
            rows = readings[series]
            samples = [(at, count) for at, count, bits in rows if not bits & NOT_VALID]
            found += _standing_out(_thinned(samples), openings, gap_ms, now_ms)
    return found


def _standing_out(
    samples: Sequence[Sample], openings: Sequence[int], gap_ms: int, now_ms: int
) -> list[Usual]:
    """By the smallest rise that the room's thermostat does not make."""
    for least in RISES:
        found = [_with_door(r, openings) for r in rises(samples, gap_ms, least)]
        if not _thermostat([r for r in found if r.begin_ms >= now_ms - WEEK_MS]):
            return usual(found, now_ms)
    return []


def _with_door(rise: Rise, openings: Sequence[int]) -> Rise:
    i = bisect_left(openings, rise.begin_ms)
    return replace(rise, door=i < len(openings) and openings[i] < rise.end_ms)


def _thermostat(week: Sequence[Rise]) -> bool:
    """So many rises that no door explains are no defrosts."""
    return sum(not rise.door for rise in week) > MOST_A_DAY * OF_DAYS


def _thinned(samples: Sequence[Sample]) -> list[Sample]:
    """The first of every two minutes: enough for what takes half an hour, and a week of a probe
    that speaks every ten seconds stays a matter of milliseconds."""
    slots: dict[int, Sample] = {}
    for sample in samples:
        slots.setdefault(sample[0] // THIN_MS, sample)
    return list(slots.values())


def like(patterns: Sequence[Usual], began_ms: int, peak: int, lasted_ms: int) -> Usual | None:
    """The usual defrost that an excursion looks like; None when it is warmer, longer or at
    another time."""
    if lasted_ms > LONGEST_MS:
        return None
    return next(
        (
            p
            for p in patterns
            if 0 <= (began_ms - p.at_ms + CLOCK_MS) % DAY_MS <= CLOCK_MS + LONGEST_MS
            and peak <= p.peak + PEAK
        ),
        None,
    )


class HeldBack:
    """Warnings of one room that look like the defrost of every day wait, for 45 min at most, and
    are not told when they are over by then (docs/decisions/0012).

    ``habits_at`` says what the seven days before an instant have taught; it is asked once for
    each warning."""

    def __init__(self, habits_at: Callable[[int], list[Usual]]) -> None:
        self._habits_at = habits_at
        self._asked: dict[int, list[Usual]] = {}  # by when the warning began

    def until(self, facts: Sequence[Fact], now_ms: int) -> dict[str, int]:
        """The codes not to tell yet, and the end of that: ``RoomSeen.silenced``."""
        waiting: dict[str, int] = {}
        for fact in facts:
            until_ms = fact.began_at_ms + LONGEST_MS
            over = fact.cleared_at_ms is not None and fact.cleared_at_ms <= now_ms
            ends = now_ms > until_ms or (now_ms == until_ms and not over)
            if fact.code not in LOWERED or now_ms < fact.fired_at_ms or ends:
                continue
            began_ms = fact.began_at_ms
            if began_ms not in self._asked:
                late_ms = now_ms - LONGEST_MS
                self._asked = {at: found for at, found in self._asked.items() if at > late_ms}
                self._asked[began_ms] = self._habits_at(began_ms)
            peak = -NEVER if fact.peak is None else fact.peak
            if like(self._asked[began_ms], began_ms, peak, now_ms - began_ms):
                waiting[fact.code] = until_ms
        return waiting


def _apart(one_ms: int, other_ms: int) -> int:
    return abs(_apart_signed(one_ms, other_ms))


def _apart_signed(one_ms: int, other_ms: int) -> int:
    """Between two times of day, the short way round."""
    return (one_ms - other_ms + DAY_MS // 2) % DAY_MS - DAY_MS // 2
