"""Sensors that lie: out of range twice in a row, or away from all their neighbours.

SENSOR_RANGE and SENSOR_DISAGREE (alarm decisions 43 and 45). Maintenance switches both off.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from domain.profile import MINUTE_MS
from domain.span import Alarm, Sample, Slice, Span, covered
from domain.timer import Timer

APART = 300  # counts from the median
TOGETHER = 250
DISAGREE_MS = 30 * MINUTE_MS


@dataclass(frozen=True, slots=True)
class RangeState:
    """``bad_ms``: the sample before was out of range. ``level`` of the active alarm."""

    bad_ms: int | None = None
    began_ms: int = 0
    fired_ms: int | None = None
    level: str = ""
    clearing: int = 0

    @property
    def idle(self) -> bool:
        return self.bad_ms is None and self.fired_ms is None


_IDLE = RangeState()


def advance_range(
    source: str,
    state: RangeState,
    events: Iterable[tuple[int, int | None]],
    level_at: Callable[[int], str],
) -> tuple[RangeState, list[Alarm]]:
    """``events``: (instant, 1 when out of range), None where everything stops. The second of
    two in a row fires, the second of two good ones clears; gaps do not matter."""
    alarms: list[Alarm] = []
    for at, out in events:
        if out is None:
            alarms += _range_alarm(source, state, at)
            state = _IDLE
        elif state.fired_ms is not None:
            clearing = 0 if out else state.clearing + 1
            if clearing == 2:
                alarms += _range_alarm(source, state, at)
                state = _IDLE
            else:
                state = RangeState(None, state.began_ms, state.fired_ms, state.level, clearing)
        elif not out:
            state = _IDLE
        elif state.bad_ms is None:
            state = RangeState(bad_ms=at)
        else:
            state = RangeState(None, state.bad_ms, at, level_at(at))
    return state, alarms + _range_alarm(source, state, None)


def _range_alarm(source: str, state: RangeState, cleared: int | None) -> list[Alarm]:
    if state.fired_ms is None:
        return []
    return [Alarm(source, "SENSOR_RANGE", state.level, state.began_ms, state.fired_ms, cleared)]


@dataclass(frozen=True, slots=True)
class DisagreeState:
    """Per series: its latest valid sample, and its timer."""

    latest: Mapping[str, Sample]
    timers: Mapping[str, Timer]


def advance_disagree(
    state: DisagreeState,
    samples: Mapping[str, Sequence[Sample]],
    off: Sequence[Span],
    removals: Mapping[str, Sequence[int]],
    gap_ms: int,
    slice_: Slice,
) -> tuple[DisagreeState, list[Alarm]]:
    """``samples`` of the room's ``temperature`` series by source; ``removals`` likewise."""
    if not state.timers and not removals and not any(samples.values()):
        return state, []
    latest, timers = dict(state.latest), dict(state.timers)
    if not timers and _near(latest, samples):
        for source in samples:
            stops = [at for at in removals.get(source, ()) if slice_.holds(at)]
            if samples[source]:
                latest[source] = samples[source][-1]
            if source in latest and stops and stops[-1] >= latest[source][0]:
                del latest[source]
        return DisagreeState(latest, timers), []

    alarms: list[Alarm] = []
    events: dict[int, list[tuple[str, int]]] = {}
    for source, rows in samples.items():
        for at, count in rows:
            events.setdefault(at, []).append((source, count))
    stops_at: dict[int, list[str]] = {}
    for source in latest.keys() | samples.keys():
        for at in removals.get(source, ()):
            if slice_.holds(at):
                stops_at.setdefault(at, []).append(source)
    for begin, _ in off:
        if slice_.holds(begin):
            stops_at.setdefault(begin, []).append("")

    for at in sorted(events.keys() | stops_at.keys()):
        for stopped in sorted(stops_at.get(at, ())):
            for source in sorted(timers) if stopped == "" else [stopped]:
                if source in timers:
                    alarms += timers.pop(source).alarm(source, "SENSOR_DISAGREE", at)
            latest.pop(stopped, None)
        gone = stops_at.get(at, ())
        heard = [(source, count) for source, count in events.get(at, []) if source not in gone]
        for source, count in heard:
            latest[source] = (at, count)
        if not heard or covered(off, at):
            continue
        fresh = sorted(count for seen, count in latest.values() if at - seen <= gap_ms)
        if not timers and fresh[-1] - fresh[0] <= APART:
            continue
        middle = fresh[(len(fresh) - 1) // 2] + fresh[len(fresh) // 2]  # twice the median
        for source, count in sorted(heard):
            apart = abs(2 * count - middle) if len(fresh) >= 2 else 0
            timer = timers.pop(source, Timer())
            timer, cleared = timer.step(
                at,
                holds=apart > 2 * APART,
                clears=apart <= 2 * TOGETHER,
                delay_ms=DISAGREE_MS,
                gap_ms=gap_ms,
            )
            if cleared is not None:
                alarms += cleared.alarm(source, "SENSOR_DISAGREE", at)
            if timer.since_ms is not None or timer.fired_ms is not None:
                timers[source] = timer
    for source, timer in sorted(timers.items()):
        alarms += timer.alarm(source, "SENSOR_DISAGREE", None)
    return DisagreeState(latest, timers), alarms


def _near(latest: Mapping[str, Sample], samples: Mapping[str, Sequence[Sample]]) -> bool:
    """One series alone, or none of them ever far enough from another to be away from the median."""
    if len(latest.keys() | {source for source in samples if samples[source]}) < 2:
        return True
    counts = [count for _, count in latest.values()]
    counts += [count for rows in samples.values() for _, count in rows]
    return max(counts) - min(counts) <= APART
