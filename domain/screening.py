"""Which readings the rules may trust, and what is noted against the rest.

Alarm decisions 9 to 13. A jump is known only by what comes after it, so a sample's fate can
depend on the two samples that follow it within ``LOOK_AHEAD`` intervals; a reading changes
nothing that was measured earlier than that before it.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from domain.judgement import Flag
from domain.quantity import QUANTITIES
from domain.reading import CONFLICT, NOT_VALID, OUTSIDE_RANGE, Columns, Series
from domain.span import FOREVER, Sample, Slice

SAMPLES = ("temperature", "product_temperature")
LOOK_AHEAD = 3  # intervals
JUMP = 800  # counts: a step larger than this ...
RETURNED = 200  # ... that comes back to within this
REFUSED = NOT_VALID & ~OUTSIDE_RANGE  # for a reason that says nothing about the range


@dataclass(frozen=True, slots=True)
class ScreenState:
    """The last sample without a flag, and until when (outside) a jump found earlier lasts."""

    last: Sample | None = None
    jump_until_ms: int = 0


_FRESH = ScreenState()


@dataclass(frozen=True, slots=True)
class Screened:
    """``rows``: (instant, 1 when out of range), what SENSOR_RANGE counts."""

    valid: list[Sample]
    rows: list[Sample]
    flags: list[Flag]
    state: ScreenState


def screen_signal(series: Series, columns: Columns, low: int, high: int, slice_: Slice) -> Screened:
    """Any series that is not a sample series; ``low`` and ``high`` for ambient_temperature."""
    quantity = QUANTITIES[series.quantity]
    if series.quantity != "ambient_temperature":
        low, high = quantity.low_count, quantity.high_count
    valid: list[Sample] = []
    flags: list[Flag] = []
    for at, count, bits in columns:
        if not slice_.holds(at):
            continue
        if bits & CONFLICT:
            flags.append(Flag(at, series.probe, series.quantity, "CONFLICT"))
        elif not low <= count <= high or bits & OUTSIDE_RANGE:
            flags.append(Flag(at, series.probe, series.quantity, "SENSOR_RANGE"))
        elif not bits & NOT_VALID:
            valid.append((at, count))
    return Screened(valid, [], flags, _FRESH)


def screen_samples(
    series: Series,
    columns: Columns,
    low: int,
    high: int,
    interval_ms: int,
    state: ScreenState,
    slice_: Slice,
) -> Screened:
    """``columns`` begin in the slice and reach ``LOOK_AHEAD`` intervals beyond it where there is
    that much."""
    rows: list[Sample] = []
    good: list[Sample] = []
    flags: list[Flag] = []
    if not any(columns.quality) and len(columns) and _within(columns, low, high):
        good = list(zip(columns.at_ms, columns.count, strict=True))
        rows = [(at, 0) for at in columns.at_ms[: bisect_right(columns.at_ms, slice_.upto_ms)]]
    else:
        for at, count, bits in columns:
            if bits & CONFLICT:
                if slice_.holds(at):
                    flags.append(Flag(at, series.probe, series.quantity, "CONFLICT"))
                continue
            out = not low <= count <= high or bool(bits & OUTSIDE_RANGE)
            if out and slice_.holds(at):
                flags.append(Flag(at, series.probe, series.quantity, "SENSOR_RANGE"))
            if bits & REFUSED:
                continue
            if slice_.holds(at):
                rows.append((at, int(out)))
            if not out:
                good.append((at, count))
    valid, jumps, state = _without_jumps(good, interval_ms, state, slice_)
    flags += [Flag(at, series.probe, series.quantity, "SENSOR_JUMP") for at in jumps]
    return Screened(valid, rows, flags, state)


def _within(columns: Columns, low: int, high: int) -> bool:
    return low <= min(columns.count) and max(columns.count) <= high


def _without_jumps(
    good: list[Sample], interval_ms: int, state: ScreenState, slice_: Slice
) -> tuple[list[Sample], list[int], ScreenState]:
    """The samples of the slice that are no jumps, the instants of those that are."""
    within = good[: bisect_right(good, (slice_.upto_ms, FOREVER))]
    if not within:
        return [], [], state
    last, until = state.last, state.jump_until_ms
    counts = [count for _, count in within]
    spread_low, spread_high = min(counts), max(counts)
    if last is not None:
        spread_low, spread_high = min(spread_low, last[1]), max(spread_high, last[1])
    if until <= within[0][0] and spread_high - spread_low <= JUMP:
        return within, [], ScreenState(within[-1], 0)

    valid: list[Sample] = []
    jumps: list[int] = []
    for i, (at, count) in enumerate(good):
        if at > slice_.upto_ms:
            break
        if at < until:
            jumps.append(at)
            continue
        if last is not None and at - last[0] <= interval_ms and abs(count - last[1]) > JUMP:
            back = _return(good, i, last, interval_ms)
            if back is not None:
                until = back
                jumps.append(at)
                continue
        last = (at, count)
        valid.append(last)
    return valid, jumps, ScreenState(last, until if until > slice_.upto_ms else 0)


def _return(good: Sequence[Sample], i: int, last: Sample, interval_ms: int) -> int | None:
    for at, count in good[i + 1 : i + 3]:
        if abs(count - last[1]) <= RETURNED and at - last[0] <= LOOK_AHEAD * interval_ms:
            return at
    return None
