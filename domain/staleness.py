"""Holes in a series' record, by event time: DATA_GAP (alarm decisions 34).

A hole that late data fills was never there. That nothing *arrives* is another matter, judged
by the server's clock.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from domain.profile import MINUTE_MS
from domain.screening import LOOK_AHEAD
from domain.span import FOREVER, Alarm, Slice, Span, clock_alarms

CRITICAL_MS = 60 * MINUTE_MS


@dataclass(frozen=True, slots=True)
class GapState:
    last_ms: int | None = None


def advance_gaps(
    source: str,
    state: GapState,
    events: Sequence[tuple[int, int | None]],
    cuts: Sequence[Span],
    interval_ms: int,
    slice_: Slice,
) -> tuple[GapState, list[Alarm]]:
    """``events``: valid samples, and (instant, None) where the probe was removed."""
    longest = LOOK_AHEAD * interval_ms
    alarms: list[Alarm] = []
    last = state.last_ms
    for at, count in events:
        if last is not None and at - last > longest:
            alarms += _silent(source, (last, at), longest, cuts, slice_)
        last = None if count is None else at
    if last is not None and slice_.upto_ms - last >= longest:
        alarms += _silent(source, (last, FOREVER), longest, cuts, slice_)
    return GapState(last), alarms


def _silent(
    source: str, silence: Span, longest: int, cuts: Sequence[Span], slice_: Slice
) -> Iterator[Alarm]:
    rules = (
        ("DATA_GAP_WARN", "warning", longest),
        ("DATA_GAP_CRIT", "critical", max(CRITICAL_MS, longest)),
    )
    return clock_alarms(source, rules, silence, cuts, slice_)
