"""When a series left its limits, and when it came back.

Breach is strict, a consecutive timer must run its delay, two samples in a row clear (alarm
practice, section 3). The excursion behind an alarm may begin earlier than its timer and is
measured from the reference limit (alarm decisions 25 to 27): its sums are kept as whole counts
times milliseconds, so that nothing is rounded before it is shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from domain.profile import NEVER, Limit, level
from domain.screening import LOOK_AHEAD
from domain.span import Alarm, Sample, Slice, Tail


@dataclass(slots=True)
class Watch:
    """One limit rule on one series while something is going on. Never changed once in a state.

    ``run_*``: the unbroken samples beyond the reference limit up to now. ``peak``, ``excess``: of
    the excursion behind the timer that runs or the alarm that fired. ``held``: excess of the last
    sample, which holds until the next.
    """

    code: str
    since_ms: int | None = None
    run_peak: int | None = None
    run_excess: int = 0
    held: int = 0
    fired_ms: int | None = None
    began_ms: int = 0
    clearing: int = 0
    peak: int = 0
    excess: int = 0
    unknown_ms: int = 0

    @property
    def idle(self) -> bool:
        return self.since_ms is None and self.run_peak is None and self.fired_ms is None

    def copy(self) -> "Watch":
        return Watch(
            self.code, self.since_ms, self.run_peak, self.run_excess, self.held, self.fired_ms,
            self.began_ms, self.clearing, self.peak, self.excess, self.unknown_ms,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class LimitState:
    """``ended``: alarms that something else than samples ended after the last of them."""

    last: Sample | None = None
    watches: tuple[Watch, ...] = ()
    ended: tuple[Tail, ...] = ()


@dataclass(frozen=True, slots=True)
class Bounds:
    """Which limits hold from ``from_ms`` on, as one series sees them, and which are paused.

    A count within [calm_low, calm_high] breaches nothing and exceeds no reference limit.
    """

    from_ms: int
    limits: tuple[tuple[Limit, bool], ...]  # with: paused?
    calm_low: int
    calm_high: int


def advance_limits(
    source: str,
    state: LimitState,
    samples: Sequence[Sample],
    stretches: Sequence[Bounds],
    removals: Sequence[int],
    interval_ms: int,
    slice_: Slice,
) -> tuple[LimitState, list[Alarm]]:
    """Alarms that ended in the slice, and those active (cleared None) or not final at its end."""
    if not (state.watches or state.ended) and _calm(samples, stretches):
        last = samples[-1] if samples else state.last
        if last is not None and any(at >= last[0] for at in removals if slice_.holds(at)):
            last = None
        return state if last == state.last else LimitState(last), []
    series = _Series(source, state, interval_ms, stretches[0])
    stops = [(at, None) for at in removals if slice_.holds(at)]
    changes = [(bounds.from_ms, bounds) for bounds in stretches[1:]]
    marks = sorted([*stops, *changes], key=lambda mark: (mark[0], mark[1] is not None))
    i = 0
    for at, bounds in marks:
        while i < len(samples) and samples[i][0] < at:
            series.step(*samples[i])
            i += 1
        here = samples[i][1] if i < len(samples) and samples[i][0] == at else None
        if bounds is None:
            series.remove(at, here)
            i += here is not None  # only later samples start anew
        else:
            series.change(at, bounds, here)
    for sample in samples[i:]:
        series.step(*sample)
    return series.state(), series.alarms + series.lasting()


def _calm(samples: Sequence[Sample], stretches: Sequence[Bounds]) -> bool:
    if not samples:
        return True
    counts = [count for _, count in samples]
    lowest, highest = min(counts), max(counts)
    return all(x.calm_low <= lowest and highest <= x.calm_high for x in stretches)


class _Series:
    """The fold over one series of one slice."""

    def __init__(self, source: str, state: LimitState, interval_ms: int, bounds: Bounds) -> None:
        self.source = source
        self.last = state.last
        self.watches = {watch.code: watch.copy() for watch in state.watches}
        self.gap_ms = LOOK_AHEAD * interval_ms
        self.bounds = bounds
        self.alarms: list[Alarm] = []
        self.ended = list(state.ended)

    def step(self, at: int, count: int) -> None:
        last = self.last
        if self.ended:
            self._settle(at)
        self.last = (at, count)
        bounds = self.bounds
        if not self.watches and bounds.calm_low <= count <= bounds.calm_high:
            return
        elapsed = at - last[0] if last else 0
        gap = elapsed > self.gap_ms
        for limit, paused in bounds.limits:
            watch = self.watches.get(limit.code)
            if watch is None:
                if limit.calm(count):
                    continue
                watch = self.watches[limit.code] = Watch(limit.code)
            self._step(watch, limit, paused, at, count, elapsed, gap)
            if watch.idle:
                del self.watches[limit.code]

    def _step(
        self,
        watch: Watch,
        limit: Limit,
        paused: bool,
        at: int,
        count: int,
        elapsed: int,
        gap: bool,
    ) -> None:
        if gap:
            self._drop(watch)
            watch.run_peak = None
            watch.clearing = watch.run_excess = 0
        else:
            watch.run_excess += watch.held * elapsed
            if watch.since_ms is not None:
                watch.excess += watch.held * elapsed
        if watch.fired_ms is not None:
            watch.unknown_ms += elapsed if gap else 0
            watch.excess += 0 if gap else watch.held * elapsed
        excess = max(count - limit.reference_high, limit.reference_low - count, 0)
        watch.held = excess

        may_start = watch.fired_ms is None
        if watch.fired_ms is not None:
            watch.peak = worse(limit, watch.peak, count)
            clears = limit.clear_low <= count <= limit.clear_high
            watch.clearing = watch.clearing + 1 if clears else 0
            if watch.clearing == 2:
                self._close(watch, at)

        breaches = count > limit.high or count < limit.low
        starts = may_start and breaches and not paused
        if excess == 0:
            watch.run_peak, watch.run_excess = None, 0
        elif watch.run_peak is None:
            watch.run_peak, watch.run_excess = count, 0
        else:
            watch.run_peak = worse(limit, watch.run_peak, count)
        if not starts:
            self._drop(watch)
            return
        if watch.since_ms is None:
            watch.since_ms = at
            watch.peak = count if watch.run_peak is None else watch.run_peak
            watch.excess = watch.run_excess
        watch.peak = worse(limit, watch.peak, count)
        if at - watch.since_ms >= limit.delay_ms:
            watch.began_ms, watch.fired_ms, watch.since_ms = watch.since_ms, at, None
            watch.clearing = watch.unknown_ms = 0

    @staticmethod
    def _drop(watch: Watch) -> None:
        """The timer, and what it summed."""
        if watch.since_ms is not None:
            watch.since_ms = None
            watch.peak = watch.excess = 0

    def change(self, at: int, bounds: Bounds, here: int | None) -> None:
        """Rules that go off or change close; the others run on. ``here``: the count measured at
        that very instant, which still belongs to the excursion that ends there."""
        before = {limit.code: limit for limit, _ in self.bounds.limits}
        after = {limit.code: limit for limit, _ in bounds.limits}
        for code, watch in list(self.watches.items()):
            old, new = before.get(code), after.get(code)
            if new is not None and old is not None and _same(old, new):
                continue
            if watch.fired_ms is not None:
                self._end(watch, at, old, here)
            self._drop(watch)
            if new is None or watch.idle:
                del self.watches[code]
        self.bounds = bounds

    def remove(self, at: int, here: int | None) -> None:
        limits = {limit.code: limit for limit, _ in self.bounds.limits}
        for watch in self.watches.values():
            if watch.fired_ms is not None:
                self._end(watch, at, limits.get(watch.code), here)
        self._settle(None)
        self.watches.clear()
        self.last = None

    def _end(self, watch: Watch, at: int, limit: Limit | None, here: int | None) -> None:
        """Close although no two good samples came."""
        if limit is not None and here is not None:
            watch.peak = worse(limit, watch.peak, here)
        last_ms = self.last[0] if self.last else at
        self.ended.append(Tail(self._alarm(watch, at), last_ms, watch.held))
        self._rest(watch)

    def _settle(self, next_ms: int | None) -> None:
        """The next sample came, or none will come any more."""
        self.alarms += [tail.summed(self.gap_ms, next_ms) for tail in self.ended]
        self.ended.clear()

    def _close(self, watch: Watch, at: int) -> None:
        self.alarms.append(self._alarm(watch, at))
        self._rest(watch)

    @staticmethod
    def _rest(watch: Watch) -> None:
        watch.fired_ms = None
        watch.began_ms = watch.clearing = watch.peak = watch.excess = watch.unknown_ms = 0

    def _alarm(self, watch: Watch, cleared: int | None) -> Alarm:
        return Alarm(
            source=self.source,
            code=watch.code,
            level=level(watch.code),
            began_at_ms=watch.began_ms,
            fired_at_ms=watch.fired_ms or 0,
            cleared_at_ms=cleared,
            peak=watch.peak,
            excess=watch.excess,
            unknown_ms=watch.unknown_ms,
        )

    def lasting(self) -> list[Alarm]:
        active = [self._alarm(w, None) for w in self.watches.values() if w.fired_ms is not None]
        return active + [replace(tail.summed(self.gap_ms), final=False) for tail in self.ended]

    def state(self) -> LimitState:
        watches = tuple(self.watches[code] for code in sorted(self.watches))
        return LimitState(self.last, watches, tuple(self.ended))


def _same(old: Limit, new: Limit) -> bool:
    return old is new or replace(old, reference_high=0, reference_low=0) == replace(
        new, reference_high=0, reference_low=0
    )


def worse(limit: Limit, one: int, other: int) -> int:
    """The value farther out on the side that the rule watches; of two equally far the first."""
    if limit.low == -NEVER:
        return max(one, other)
    if limit.high == NEVER:
        return min(one, other)
    return other if _outside(limit, other) > _outside(limit, one) else one


def _outside(limit: Limit, count: int) -> int:
    return max(count - limit.high, limit.low - count)
