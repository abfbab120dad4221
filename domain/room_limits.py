"""A room's limits, its dose of cold, and where its temperatures are heading."""

from collections.abc import Sequence
from dataclasses import replace

from domain.dose import DoseState, DoseStretch, advance_dose
from domain.heard import Heard
from domain.limits import Bounds, LimitState, advance_limits
from domain.plan import Plan
from domain.prediction import (
    DOOR_SHUT_MS,
    FREEZE,
    HIGH,
    PredictState,
    Surroundings,
    advance_prediction,
)
from domain.profile import Limit
from domain.room_state import probe_of
from domain.screening import SAMPLES
from domain.signals import spans_of
from domain.span import FOREVER, Span, united
from domain.suppression import Causes, Regime

OUTSIDE_RULES = ("WHO_", "GSP_")


def limits(heard: Heard, stretches: Sequence[Regime]) -> dict[str, LimitState]:
    bounds = [Bounds(r.from_ms, r.limits, r.calm_low, r.calm_high) for r in stretches]
    states: dict[str, LimitState] = {}
    for source in heard.of(*SAMPLES):
        states[source], alarms = advance_limits(
            source,
            heard.sample(source).limits,
            heard.valid.get(source, ()),
            _of_slow(heard, source, bounds),
            heard.removals.get(source, ()),
            heard.rule.interval_ms,
            heard.slice,
        )
        heard.note(alarms)
    return states


def _of_slow(heard: Heard, source: str, bounds: Sequence[Bounds]) -> Sequence[Bounds]:
    """The stretches as a probe sees them that shows late what the air did."""
    probe = probe_of(source)
    lags = heard.known.lags(probe)
    if not lags:
        return bounds
    edges = {b.from_ms for b in bounds} | {at for at, _ in lags if heard.slice.holds(at)}
    found: list[Bounds] = []
    for at in sorted(edges):
        held = next(b for b in reversed(bounds) if b.from_ms <= at)
        limits = tuple(
            (seen_by(probe, limit, heard.known, at), paused) for limit, paused in held.limits
        )
        found.append(replace(held, from_ms=at, limits=limits))
    return found


def seen_by(probe: str, limit: Limit, known: Plan, at_ms: int) -> Limit:
    """With the probe's time constant off the delay, which stays one interval at least (alarm
    practice, section 7). What copies an outside rule keeps its delay."""
    lag_ms = next((lag for since, lag in reversed(known.lags(probe)) if since <= at_ms), 0)
    if not lag_ms or not limit.delay_ms or limit.code.startswith(OUTSIDE_RULES):
        return limit
    least_ms = known.rule_at(at_ms).interval_ms
    return replace(limit, delay_ms=max(limit.delay_ms - lag_ms, least_ms))


def humidity(heard: Heard, stretches: Sequence[Regime]) -> dict[str, LimitState]:
    bounds = [
        Bounds(r.from_ms, ((r.humidity, False),), r.humidity.low, r.humidity.high)
        if r.humidity is not None
        else Bounds(r.from_ms, (), 0, 10_000)
        for r in stretches
    ]
    states: dict[str, LimitState] = {}
    for source in heard.of("humidity"):
        states[source], alarms = advance_limits(
            source,
            heard.before.humidity.get(source, LimitState()),
            heard.valid.get(source, ()),
            bounds,
            heard.removals.get(source, ()),
            heard.rule.interval_ms,
            heard.slice,
        )
        heard.note(replace(a, peak=None, excess=0, unknown_ms=0) for a in alarms)
    return states


def dose(heard: Heard, stretches: Sequence[Regime]) -> dict[str, DoseState]:
    edges = {edge for span in heard.known.activity.stocked for edge in span}
    marks = {r.from_ms: r for r in stretches}
    points = sorted({*marks, *(edge for edge in edges if heard.slice.holds(edge))})
    found: list[DoseStretch] = []
    regime = stretches[0]
    for at in points:
        regime = marks.get(at, regime)
        found.append(
            DoseStretch(at, regime.dose, heard.stocking(at), regime.dose_paused, regime.dose_off)
        )
    states: dict[str, DoseState] = {}
    for source in heard.of(*SAMPLES):
        states[source], alarms = advance_dose(
            source,
            heard.sample(source).dose,
            heard.valid.get(source, ()),
            found,
            heard.removals.get(source, ()),
            heard.rule.interval_ms,
            heard.slice,
        )
        heard.note(alarms)
    return states


def predictions(
    heard: Heard, causes: Causes, plant_off: Sequence[Span]
) -> tuple[dict[str, PredictState], dict[str, PredictState], tuple[Span, ...]]:
    opened = [
        *heard.before.doors,
        *spans_of(1, heard.runs_of("door").values()),
    ]
    remembered = heard.slice.upto_ms - DOOR_SHUT_MS
    doors = tuple(
        (begin, end) for begin, end in united(opened) if end != FOREVER and end > remembered
    )
    door = united((begin, min(end + DOOR_SHUT_MS, FOREVER)) for begin, end in opened)
    excused = united((*causes.defrost, *heard.known.activity.loading))
    states: list[dict[str, PredictState]] = []
    for direction, predicts in (
        (HIGH, heard.rule.predicts_high),
        (FREEZE, heard.rule.predicts_freeze),
    ):
        off = heard.known.off(direction.code)
        codes = (*direction.warnings, direction.critical)
        states.append({})
        for source in heard.of(*SAMPLES):
            sample = heard.sample(source)
            state = sample.high if direction is HIGH else sample.freeze
            if not predicts and state == PredictState():
                states[-1][source] = state
                continue
            limited = united(
                (a.fired_at_ms, FOREVER if a.cleared_at_ms is None else a.cleared_at_ms)
                for a in heard.alarms
                if a.code in codes and probe_of(a.source) == probe_of(source)
            )
            around = Surroundings(off, excused, door, plant_off, limited)
            heard.around[direction.code, source] = around
            states[-1][source], alarms = advance_prediction(
                source,
                direction,
                state,
                list(heard.events(source)),
                heard.rule,
                around,
                heard.gap_ms,
                heard.slice,
            )
            heard.note(alarms)
    return states[0], states[1], doors
