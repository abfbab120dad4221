"""A value that does not move although its room does: SENSOR_STUCK (alarm decisions 44).

Flat alone is no fault in a loaded freezer: the compressor must have started twice, or a
companion have moved by 1 degC, while the value stood still.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from domain.span import FOREVER, Alarm, Sample

Event = tuple[int, int | None]

FLAT = 10  # counts between the lowest and the highest of a run
MOVED = 100
FEW = 8  # events: looked at as they are
_NONE = (FOREVER, -FOREVER)  # the lowest and the highest of no values: nothing is far from them


@dataclass(frozen=True, slots=True)
class StuckState:
    """``after``: for each value of the run, when the sample after its last one came."""

    run_ms: int | None = None
    last: Sample | None = None
    after: tuple[tuple[int, int], ...] = ()
    began_ms: int = 0
    fired_ms: int | None = None


@dataclass(frozen=True, slots=True)
class MovedState:
    """``values``: last time of each value seen after ``moved_ms``.

    ``moved_ms``: the latest instant from which the series has moved by ``MOVED`` since; a run
    that began before it has seen the movement."""

    moved_ms: int = -1
    values: tuple[tuple[int, int], ...] = ()


def advance_moved(state: MovedState, events: Sequence[Event]) -> tuple[MovedState, list[Sample]]:
    """The state, and (instant, moved_ms) at each sample where ``moved_ms`` grew. ``events``:
    valid samples, and (instant, None) where the probe was removed."""
    if not events:
        return state, []
    moved = state.moved_ms
    values = dict(state.values)  # ascending
    low, high = (state.values[0][0], state.values[-1][0]) if values else _NONE
    grew: list[Sample] = []
    for at, count in events:
        if count is None:
            values, (low, high) = {}, _NONE
            continue
        if count - low >= MOVED or high - count >= MOVED:
            far = max(seen for value, seen in values.items() if abs(value - count) >= MOVED)
            if far > moved:
                moved = far
                grew.append((at, moved))
                values = {value: seen for value, seen in values.items() if seen > moved}
                low, high = (min(values), max(values)) if values else _NONE
        values[count] = at
        if count < low:
            low = count
        if count > high:
            high = count
    return MovedState(moved, tuple(sorted(values.items()))), grew


@dataclass(frozen=True, slots=True)
class Companions:
    """What else moved, as seen by one series. ``moved``: (instant, moved_ms) of each other
    series, both ascending, the first from before the slice. ``starts``: (instant, the second
    latest compressor start as known then), likewise."""

    moved: Sequence[Sequence[Sample]]
    starts: Sequence[Sample]

    def since(self, run_ms: int, at_ms: int) -> bool:
        """Has any of it happened within a run, as known at an instant?"""
        for steps in (*self.moved, self.starts):
            i = bisect_right(steps, (at_ms, FOREVER))
            if i and steps[i - 1][1] > run_ms:
                return True
        return False


def advance_stuck(
    source: str,
    state: StuckState,
    events: Sequence[Event],
    companions: Companions,
    long_ms: int,
    gap_ms: int,
) -> tuple[StuckState, list[Alarm]]:
    """``events``: valid samples, and (instant, None) where everything stops."""
    if not events and state.fired_ms is None:
        return state, []
    run, last, fired, began = state.run_ms, state.last, state.fired_ms, state.began_ms
    after = dict(state.after)
    alarms: list[Alarm] = []

    def close(at: int) -> None:
        nonlocal fired, began
        if fired is not None:
            alarms.append(Alarm(source, "SENSOR_STUCK", "warning", began, fired, at))
        fired, began = None, 0

    for part in _parts(events, long_ms // 2) if len(events) > FEW else [events]:
        if len(part) > FEW and fired is None:
            since = part[0][0] if run is None else run
            if part[-1][0] - since < long_ms:  # none of them can fire
                part = _decisive(part)
        for at, count in part:
            if count is None:
                close(at)
                run, last, after = None, None, {}
                continue
            if last is not None and at - last[0] <= gap_ms and run is not None:
                after[last[1]] = at
                low, high = count - FLAT, count + FLAT
                for value in [value for value in after if value < low or value > high]:
                    seen = after.pop(value)
                    if seen > run:
                        run = seen
            else:
                run, after = at, {}
            last = (at, count)
            if at - run < long_ms:
                if fired is not None:
                    close(at)
            elif fired is None and companions.since(run, at):
                fired, began = at, run
    if fired is not None:
        alarms.append(Alarm(source, "SENSOR_STUCK", "warning", began, fired, None))
    return StuckState(run, last, tuple(sorted(after.items())), began, fired), alarms


def _parts(events: Sequence[Event], long_ms: int) -> Iterator[Sequence[Event]]:
    """The events in parts, none of which lasts so long."""
    first = 0
    while first < len(events):
        end = bisect_left(events, (events[first][0] + long_ms,), first)
        yield events[first:end]
        first = end


def _decisive(events: Sequence[Event]) -> Sequence[Event]:
    """The last of them, back to where the values lie so far apart that no value from before can
    be flat with all that came since: the state after them follows from these."""
    low, high = FOREVER, -FOREVER
    for i in range(len(events) - 1, -1, -1):
        count = events[i][1]
        if count is None:
            return events[i:]
        low, high = min(low, count), max(high, count)
        if high - low > 2 * FLAT:
            return events[i:]
    return events
