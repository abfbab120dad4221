"""A room's limits, its dose of cold, and where its temperatures are heading."""

from collections.abc import Iterator, Sequence
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
from domain.signals import spans_of
from domain.span import FOREVER, Span, united
from domain.suppression import Causes, Regime

OUTSIDE_RULES = ("WHO_", "GSP_")


def limits(heard: Heard, stretches: Sequence[Regime]) -> dict[str, LimitState]:
    states: dict[str, LimitState] = {}
    for source, before in heard.samples.items():
        states[source], alarms = advance_limits(
            source,
            before.limits,
            heard.valid.get(source, ()),
            _of_slow(heard, source, stretches),
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
    sources = heard.of("humidity")
    if not sources:
        return {}
    bounds = [
        Bounds(r.from_ms, ((r.humidity, False),), r.humidity.low, r.humidity.high)
        if r.humidity is not None
        else Bounds(r.from_ms, (), 0, 10_000)
        for r in stretches
    ]
    states: dict[str, LimitState] = {}
    for source in sources:
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


def _dose_stretches(heard: Heard, stretches: Sequence[Regime]) -> Iterator[DoseStretch]:
    """The stretches cut where goods come or go."""
    edges = {edge for span in heard.known.activity.stocked for edge in span}
    marks = {r.from_ms: r for r in stretches}
    regime = stretches[0]
    for at in sorted({*marks, *(edge for edge in edges if heard.slice.holds(edge))}):
        regime = marks.get(at, regime)
        yield DoseStretch(at, regime.dose, heard.stocking(at), regime.dose_paused, regime.dose_off)


def dose(heard: Heard, stretches: Sequence[Regime]) -> dict[str, DoseState]:
    doses = {source: before.dose for source, before in heard.samples.items()}
    if all(r.dose is None for r in stretches) and all(s.last is None for s in doses.values()):
        return doses
    found = list(_dose_stretches(heard, stretches))
    for source, before in doses.items():
        doses[source], alarms = advance_dose(
            source,
            before,
            heard.valid.get(source, ()),
            found,
            heard.removals.get(source, ()),
            heard.rule.interval_ms,
            heard.slice,
        )
        heard.note(alarms)
    return doses


def predictions(
    heard: Heard, causes: Causes, plant_off: Sequence[Span]
) -> tuple[dict[str, PredictState], dict[str, PredictState], tuple[Span, ...]]:
    opened = [*heard.before.doors, *spans_of(1, heard.runs_of("door").values())]
    remembered = heard.slice.upto_ms - DOOR_SHUT_MS
    doors = tuple(
        (begin, end) for begin, end in united(opened) if end != FOREVER and end > remembered
    )
    high = {source: before.high for source, before in heard.samples.items()}
    freeze = {source: before.freeze for source, before in heard.samples.items()}
    for direction, predicts, states in (
        (HIGH, heard.rule.predicts_high, high),
        (FREEZE, heard.rule.predicts_freeze, freeze),
    ):
        asked = {of: state for of, state in states.items() if predicts or state.last_ms is not None}
        if not asked:
            continue
        off = heard.known.off(direction.code)
        excused = united((*causes.defrost, *heard.known.activity.loading))
        door = united((begin, min(end + DOOR_SHUT_MS, FOREVER)) for begin, end in opened)
        codes = (*direction.warnings, direction.critical)
        limiting = [alarm for alarm in heard.alarms if alarm.code in codes]
        for source, state in asked.items():
            limited = united(
                (a.fired_at_ms, FOREVER if a.cleared_at_ms is None else a.cleared_at_ms)
                for a in limiting
                if probe_of(a.source) == probe_of(source)
            )
            around = Surroundings(off, excused, door, plant_off, limited)
            heard.around[direction.code, source] = around
            states[source], alarms = advance_prediction(
                source,
                direction,
                state,
                heard.events(source),
                heard.rule,
                around,
                heard.gap_ms,
                heard.slice,
            )
            heard.note(alarms)
    return high, freeze, doors
