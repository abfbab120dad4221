"""A value that does not move although its room does: SENSOR_STUCK (alarm decisions 44).

Flat alone is no fault in a loaded freezer: the compressor must have started twice, or a
companion have moved by 1 degC, while the value stood still.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from domain.span import FOREVER, Alarm, Sample

FLAT = 10  # counts between the lowest and the highest of a run
MOVED = 100


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


def advance_moved(
    state: MovedState, events: Iterable[tuple[int, int | None]]
) -> tuple[MovedState, list[Sample]]:
    """The state, and (instant, moved_ms) at each sample where ``moved_ms`` grew. ``events``:
    valid samples, and (instant, None) where the probe was removed."""
    moved = state.moved_ms
    values = dict(state.values)
    low, high = _ends(values)
    grew: list[Sample] = []
    for at, count in events:
        if count is None:
            values = {}
            low, high = _ends(values)
            continue
        if count - low >= MOVED or high - count >= MOVED:
            far = max(seen for value, seen in values.items() if abs(value - count) >= MOVED)
            if far > moved:
                moved = far
                grew.append((at, moved))
                values = {value: seen for value, seen in values.items() if seen > moved}
                low, high = _ends(values)
        values[count] = at
        if count < low:
            low = count
        if count > high:
            high = count
    return MovedState(moved, tuple(sorted(values.items()))), grew


def _ends(values: Mapping[int, int]) -> tuple[int, int]:
    """Lowest and highest; with nothing there, nothing is far from them."""
    return min(values, default=FOREVER), max(values, default=-FOREVER)


@dataclass(frozen=True, slots=True)
class Companions:
    """What else moved, as seen by one series. ``moved``: (instant, moved_ms) of any other
    series, instants ascending, the first from before the slice. ``starts``: (instant, the
    second latest compressor start as known then), likewise."""

    moved: Sequence[Sample]
    starts: Sequence[Sample]


def advance_stuck(
    source: str,
    state: StuckState,
    events: Iterable[tuple[int, int | None]],
    companions: Companions,
    long_ms: int,
    gap_ms: int,
) -> tuple[StuckState, list[Alarm]]:
    """``events``: valid samples, and (instant, None) where everything stops."""
    run, last, fired, began = state.run_ms, state.last, state.fired_ms, state.began_ms
    after = dict(state.after)
    alarms: list[Alarm] = []

    def close(at: int) -> None:
        nonlocal fired, began
        if fired is not None:
            alarms.append(Alarm(source, "SENSOR_STUCK", "warning", began, fired, at))
        fired, began = None, 0

    moved, starts = _Latest(companions.moved), _Latest(companions.starts)
    for at, count in events:
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
        elif fired is None and (moved.at(at) > run or starts.at(at) > run):
            fired, began = at, run
    if fired is not None:
        alarms.append(Alarm(source, "SENSOR_STUCK", "warning", began, fired, None))
    return StuckState(run, last, tuple(sorted(after.items())), began, fired), alarms


class _Latest:
    """Steps read in ascending order of instants."""

    def __init__(self, steps: Sequence[Sample]) -> None:
        self._steps = steps
        self._next = 0
        self._value = -1

    def at(self, at_ms: int) -> int:
        while self._next < len(self._steps) and self._steps[self._next][0] <= at_ms:
            self._value = max(self._value, self._steps[self._next][1])
            self._next += 1
        return self._value
