"""Does InfluxDB have what the store has? Compared by series and UTC day, and made so.

Every point can be read (``ingest.influx_points``), which sees every difference. Where that is too
much to read, number, sum, lowest and highest of a day's valid readings (field ``value``) say which
days to look at: they see what is missing, what is nobody's and most changes; not two values that
changed places within a day, a point in another room, or one that the rules would not trust.

A day counts as different when a second look at its points says so: the follower may have been at
it. What is older than the server keeps is left out. A day that differs is removed and written
again from the store; points at times when the store has nothing are removed.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from domain.quantity import QUANTITIES
from domain.reading import Series
from ingest.cursor import load
from ingest.followed import Followed
from ingest.influx import LAST_MS, follower
from ingest.influx_points import DAY_MS, Unlike, unlike
from ingest.influx_server import Influx, NoAnswer, connect, identifier
from ingest.placement import Placement, placement
from ingest.settings import InfluxSettings
from store.ports import ReadingReader

DAYS = 31  # a query of sums
FEW = 3_000_000  # readings whose points are read without being asked to
_SUMS = 'count("value"), sum("value"), min("value"), max("value")'
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")

T = TypeVar("T")
Say = Callable[[str, int, int], None]  # what is done now, how much of it, of how much


class Sum(NamedTuple):
    """Of the valid readings of a day, as counts of the quantity's resolution."""

    n: int = 0
    total: int = 0
    low: int = 0
    high: int = 0


class Day(NamedTuple):
    series: Series
    start_ms: int


@dataclass(frozen=True, slots=True)
class Difference:
    day: Day
    unlike: Unlike


@dataclass(frozen=True, slots=True)
class Report:
    """``readings``: valid ones of the days that were compared, each with its point when
    ``by_points``. ``behind``: arrivals that the follower has yet to bring; their days differ for
    now. ``too_old``: days that the server no longer keeps."""

    series: int
    days: int
    readings: int
    by_points: bool
    behind: int
    too_old: int
    differences: list[Difference] = field(default_factory=list)
    repaired: int = 0
    left: list[Difference] = field(default_factory=list)


def check(
    settings: InfluxSettings,
    *,
    repair: bool,
    now_ms: Callable[[], int],
    points: bool | None = None,
    days: int | None = None,
    say: Say = lambda _what, _done, _of: None,
) -> Report:
    """``points``: read all of them, or only those of days whose sums differ; None: all when there
    are few. ``days``: so many up to today. Raises ``Unavailable``, ``NoAnswer`` (no InfluxQL
    there) or ``NotReady``."""
    with closing(connect(settings)) as influx, Followed(settings) as followed:
        looking = _Looking(followed, influx, say)
        kept_ms = _kept_from_ms(influx, now_ms())
        asked_ms = now_ms() // DAY_MS * DAY_MS - (days - 1) * DAY_MS if days else 0
        from_ms = max(kept_ms, asked_ms)
        behind = followed.readings.last_arrival() - load(Path(settings.cursor_path)).n
        known = looking.days(from_ms)
        by_points = known.readings <= FEW if points is None else points
        suspects = looking.points(from_ms) if by_points else looking.sums(from_ms)
        differences = looking.again("looking again", sorted(suspects))
        left = differences
        if repair and differences:
            hand = follower(settings, influx, followed, now_ms)
            for one in looking.each("repairing", differences):
                start_ms = one.day.start_ms
                hand.rewrite_span(one.day.series, start_ms, start_ms + DAY_MS, looking.placed)
            left = looking.again("looking once more", [one.day for one in differences])
        return Report(
            len(looking.series),
            known.days,
            known.readings,
            by_points,
            behind,
            looking.days(0, kept_ms).days if kept_ms else 0,
            differences,
            len(differences) if repair else 0,
            left,
        )


class _Amount(NamedTuple):
    days: int
    readings: int


