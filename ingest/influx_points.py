"""The points that InfluxDB has of a series, one by one, against the readings of the store.

A point is named by its tags and its time, to the nanosecond, so besides a missing point and a
changed value this sees one in another room, one with a tag of somebody else's, and one that
stands a fraction of a second beside its reading. Both sides are read a page at a time.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from domain.quantity import QUANTITIES
from domain.reading import NOT_VALID, Columns, Series
from ingest.influx_server import Influx, identifier, string
from ingest.placement import UNASSIGNED, Stay, pieces
from store.ports import ReadingReader

DAY_MS = 86_400_000
NS = 1_000_000  # in a millisecond
PAGE = 10_000  # readings at a time, and points of each place: an answer with more is marked partial
COLUMNS = ["time", "value", "suspect", "quality"]

Tags = tuple[tuple[str, str], ...]
Row = Sequence[Any]  # time in ns, then the fields; None where the point has no such field
Points = Mapping[Tags, Sequence[Row]]


class Unlike(NamedTuple):
    """How the points of a span differ from its readings; all zero: they do not.

    ``elsewhere``: at a reading's time, but under other tags, and not under its own. ``extra``:
    any other point that no reading stands for."""

    missing: int = 0
    changed: int = 0
    elsewhere: int = 0
    extra: int = 0

    def plus(self, other: "Unlike") -> "Unlike":
        return Unlike(*map(sum, zip(self, other, strict=True)))


def unlike(
    readings: ReadingReader,
    influx: Influx,
    series: Series,
    stays: Sequence[Stay],
    from_ms: int,
    to_ms: int,
) -> dict[int, Unlike]:
    """By start of the UTC day, the days of the span that differ. Raises ``NoAnswer``."""
    days: dict[int, Unlike] = {}
    while from_ms < to_ms:
        stored = readings.between(series, from_ms, to_ms, PAGE)
        until_ms = stored.at_ms[-1] + 1 if len(stored) == PAGE else to_ms
        found, until_ms = _found(influx, series, from_ms, until_ms)
        expected = wanted(series, stays, stored, from_ms, until_ms)
        for day_ms, one in compared(expected, found):
            days[day_ms] = days.get(day_ms, Unlike()).plus(one)
        from_ms = until_ms
    return days


def wanted(
    series: Series, stays: Sequence[Stay], columns: Columns, from_ms: int, until_ms: int
) -> Points:
    """The points that stand for the readings of the span, as the follower writes them."""
    scale = 10 ** QUANTITIES[series.quantity].decimals
    points: defaultdict[Tags, list[Row]] = defaultdict(list)
    first = bisect_left(columns.at_ms, from_ms)
    for stay in pieces(stays, from_ms, until_ms):
        last = bisect_left(columns.at_ms, stay.to_ms, first)
        if first == last:
            continue
        rows = points[_tags(series, stay)]
        times, counts = columns.at_ms[first:last], columns.count[first:last]
        bits = columns.quality[first:last]
        if not any(bits):
            rows += [
                [at * NS, count / scale, None, None]
                for at, count in zip(times, counts, strict=True)
            ]
        else:
            for at, count, quality in zip(times, counts, bits, strict=True):
                both = (None, count / scale) if quality & NOT_VALID else (count / scale, None)
                rows.append([at * NS, *both, quality or None])
        first = last
    return points


def compared(expected: Points, found: Points) -> Iterator[tuple[int, Unlike]]:
    """Start of day and what differs there; a day without a difference is not named."""
    places = [
        place
        for place in expected.keys() | found.keys()
        if expected.get(place, []) != found.get(place, [])
    ]
    right, there = _named(expected, places), _named(found, places)
    missing = Counter(at_ns for _, at_ns in right.keys() - there.keys())
    extra = Counter(at_ns for _, at_ns in there.keys() - right.keys())
    changed = Counter(name[1] for name in right.keys() & there.keys() if right[name] != there[name])
    elsewhere = missing & extra
    kinds = [_by_day(one) for one in (missing - elsewhere, changed, elsewhere, extra - elsewhere)]
    for day_ms in sorted(set().union(*kinds)):
        yield day_ms, Unlike(*(one[day_ms] for one in kinds))


def _named(points: Points, places: Iterable[Tags]) -> dict[tuple[Tags, int], list[Any]]:
    return {(place, row[0]): list(row[1:]) for place in places for row in points.get(place, [])}


def _by_day(times: Mapping[int, int]) -> Counter[int]:
    days: Counter[int] = Counter()
    for at_ns, n in times.items():
        days[at_ns // NS // DAY_MS * DAY_MS] += n
    return days


def _tags(series: Series, stay: Stay) -> Tags:
    return (
        ("probe", series.probe),
        ("room", stay.room or UNASSIGNED),
        ("site", stay.site or UNASSIGNED),
    )


def _found(influx: Influx, series: Series, from_ms: int, until_ms: int) -> tuple[Points, int]:
    """All points from ``from_ms`` up to the instant that is returned: where one place has more of
    them than a page holds, the others are cut at the same time."""
    answer = influx.query(
        f'SELECT "value", "suspect", "quality" FROM {identifier(series.quantity)} '  # noqa: S608 - quoted
        f'WHERE "probe" = {string(series.probe)} AND time >= {from_ms}ms AND time < {until_ms}ms '
        f"GROUP BY * LIMIT {PAGE}",
        epoch="ns",
    )
    points = {_place(one["tags"]): _rows(one) for one in answer}
    full = [rows[-1][0] // NS for rows in points.values() if len(rows) >= PAGE]
    if full:
        until_ms = max(min(full), from_ms + 1)
        for place, rows in points.items():
            points[place] = rows[: bisect_left(rows, until_ms * NS, key=itemgetter(0))]
    return {place: rows for place, rows in points.items() if rows}, until_ms


def _place(tags: Mapping[str, str]) -> Tags:
    """Empty where other points of the measurement have such a tag, and these do not."""
    return tuple(sorted((name, text) for name, text in tags.items() if text))


def _rows(one: Mapping[str, Any]) -> Sequence[Row]:
    columns, rows = one["columns"], one["values"]
    if columns == COLUMNS:
        return rows  # type: ignore[no-any-return]  # decoded JSON
    return [[dict(zip(columns, row, strict=True)).get(name) for name in COLUMNS] for row in rows]
