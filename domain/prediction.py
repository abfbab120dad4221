"""Where the last half hour leads: towards the critical limit within two hours, or not.

Alarm practice, section 6; alarm decisions 35. A line through the valid samples of the last
30 min; slope, fit and forecast are compared as whole numbers, so that no rounding decides.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from domain.profile import MINUTE_MS, WARNINGS_HIGH, WARNINGS_LOW, ResolvedRule
from domain.span import Alarm, Sample, Slice, Span, covered

WINDOW_MS = 30 * MINUTE_MS
FEWEST = 7
HOUR_MS = 60 * MINUTE_MS
SLOPE = 100  # counts an hour
DOOR_SHUT_MS = 45 * MINUTE_MS
COMPRESSOR_OFF_MS = HOUR_MS


@dataclass(frozen=True, slots=True)
class Direction:
    """One of the two mirror rules. ``sign`` 1 looks up, -1 down."""

    code: str
    sign: int
    ahead_ms: int
    warnings: tuple[str, ...]
    critical: str
    plant_gate: bool  # a stopped plant opens the gate as well as the warning limit


HIGH = Direction("PREDICT_HIGH", 1, 2 * HOUR_MS, WARNINGS_HIGH, "CRIT_HIGH", plant_gate=True)
FREEZE = Direction("PREDICT_FREEZE", -1, HOUR_MS, WARNINGS_LOW, "CRIT_FREEZE", plant_gate=False)


@dataclass(frozen=True, slots=True)
class PredictState:
    """``recent``: what later windows still need. ``fired_ms`` None: not active. ``last_ms`` None:
    no sample since the beginning or a removal, and nothing else is set."""

    recent: tuple[Sample, ...] = ()
    fired_ms: int | None = None
    clearing: int = 0
    last_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Spans that reach into the slice, sorted. ``door``: no prediction since a door was open
    within the last 45 min. ``limited``: a limit alarm of that side and probe is active."""

    off: Sequence[Span]
    excused: Sequence[Span]
    door: Sequence[Span]
    plant_off: Sequence[Span]
    limited: Sequence[Span]


def advance_prediction(
    source: str,
    direction: Direction,
    state: PredictState,
    events: Sequence[tuple[int, int | None]],
    rule: ResolvedRule,
    around: Surroundings,
    gap_ms: int,
    slice_: Slice,
) -> tuple[PredictState, list[Alarm]]:
    """``events``: valid samples, and (instant, None) where the probe was removed."""
    if not events and state.fired_ms is None:
        return state, []
    window = list(state.recent)
    fired, clearing, last = state.fired_ms, state.clearing, state.last_ms
    alarms: list[Alarm] = []
    sign = direction.sign
    bounds = _bounds(rule, direction)
    gated = direction.plant_gate and bool(around.plant_off)
    if fired is None and (bounds is None or not gated):
        counts = [count for _, count in events if count is not None]
        if len(counts) == len(events) and (bounds is None or _calm(counts, bounds[0], sign)):
            last = events[-1][0]
            return PredictState(_recent(window, events, last - WINDOW_MS), None, 0, last), []
    stops = sorted(begin for begin, _ in around.off if slice_.holds(begin))

    def close(at: int) -> None:
        nonlocal fired, clearing
        if fired is not None:
            alarms.append(Alarm(source, direction.code, "warning", fired, fired, at))
        fired, clearing = None, 0

    for at, count in events:
        while stops and stops[0] <= at:
            close(stops.pop(0))
        if count is None:
            close(at)
            window, last = [], None
            continue
        if last is not None and at - last > gap_ms:
            clearing = 0
        last = at
        window.append((at, count))
        if fired is None:
            if bounds is None or (not gated and sign * count < sign * bounds[0]):
                continue
            if covered(around.off, at) or _objection(direction, bounds, at, count, around):
                continue
        _forget(window, at)
        line = _line(window)
        if line is None:
            continue
        sxy, sxx, syy = line
        steep = sign * sxy * HOUR_MS >= SLOPE * sxx
        if fired is not None:
            clearing = 0 if steep else clearing + 1
            if clearing == 2:
                close(at)
        elif bounds is not None:
            straight = 5 * sxy * sxy >= 4 * sxx * syy and syy > 0
            reaches = sign * (count * sxx + sxy * direction.ahead_ms) >= sign * bounds[1] * sxx
            if steep and straight and reaches:
                fired, clearing = at, 0
    for stop in stops:
        close(stop)
    if fired is not None:
        alarms.append(Alarm(source, direction.code, "warning", fired, fired, None))
    if window:
        _forget(window, window[-1][0])
    return PredictState(tuple(window), fired, clearing, last), alarms