class _Looking:
    """What is compared, and by which of the ways."""

    def __init__(self, followed: Followed, influx: Influx, say: Say) -> None:
        self._readings: ReadingReader = followed.readings
        self._influx = influx
        self._say = say
        self.placed: Placement = {}
        if followed.records is not None:
            self.placed = placement(followed.records.assignments(), followed.records.rooms())
        self.series = sorted(self._readings.series())

    def days(self, from_ms: int, to_ms: int = LAST_MS) -> _Amount:
        """Days of series with valid readings, and how many readings these are."""
        days = readings = 0
        for series in self.each("days", self.series):
            for one in self._readings.buckets(series, from_ms, to_ms, DAY_MS):
                days += 1
                readings += one.n
        return _Amount(days, readings)

    def points(self, from_ms: int) -> Iterator[Day]:
        """Days that differ, every point looked at."""
        for series in self.each("points", self.series):
            yield from (Day(series, day_ms) for day_ms in self._unlike(series, from_ms, LAST_MS))

    def sums(self, from_ms: int) -> Iterator[Day]:
        """Days whose sums differ, wherever their points lie."""
        for quantity in sorted({series.quantity for series in self.series}):
            known = {series for series in self.series if series.quantity == quantity}
            first_ms, last_ms = self._extent(quantity, known, from_ms)
            starts = range(first_ms // DAY_MS * DAY_MS, last_ms + 1, DAYS * DAY_MS)
            for start_ms in self.each(f"sums of {quantity}", starts):
                end_ms = start_ms + DAYS * DAY_MS
                stored = self._stored(known, start_ms, end_ms)
                found = dict(self._found(quantity, known, start_ms, end_ms))
                yield from (
                    day for day in stored.keys() | found.keys() if stored.get(day) != found.get(day)
                )

    def again(self, what: str, days: Sequence[Day]) -> list[Difference]:
        """Those of the days whose points differ now, and how."""
        return [
            Difference(day, found)
            for day in self.each(what, days)
            for found in self._unlike(day.series, day.start_ms, day.start_ms + DAY_MS).values()
        ]

    def _unlike(self, series: Series, from_ms: int, to_ms: int) -> Mapping[int, Unlike]:
        stays = self.placed.get(series.probe, [])
        return unlike(self._readings, self._influx, series, stays, from_ms, to_ms)

    def _extent(self, quantity: str, known: set[Series], from_ms: int) -> tuple[int, int]:
        """Times of the first and last value on either side; an empty span where there is none."""
        times = [
            int(answer[0]["values"][0][0])
            for which in ("first", "last")
            if (
                answer := self._influx.query(
                    f'SELECT {which}("value") FROM {identifier(quantity)} '  # noqa: S608 - quoted
                    f"WHERE time >= {from_ms}ms AND time < {LAST_MS}ms"
                )
            )
        ]
        for series in known:
            times += self._readings.between(series, from_ms, LAST_MS, 1).at_ms
        times += [one.at_ms for one in self._readings.latest() if one.series in known]
        times = [at_ms for at_ms in times if at_ms >= from_ms]
        return (min(times), max(times)) if times else (0, -1)

    def _stored(self, known: set[Series], start_ms: int, end_ms: int) -> dict[Day, Sum]:
        return {
            Day(series, one.start_ms): Sum(one.n, one.total, one.low, one.high)
            for series in known
            for one in self._readings.buckets(series, start_ms, end_ms, DAY_MS)
        }

    def _found(
        self, quantity: str, known: set[Series], start_ms: int, end_ms: int
    ) -> Iterator[tuple[Day, Sum]]:
        scale = 10 ** QUANTITIES[quantity].decimals
        answer = self._influx.query(
            f"SELECT {_SUMS} FROM {identifier(quantity)} WHERE time >= {start_ms}ms "  # noqa: S608 - quoted
            f'AND time < {end_ms}ms GROUP BY time(1d), "probe" fill(none)'
        )
        for one in answer:
            series = Series(one["tags"]["probe"], quantity)
            for at_ms, n, *values in one["values"]:
                if series in known and n:
                    yield Day(series, at_ms), Sum(n, *(round(value * scale) for value in values))

    def each(self, what: str, these: Sequence[T]) -> Iterator[T]:
        for done, one in enumerate(these):
            self._say(what, done, len(these))
            yield one
        if these:
            self._say(what, len(these), len(these))


def _kept_from_ms(influx: Influx, now_ms: int) -> int:
    """The first whole day that the server still keeps; 0: all of them."""
    keeps_ms = _keeps_ms(influx)
    return (now_ms - keeps_ms) // DAY_MS * DAY_MS + DAY_MS if keeps_ms else 0


def _keeps_ms(influx: Influx) -> int:
    """How long the server keeps points; 0: for ever, or it does not say."""
    try:
        answer = influx.query("SHOW RETENTION POLICIES")
    except NoAnswer:
        return 0
    for one in answer:
        for row in one["values"]:
            about: dict[str, Any] = dict(zip(one["columns"], row, strict=True))
            match = _DURATION.fullmatch(str(about.get("duration", "")))
            if about.get("default") and match:
                hours, minutes, seconds = (int(part or 0) for part in match.groups())
                return ((hours * 60 + minutes) * 60 + seconds) * 1000
    return 0
