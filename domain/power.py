"""Mains lost: a warning after 2 min, critical as soon as the goods are in danger.

Alarm decisions 33. Danger: hot air outside, or a forecast of the critical limit.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from domain.profile import MINUTE_MS
from domain.signals import Run
from domain.span import Alarm, Slice, Span, clock_alarms, without

HOT = 2500  # counts of ambient_temperature, strictly above
WARN = (("POWER_LOSS_WARN", "warning", 2 * MINUTE_MS),)
CRIT_EARLIEST_MS = 30 * MINUTE_MS
CRIT_LATEST_MS = 60 * MINUTE_MS


@dataclass(frozen=True, slots=True)
class PowerState:
    """When POWER_LOSS_CRIT fired for the outage that began at ``begin_ms``."""

    begin_ms: int
    critical_ms: int


def advance_power(
    source: str,
    state: PowerState | None,
    outages: Sequence[Run],
    danger: Sequence[Span],
    cuts: Sequence[Span],
    slice_: Slice,
) -> tuple[PowerState | None, list[Alarm]]:
    """``danger``: sorted spans that reach into the slice; FOREVER ends what goes on."""
    alarms: list[Alarm] = []
    kept: PowerState | None = None
    for outage in outages:
        if outage.value != 0:
            continue
        alarms += clock_alarms(source, WARN, (outage.begin, outage.end), cuts, slice_)
        for begin, end in without((outage.begin, outage.end), cuts):
            if end <= slice_.after_ms or begin > slice_.upto_ms:
                continue
            if state is not None and state.begin_ms == begin:
                fired: int | None = state.critical_ms
            else:
                fired = _fires(begin, danger, slice_)
            if fired is None or fired >= end or fired > slice_.upto_ms:
                continue
            over = end <= slice_.upto_ms
            alarms.append(
                Alarm(source, "POWER_LOSS_CRIT", "critical", begin, fired, end if over else None)
            )
            if not over:
                kept = PowerState(begin, fired)
    return kept, alarms


def _fires(begin: int, danger: Sequence[Span], slice_: Slice) -> int | None:
    """The first moment in the slice; what earlier slices saw is in the state."""
    earliest = max(begin + CRIT_EARLIEST_MS, slice_.after_ms + 1)
    moments = [begin + CRIT_LATEST_MS]
    for danger_from, danger_to in danger:
        moment = max(danger_from, earliest)
        if moment < danger_to:
            moments.append(moment)
    return min(moments)