def _calm(counts: Sequence[int], warning: int, sign: int) -> bool:
    """All on the good side of the warning limit."""
    return max(counts) < warning if sign > 0 else min(counts) > warning


def _recent(
    window: Sequence[Sample], events: Sequence[tuple[int, int | None]], since_ms: int
) -> tuple[Sample, ...]:
    """Of both, one after the other, what lies at ``since_ms`` or later."""
    begin = bisect_left(events, (since_ms,))
    before = [sample for sample in window if sample[0] >= since_ms] if begin == 0 else []
    return (*before, *((at, count) for at, count in events[begin:] if count is not None))


def _bounds(rule: ResolvedRule, direction: Direction) -> tuple[int, int] | None:
    """Warning and critical limit of the side, in counts."""
    critical = rule.limit(direction.critical)
    warning = next((w for code in direction.warnings if (w := rule.limit(code))), None)
    if critical is None or warning is None:
        return None
    if direction.sign > 0:
        return warning.high, critical.high
    return warning.low, critical.low


def _objection(
    direction: Direction, bounds: tuple[int, int], at: int, count: int, around: Surroundings
) -> str:
    """Why no forecast is made of this sample; empty: it may be."""
    warning, critical = bounds
    sign = direction.sign
    if sign * count > sign * critical:
        return "beyond"
    stopped = direction.plant_gate and covered(around.plant_off, at)
    if sign * count < sign * warning and not stopped:
        return "within"
    if covered(around.door, at):
        return "door"
    if covered(around.excused, at):
        return "excused"
    return "limited" if covered(around.limited, at) else ""


@dataclass(frozen=True, slots=True)
class Trend:
    """What the last half hour says, rounded for people. ``objection`` to a forecast: beyond
    (the critical limit is passed), within (on the good side of the warning limit, and the
    plant runs), door (open within the last 45 min), excused (defrost, loading), limited (a limit
    alarm of that side says it already), few (samples); empty when none."""

    samples: int
    counts_an_hour: float
    fit: float
    objection: str


def trend(
    direction: Direction, state: PredictState, rule: ResolvedRule, around: Surroundings | None
) -> Trend | None:
    """At the last sample; None without any, or when the profile does not predict this way."""
    bounds = _bounds(rule, direction)
    if bounds is None or not state.recent or around is None:
        return None
    objection = _objection(direction, bounds, *state.recent[-1], around)
    line = _line(state.recent)
    if line is None:
        return Trend(len(state.recent), 0.0, 0.0, objection or "few")
    sxy, sxx, syy = line
    fit = sxy * sxy / (sxx * syy) if syy else 0.0
    return Trend(len(state.recent), sxy * HOUR_MS / sxx, fit, objection)


def _forget(window: list[Sample], at: int) -> None:
    """Leave the samples of the last 30 min, the one exactly 30 min old included."""
    keep = next((i for i, sample in enumerate(window) if sample[0] >= at - WINDOW_MS), len(window))
    del window[:keep]


def _line(window: Sequence[Sample]) -> tuple[int, int, int] | None:
    """n²-fold covariance and variances of (ms, counts); None with fewer than seven samples."""
    n = len(window)
    if n < FEWEST:
        return None
    origin, level = window[-1]
    xs = [at - origin for at, _ in window]
    ys = [count - level for _, count in window]
    sx, sy = sum(xs), sum(ys)
    sxy = n * sum(x * y for x, y in zip(xs, ys, strict=True)) - sx * sy
    sxx = n * sum(x * x for x in xs) - sx * sx
    syy = n * sum(y * y for y in ys) - sy * sy
    return sxy, sxx, syy
