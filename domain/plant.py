"""The machine and its batteries: a compressor that does not start, one that never stops,
a probe that is running out. Alarm decisions 46 and 47.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from domain.profile import MINUTE_MS
from domain.signals import Run, Steps
from domain.span import FOREVER, Alarm, Sample, Slice, Span, clock_alarms, covered
from domain.timer import Timer

HOUR_MS = 60 * MINUTE_MS
NO_START_ABOVE = 200  # counts above the set point
NO_START_MS = 15 * MINUTE_MS
NEVER_STOPS = (("COMP_NEVER_STOPS", "warning", 6 * HOUR_MS),)
DAY_MS = 24 * HOUR_MS
BATTERY_RULES = (  # code, level, below, clears at; counts of 0.1 %
    ("LOW_BATTERY_WARN", "warning", 200, 250),
    ("LOW_BATTERY_CRIT", "critical", 100, 150),
)


def advance_no_start(
    source: str,
    timer: Timer,
    events: Iterable[tuple[int, int | None]],
    setpoint: Steps,
    resting: Sequence[Span],
    mains_off: Sequence[Span],
    defrost: Sequence[Span],
    gap_ms: int,
) -> tuple[Timer, list[Alarm]]:
    """``resting``: no compressor runs and at least one is known. Defrost drops the timer."""
    code = "COMP_NO_START"
    alarms: list[Alarm] = []
    for at, count in events:
        if count is None:
            alarms += timer.alarm(source, code, at)
            timer = Timer()
            continue
        wanted = setpoint.at(at)
        holds = (
            wanted is not None
            and count >= wanted + NO_START_ABOVE
            and covered(resting, at)
            and not covered(mains_off, at)
        )
        timer, cleared = timer.step(
            at,
            holds=holds and not covered(defrost, at),
            clears=not holds,
            delay_ms=NO_START_MS,
            gap_ms=gap_ms,
        )
        if cleared is not None:
            alarms += cleared.alarm(source, code, at)
    return timer, alarms + timer.alarm(source, code, None)


def advance_never_stops(
    source: str,
    reached_ms: int | None,
    reached: Sequence[int],
    compressor: Sequence[Run],
    cuts: Sequence[Span],
    slice_: Slice,
) -> list[Alarm]:
    """``reached``: instants of the slice at which a temperature was at or below the set point,
    and of the first set point; ``reached_ms`` the latest before it, None without a set point.
    Each ends the condition and begins it anew."""
    alarms: list[Alarm] = []
    edges = ([] if reached_ms is None else [reached_ms]) + list(reached)
    for run in compressor:
        if run.value != 1 or run.end - run.begin <= NEVER_STOPS[0][2]:
            continue
        for i, edge in enumerate(edges):
            end = min(run.end, edges[i + 1] if i + 1 < len(edges) else FOREVER)
            begin = max(run.begin, edge)
            if end - begin > NEVER_STOPS[0][2]:
                alarms += clock_alarms(source, NEVER_STOPS, (begin, end), cuts, slice_)
    return alarms


@dataclass(frozen=True, slots=True)
class BatteryState:
    """``highs``: readings of the last 24 h that no later one exceeds. ``fired_ms`` per rule."""

    highs: tuple[Sample, ...] = ()
    fired_ms: tuple[int | None, ...] = (None, None)


def advance_battery(
    source: str,
    state: BatteryState,
    events: Iterable[tuple[int, int | None]],
    off: Sequence[Span],
    slice_: Slice,
) -> tuple[BatteryState, list[Alarm]]:
    """Cold lowers the reading, so the highest of the last 24 h decides. ``events``: readings,
    and (instant, None) where the probe was removed; while ``off`` they are only remembered."""
    highs = list(state.highs)
    fired = list(state.fired_ms)
    alarms: list[Alarm] = []
    stops = [begin for begin, _ in off if slice_.holds(begin)]

    def close(at: int | None) -> None:
        for i, (code, level, _, _) in enumerate(BATTERY_RULES):
            began = fired[i]
            if began is not None:
                alarms.append(Alarm(source, code, level, began, began, at))

    for at, count in events:
        while stops and stops[0] <= at:
            close(stops.pop(0))
            fired = [None, None]
        if count is None:
            close(at)
            highs, fired = [], [None, None]
            continue
        while highs and highs[-1][1] <= count:
            highs.pop()
        highs.append((at, count))
        while highs[0][0] <= at - DAY_MS:
            highs.pop(0)
        best = highs[0][1]
        for i, (code, level, below, clears_at) in enumerate(BATTERY_RULES):
            began = fired[i]
            if began is None and best < below and not covered(off, at):
                fired[i] = at
            elif began is not None and best >= clears_at:
                alarms.append(Alarm(source, code, level, began, began, at))
                fired[i] = None
    for at in stops:
        close(at)
        fired = [None, None]
    close(None)
    return BatteryState(tuple(highs), tuple(fired)), alarms
