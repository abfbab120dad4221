"""Doors, mains, compressors, defrost heaters: what holds until the next reading says otherwise.

Before its first reading a door is closed, a defrost off, mains on and a compressor unknown
(alarm decisions 30); so it is again once the probe was removed. Silence changes nothing.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from domain.span import FOREVER, Sample, Slice, Span, united


@dataclass(frozen=True, slots=True)
class Hold:
    """A value since an instant; None: nothing known."""

    value: int | None = None
    since_ms: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """One stretch of one value; ``end`` FOREVER while it lasts."""

    value: int
    begin: int
    end: int


def runs(
    state: Hold, readings: Sequence[Sample], removals: Sequence[int], slice_: Slice
) -> tuple[Hold, list[Run]]:
    """The runs that reach into the slice, the one carried into it first."""
    if not readings and not removals:
        return state, [] if state.value is None else [Run(state.value, state.since_ms, FOREVER)]
    events: list[tuple[int, int, int | None]] = [(at, 0, value) for at, value in readings]
    events += [(at, 1, None) for at in removals if slice_.holds(at)]
    events.sort(key=lambda event: event[:2])
    out: list[Run] = []
    value, since = state.value, state.since_ms
    for at, _, new in events:
        if new == value:
            continue
        if value is not None and since < at:
            out.append(Run(value, since, at))
        value, since = new, at
    if value is not None:
        out.append(Run(value, since, FOREVER))
    return Hold(value, since if value is not None else 0), out


def spans_of(value: int, of: Iterable[Sequence[Run]]) -> list[Span]:
    """When any of the sources had the value."""
    return united((run.begin, run.end) for each in of for run in each if run.value == value)


@dataclass(frozen=True, slots=True)
class Steps:
    """The latest of several sources' readings at an instant; of one instant the smaller."""

    times: tuple[int, ...] = ()
    values: tuple[int, ...] = ()

    def at(self, at_ms: int) -> int | None:
        i = bisect_right(self.times, at_ms)
        return self.values[i - 1] if i else None

    def extended(self, readings: Iterable[Sample]) -> "Steps":
        latest: dict[int, int] = {}
        for at, value in readings:
            latest[at] = min(value, latest.get(at, value))
        if not latest:
            return self
        ordered = sorted(latest.items())
        return Steps(
            self.times + tuple(at for at, _ in ordered),
            self.values + tuple(value for _, value in ordered),
        )

    def last(self) -> "Steps":
        return Steps(self.times[-1:], self.values[-1:]) if len(self.times) > 1 else self
