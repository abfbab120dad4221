"""Does InfluxDB have what the store has? Compared per series and UTC day, and made so.

Of the valid readings (field ``value``) their number, sum, lowest and highest are compared, so that a
missing point, one that is nobody's, and a changed value are found; two values that changed places
within a day are not. What is older than the server keeps is left out. A day that differs is
removed and written again from the store; points at times when the store has nothing are removed.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from domain.quantity import QUANTITIES
from domain.reading import Series
from ingest.cursor import load
from ingest.followed import Followed
from ingest.influx import Follower, follower
from ingest.influx_server import Influx, NoAnswer, connect
from ingest.settings import InfluxSettings
from store.ports import ReadingReader

DAY_MS = 86_400_000
DAYS = 31  # a query
_SUMS = 'count("value"), sum("value"), min("value"), max("value")'
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


class Sum(NamedTuple):
    """Of the valid readings of a day, as counts of the quantity's resolution."""

    n: int = 0
    total: int = 0
    low: int = 0
    high: int = 0


NOTHING = Sum()
Sums = Mapping[tuple[Series, int], Sum]  # (series, start of day)


@dataclass(frozen=True, slots=True)
class Difference:
    series: Series
    day_ms: int
    stored: Sum
    found: Sum


@dataclass(frozen=True, slots=True)
class Report:
    """``behind``: arrivals that the follower has yet to bring; their days differ for now.
    ``too_old``: days that the server no longer keeps."""

    series: int
    days: int
    behind: int
    too_old: int
    differences: list[Difference] = field(default_factory=list)
    repaired: int = 0
    left: list[Difference] = field(default_factory=list)


def check(settings: InfluxSettings, *, repair: bool, now_ms: Callable[[], int]) -> Report:
    """Raises ``Unavailable``, ``NoAnswer`` (no InfluxQL there) or ``NotReady``."""
    with closing(connect(settings)) as influx, Followed(settings) as followed:
        readings = followed.readings
        behind = readings.last_arrival() - load(Path(settings.cursor_path)).n
        keeps_ms = _keeps_ms(influx)
        kept_from_ms = (now_ms() - keeps_ms) // DAY_MS * DAY_MS + DAY_MS if keeps_ms else 0
        days, too_old, differences = compare(readings, influx, kept_from_ms)
        left = differences
        if repair and differences:
            _repair(follower(settings, influx, followed, now_ms), differences)
            _, _, left = compare(readings, influx, kept_from_ms)
        repaired = len(differences) if repair else 0
        return Report(len(readings.series()), days, behind, too_old, differences, repaired, left)


def compare(
    readings: ReadingReader, influx: Influx, kept_from_ms: int = 0
) -> tuple[int, int, list[Difference]]:
    """How many days of series were compared, how many were left out, and those that differ."""
    every = _stored(readings)
    stored = {key: one for key, one in every.items() if key[1] >= kept_from_ms}
    found = {key: one for key, one in _found(readings, influx) if key[1] >= kept_from_ms}
    return (
        len(stored),
        len(every) - len(stored),
        [
            Difference(*key, stored.get(key, NOTHING), found.get(key, NOTHING))
            for key in sorted(stored.keys() | found.keys())
            if stored.get(key, NOTHING) != found.get(key, NOTHING)
        ],
    )


def _stored(readings: ReadingReader) -> Sums:
    return {
        (latest.series, one.start_ms): Sum(one.n, one.total, one.low, one.high)
        for latest in readings.latest()
        for one in readings.buckets(latest.series, 0, latest.at_ms + 1, DAY_MS)
    }


def _found(readings: ReadingReader, influx: Influx) -> Iterator[tuple[tuple[Series, int], Sum]]:
    """Of our series, wherever their points lie."""
    known = set(readings.series())
    for quantity in sorted({series.quantity for series in known}):
        scale = 10 ** QUANTITIES[quantity].decimals
        first_ms, last_ms = _span(influx, quantity)
        for start_ms in range(first_ms // DAY_MS * DAY_MS, last_ms + 1, DAYS * DAY_MS):
            end_ms = min(start_ms + DAYS * DAY_MS, last_ms + 1)
            answer = influx.query(
                f'SELECT {_SUMS} FROM "{quantity}" WHERE time >= {start_ms}ms '  # noqa: S608 - a quantity's own name
                f'AND time < {end_ms}ms GROUP BY time(1d), "probe" fill(none)'
            )
            for one in answer:
                series = Series(one["tags"]["probe"], quantity)
                for at_ms, n, *values in one["values"]:
                    if series in known and n:
                        yield (series, at_ms), Sum(n, *(round(value * scale) for value in values))


def _span(influx: Influx, quantity: str) -> tuple[int, int]:
    """Times of the first and last value; an empty span where there is none."""
    times = [
        _only(influx.query(f'SELECT {which}("value") FROM "{quantity}"'))  # noqa: S608 - a quantity's own name
        for which in ("first", "last")
    ]
    return (0, -1) if None in times else (times[0] or 0, times[1] or 0)


def _only(answer: list[dict[str, Any]]) -> int | None:
    return int(answer[0]["values"][0][0]) if answer else None


def _keeps_ms(influx: Influx) -> int:
    """How long the server keeps points; 0: for ever, or it does not say."""
    try:
        answer = influx.query("SHOW RETENTION POLICIES")
    except NoAnswer:
        return 0
    for one in answer:
        for row in one["values"]:
            about = dict(zip(one["columns"], row, strict=True))
            match = _DURATION.fullmatch(str(about.get("duration", "")))
            if about.get("default") and match:
                hours, minutes, seconds = (int(part or 0) for part in match.groups())
                return ((hours * 60 + minutes) * 60 + seconds) * 1000
    return 0


def _repair(hand: Follower, differences: list[Difference]) -> None:
    for one in differences:
        hand.rewrite_span(one.series, one.day_ms, one.day_ms + DAY_MS)
