"""What comes if everything stays as it is.

The judgement itself, run on: probes that speak go on saying what they said last, silent ones
stay silent, doors and machines keep their state, nobody says anything. So the moment at which
a running timer will ring is the moment at which it does ring, and pauses that end by
themselves are in it.
"""

from array import array
from collections.abc import Iterable, Mapping

from domain.plan import Plan
from domain.profile import MINUTE_MS
from domain.reading import Columns, Quality, Series
from domain.room import Standing, said_alarms, stand
from domain.screening import LOOK_AHEAD, SAMPLES
from domain.span import Alarm, Slice

AHEAD_MS = 26 * 60 * MINUTE_MS  # longer than every timer of a clock rule
REPEATED = (*SAMPLES, "humidity", "battery")  # the rest holds its value until it is said anew


def outlook(standing: Standing, rows: Mapping[Series, Columns]) -> list[Alarm]:
    """Alarms that are yet to fire, by the moment at which they do. ``rows``: the readings that
    reach up to now; of those series that are to go on. None: nothing more arrives."""
    now = standing.at_ms
    slice_ = Slice(now, now + AHEAD_MS)
    later = stand(standing.state, _held(standing, rows), standing.known, slice_).found
    alarms = [*later.alarms, *later.active, *said_alarms(standing.known.activity, slice_)]
    return sorted(
        (alarm for alarm in alarms if alarm.fired_at_ms > now),
        key=lambda alarm: (alarm.fired_at_ms, alarm.code, alarm.source),
    )


def _held(standing: Standing, rows: Mapping[Series, Columns]) -> dict[Series, Columns]:
    now, known = standing.at_ms, standing.known
    interval_ms = known.rule_at(now).interval_ms
    found: dict[Series, Columns] = {}
    for series, columns in rows.items():
        last = _last(columns, now)
        if series.quantity not in REPEATED or last is None:
            continue
        at, count, quality = last
        gone = _gone(known, series, at)
        if gone or now - at >= LOOK_AHEAD * interval_ms:  # its silence is told by now
            continue
        first = at + ((now - at) // interval_ms + 1) * interval_ms
        times = array("q", range(first, now + AHEAD_MS + 1, interval_ms))
        n = len(times)
        found[series] = Columns(times, array("q", [count]) * n, array("H", [quality]) * n)
    return found


def _last(columns: Columns, now_ms: int) -> tuple[int, int, int] | None:
    """The newest row that is not in conflict: which of two values stays, nobody knows."""
    said: Iterable[tuple[int, int, int]] = reversed(list(columns))
    return next((r for r in said if r[0] <= now_ms and not r[2] & Quality.CONFLICT), None)


def _gone(known: Plan, series: Series, at_ms: int) -> bool:
    return any(removed >= at_ms for removed in known.removals(series.probe))
