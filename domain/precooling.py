"""Pre-cooling that takes too long: 7/8 of the way not done in the time allowed.

PRECOOL_SLOW (alarm decisions 40).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from domain.activity import HOUR_MS, Precooling
from domain.span import Alarm, Sample, Slice, Span, clock_alarms

CRIT_LATER_MS = 2 * HOUR_MS


@dataclass(frozen=True, slots=True)
class PrecoolState:
    """The cooling that began at ``begin_ms``: the latest product temperature of each series
    heard since, and when all were at the goal."""

    begin_ms: int | None = None
    latest: tuple[tuple[str, int], ...] = ()
    reached_ms: int | None = None


def advance_precooling(
    state: PrecoolState,
    coolings: Sequence[Precooling],
    products: Mapping[str, Sequence[Sample]],
    removals: Mapping[str, Sequence[int]],
    cuts: Sequence[Span],
    slice_: Slice,
) -> tuple[PrecoolState, list[Alarm]]:
    """``products``: valid samples of ``product_temperature`` by source."""
    alarms: list[Alarm] = []
    for cooling in coolings:
        if cooling.end <= slice_.after_ms or cooling.begin > slice_.upto_ms:
            continue
        if state.begin_ms != cooling.begin:
            state = PrecoolState(cooling.begin)
        state = _follow(state, cooling, products, removals, slice_)
        end = cooling.end if state.reached_ms is None else state.reached_ms
        rules = (
            ("PRECOOL_SLOW_WARN", "warning", cooling.allowed_ms),
            ("PRECOOL_SLOW_CRIT", "critical", cooling.allowed_ms + CRIT_LATER_MS),
        )
        alarms += clock_alarms("", rules, (cooling.begin, end), cuts, slice_)
    return state, alarms


def _follow(
    state: PrecoolState,
    cooling: Precooling,
    products: Mapping[str, Sequence[Sample]],
    removals: Mapping[str, Sequence[int]],
    slice_: Slice,
) -> PrecoolState:
    if state.reached_ms is not None:
        return state
    latest = dict(state.latest)
    events: dict[int, dict[str, int | None]] = {}
    for source, rows in products.items():
        for at, count in rows:
            if cooling.begin <= at < cooling.end:
                events.setdefault(at, {})[source] = count
        for at in removals.get(source, ()):
            if slice_.holds(at) and cooling.begin <= at < cooling.end:
                events.setdefault(at, {})[source] = None
    for at in sorted(events):
        for source, heard in events[at].items():
            if heard is None:
                latest.pop(source, None)
            else:
                latest[source] = heard
        if latest and all(count <= cooling.goal for count in latest.values()):
            return PrecoolState(state.begin_ms, (), at)
    return PrecoolState(state.begin_ms, tuple(sorted(latest.items())), None)
