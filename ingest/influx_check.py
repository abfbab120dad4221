"""Does InfluxDB have what the store has? Counted per series and UTC day, and made so.

Only valid readings (field ``value``) are counted. A day that differs is removed and written
again from the store.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from domain.reading import Series
from ingest.cursor import load
from ingest.followed import Followed
from ingest.influx import Follower, follower
from ingest.influx_server import Influx, connect
from ingest.settings import InfluxSettings
from store.ports import ReadingReader

DAY_MS = 86_400_000
DAYS = 31  # a query

Count = dict[tuple[Series, int], int]  # (series, start of day) -> valid readings


@dataclass(frozen=True, slots=True)
class Difference:
    series: Series
    day_ms: int
    stored: int
    found: int


@dataclass(frozen=True, slots=True)
class Report:
    """``behind``: arrivals that the follower has yet to bring; their days differ for now."""

    series: int
    days: int
    behind: int
    differences: list[Difference] = field(default_factory=list)
    repaired: int = 0
    left: list[Difference] = field(default_factory=list)


def check(settings: InfluxSettings, *, repair: bool, now_ms: Callable[[], int]) -> Report:
    """Raises ``Unavailable``, ``NoAnswer`` (no InfluxQL there) or ``NotReady``."""
    influx = connect(settings)
    try:
        with Followed(settings) as followed:
            readings = followed.readings
            behind = readings.last_arrival() - load(Path(settings.cursor_path)).n
            days, differences = compare(readings, influx)
            repaired = 0
            left = differences
            if repair and differences:
                hand = follower(settings, influx, followed, now_ms)
                repaired = _repair(hand, differences)
                _, left = compare(readings, influx)
            return Report(len(readings.series()), days, behind, differences, repaired, left)
    finally:
        influx.close()


def compare(readings: ReadingReader, influx: Influx) -> tuple[int, list[Difference]]:
    """How many days of series were compared, and those that differ."""
    stored = _stored(readings)
    found = _found(readings, influx)
    return len(stored), [
        Difference(*key, stored.get(key, 0), found.get(key, 0))
        for key in sorted(stored.keys() | found.keys())
        if stored.get(key, 0) != found.get(key, 0)
    ]


def _stored(readings: ReadingReader) -> Count:
    counts: Count = {}
    for latest in readings.latest():
        for bucket in readings.buckets(latest.series, 0, latest.at_ms + 1, DAY_MS):
            counts[latest.series, bucket.start_ms] = bucket.n
    return counts


def _found(readings: ReadingReader, influx: Influx) -> Count:
    counts: Count = {}
    known = set(readings.series())
    newest = max((latest.at_ms for latest in readings.latest()), default=0)
    oldest = min((_oldest(readings, series) for series in known), default=0)
    for quantity in sorted({series.quantity for series in known}):
        for start_ms in range(oldest // DAY_MS * DAY_MS, newest + 1, DAYS * DAY_MS):
            end_ms = min(start_ms + DAYS * DAY_MS, (newest // DAY_MS + 1) * DAY_MS)
            answer = influx.query(
                f'SELECT count("value") FROM "{quantity}" WHERE time >= {start_ms}ms '  # noqa: S608 - a quantity's own name
                f'AND time < {end_ms}ms GROUP BY time(1d), "probe" fill(none)'
            )
            for one in answer:
                series = Series(one["tags"]["probe"], quantity)
                for at_ms, count in one["values"]:
                    if series in known and count:
                        counts[series, at_ms] = count
    return counts


def _oldest(readings: ReadingReader, series: Series) -> int:
    first = readings.between(series, 0, 1 << 53, 1)
    return first.at_ms[0] if len(first) else 1 << 53


def _repair(hand: Follower, differences: list[Difference]) -> int:
    for one in differences:
        hand.rewrite_span(one.series, one.day_ms, one.day_ms + DAY_MS)
    return len(differences)
