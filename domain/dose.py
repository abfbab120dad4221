"""Chilling counts as a dose: hours below the threshold since the room was stocked.

CRIT_CHILL_CUM (alarm decisions 22), the only rule with a cumulative counter: many short
breaches defeat a consecutive timer. It counts through gaps, pauses and off spans, and fires
once a stocking.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from domain.profile import Limit
from domain.screening import LOOK_AHEAD
from domain.span import Alarm, Sample, Slice, Tail


@dataclass(slots=True)
class DoseState:
    """``total_ms`` below the threshold; sums as in ``limits`` from the first sample counted on.
    ``last`` None: no sample since the beginning or a removal, and nothing else is set.
    Never changed once in a state."""

    stocking: int | None = None
    last: Sample | None = None
    total_ms: int = 0
    began_ms: int | None = None
    fired_ms: int | None = None
    told: bool = False
    clearing: int = 0
    peak: int = 0
    excess: int = 0
    unknown_ms: int = 0
    held: int = 0
    ended: tuple[Tail, ...] = ()


@dataclass(frozen=True, slots=True)
class DoseStretch:
    """What holds from ``from_ms`` on. ``stocking``: when the goods came in; None: empty."""

    from_ms: int
    limit: Limit | None
    stocking: int | None
    paused: bool
    off: bool


def advance_dose(
    source: str,
    state: DoseState,
    samples: Sequence[Sample],
    stretches: Sequence[DoseStretch],
    removals: Sequence[int],
    interval_ms: int,
    slice_: Slice,
) -> tuple[DoseState, list[Alarm]]:
    if all(stretch.limit is None for stretch in stretches) and state.last is None:
        return state, []
    series = _Dose(source, replace(state), interval_ms, stretches[0])
    stops = [(at, None) for at in removals if slice_.holds(at)]
    changes = [(stretch.from_ms, stretch) for stretch in stretches[1:]]
    i = 0
    for at, stretch in sorted([*stops, *changes], key=lambda m: (m[0], m[1] is not None)):
        while i < len(samples) and samples[i][0] < at:
            series.step(*samples[i])
            i += 1
        here = samples[i][1] if i < len(samples) and samples[i][0] == at else None
        if stretch is None:
            series.restart(at, here)
            i += here is not None
        else:
            series.change(at, stretch, here)
    for sample in samples[i:]:
        series.step(*sample)
    return series.state, series.alarms + series.lasting()


class _Dose:
    def __init__(
        self, source: str, state: DoseState, interval_ms: int, stretch: DoseStretch
    ) -> None:
        self.source = source
        self.state = state
        self.interval_ms = interval_ms
        self.now = stretch
        self.alarms: list[Alarm] = []

    def step(self, at: int, count: int) -> None:
        limit, state = self.now.limit, self.state
        if state.ended:
            self._settle(at)
        last, state.last = state.last, (at, count)
        if limit is None or self.now.stocking is None:
            return
        state.stocking = self.now.stocking
        elapsed = at - last[0] if last else self.interval_ms
        below = count < limit.low
        if state.began_ms is not None and last:
            if elapsed > LOOK_AHEAD * self.interval_ms:
                state.unknown_ms += elapsed
                state.clearing = 0
            else:
                state.excess += state.held * elapsed
            state.peak = min(state.peak, count)
        if below and state.began_ms is None:
            state.began_ms, state.peak = at, count
        if below:
            state.total_ms += min(elapsed, self.interval_ms)
        state.held = max(limit.reference_low - count, 0)
        if state.fired_ms is not None:
            state.clearing = state.clearing + 1 if count >= limit.clear_low else 0
            if state.clearing == 2:
                self._close(at)
            return
        silent = self.now.paused or self.now.off or state.told
        if below and not silent and state.total_ms >= limit.delay_ms:
            state.fired_ms, state.told = at, True

    def change(self, at: int, stretch: DoseStretch, here: int | None) -> None:
        before, self.now = self.now, stretch
        goes_off = stretch.off and not before.off
        if goes_off:
            self._end(at, here)
        other = _threshold(before.limit) != _threshold(stretch.limit)
        if other or stretch.stocking != before.stocking:
            self._end(at, here)
            self.state = DoseState(last=self.state.last, ended=self.state.ended)

    def restart(self, at: int, here: int | None) -> None:
        """The probe left: what it counted is not counted against another place."""
        self._end(at, here)
        self._settle(None)
        self.state = DoseState()

    def _end(self, at: int, here: int | None) -> None:
        """Close although no two good samples came. ``here``: the count measured at that instant."""
        state = self.state
        if state.fired_ms is None:
            return
        if here is not None:
            state.peak = min(state.peak, here)
        last_ms = state.last[0] if state.last else at
        state.ended += tuple(
            Tail(replace(alarm, cleared_at_ms=at), last_ms, state.held) for alarm in self._active()
        )
        state.fired_ms, state.clearing = None, 0

    def _settle(self, next_ms: int | None) -> None:
        """The next sample came, or none will come any more."""
        gap_ms = LOOK_AHEAD * self.interval_ms
        self.alarms += [tail.summed(gap_ms, next_ms) for tail in self.state.ended]
        self.state.ended = ()

    def _close(self, at: int) -> None:
        self.alarms += [replace(alarm, cleared_at_ms=at) for alarm in self._active()]
        self.state.fired_ms, self.state.clearing = None, 0

    def lasting(self) -> list[Alarm]:
        gap_ms = LOOK_AHEAD * self.interval_ms
        ended = [replace(tail.summed(gap_ms), final=False) for tail in self.state.ended]
        return self._active() + ended

    def _active(self) -> list[Alarm]:
        state = self.state
        if state.fired_ms is None or state.began_ms is None:
            return []
        return [
            Alarm(
                source=self.source,
                code="CRIT_CHILL_CUM",
                level="critical",
                began_at_ms=state.began_ms,
                fired_at_ms=state.fired_ms,
                cleared_at_ms=None,
                peak=state.peak,
                excess=state.excess,
                unknown_ms=state.unknown_ms,
            )
        ]


def _threshold(limit: Limit | None) -> int | None:
    return None if limit is None else limit.low
