"""A room's machine, power and doors: what excuses a warm hour, and what foretells one."""

from collections.abc import Sequence

from domain.heard import Heard
from domain.plant import BatteryState, advance_battery, advance_never_stops, advance_no_start
from domain.power import PowerState, advance_power
from domain.precooling import PrecoolState, advance_precooling
from domain.prediction import COMPRESSOR_OFF_MS
from domain.signals import Steps, spans_of
from domain.span import FOREVER, Span, united, without
from domain.suppression import Causes, DefrostState, defrost_excuses, door_excuses
from domain.timer import Timer


def plant(heard: Heard) -> tuple[list[Span], list[Span], list[Span]]:
    """When mains were off, when no known compressor ran, when one had rested an hour."""
    mains_off = spans_of(0, heard.runs_of("mains").values())
    compressors = heard.runs_of("compressor").values()
    if not compressors:
        return mains_off, [], []
    off, on = spans_of(0, compressors), spans_of(1, compressors)
    resting = [piece for span in off for piece in without(span, on)]
    hour = united(
        (run.begin + COMPRESSOR_OFF_MS, run.end)
        for each in compressors
        for run in each
        if run.value == 0
    )
    return mains_off, resting, hour


def excuses(heard: Heard) -> tuple[dict[str, DefrostState], Causes]:
    door: list[Span] = []
    defrost: list[Span] = []
    defrosts: dict[str, DefrostState] = {}
    for source, found in heard.runs_of("door").items():
        excuses = door_excuses(source, found, heard.maintenance, heard.slice)
        door += excuses.spans
        heard.note(excuses.alarms, excuses.pauses, excuses.lasting)
    heaters = {**{s: [] for s in heard.before.defrosts}, **heard.runs_of("defrost")}
    for source, found in sorted(heaters.items()):
        state, excuses = defrost_excuses(
            source,
            heard.before.defrosts.get(source),
            found,
            lambda at: heard.known.rule_at(at).defrost_ms,
            heard.maintenance,
            heard.slice,
        )
        if state is not None:
            defrosts[source] = state
        defrost += excuses.spans
        heard.note(excuses.alarms, excuses.pauses, excuses.lasting)
    causes = Causes(united(door), united(defrost), heard.known.activity)
    return defrosts, causes


def power(heard: Heard) -> dict[str, PowerState]:
    mains = heard.runs_of("mains")
    if not spans_of(0, mains.values()):
        return {}
    hot = spans_of(1, heard.runs_of("ambient_temperature").values())
    predicted = [
        (a.fired_at_ms, FOREVER if a.cleared_at_ms is None else a.cleared_at_ms)
        for a in heard.alarms
        if a.code == "PREDICT_HIGH"
    ]
    danger = united((*hot, *predicted))
    states: dict[str, PowerState] = {}
    for source, found in mains.items():
        state, alarms = advance_power(
            source,
            heard.before.outages.get(source),
            found,
            danger,
            heard.maintenance,
            heard.slice,
        )
        if state is not None:
            states[source] = state
        heard.note(alarms)
    return states


def demand(
    heard: Heard, resting: Sequence[Span], mains_off: Sequence[Span], defrost: Sequence[Span]
) -> tuple[Steps, int | None, dict[str, Timer]]:
    """COMP_NO_START and COMP_NEVER_STOPS: is the machine doing what the set point asks?"""
    setpoint = heard.before.setpoint.extended(
        reading for source in heard.of("setpoint") for reading in heard.valid.get(source, ())
    )
    timers = {source: before.no_start for source, before in heard.samples.items()}
    if not setpoint.times:
        return setpoint, None, timers
    off = heard.known.off("COMP_NO_START")
    reached: set[int] = set()
    if heard.before.reached_ms is None:
        reached.add(setpoint.times[0])
    for source in heard.of("temperature"):
        timers[source], alarms = advance_no_start(
            source,
            timers[source],
            heard.events(source, off),
            setpoint,
            resting,
            mains_off,
            defrost,
            heard.gap_ms,
        )
        heard.note(alarms)
        for at, count in heard.valid.get(source, ()):
            wanted = setpoint.at(at)
            if wanted is not None and count <= wanted:
                reached.add(at)
    cuts = heard.known.off("COMP_NEVER_STOPS")
    for source, found in heard.runs_of("compressor").items():
        heard.note(
            advance_never_stops(
                source, heard.before.reached_ms, sorted(reached), found, cuts, heard.slice
            )
        )
    return setpoint.last(), max(reached, default=heard.before.reached_ms), timers


def batteries(heard: Heard) -> dict[str, BatteryState]:
    states: dict[str, BatteryState] = {}
    for source in heard.of("battery"):
        states[source], alarms = advance_battery(
            source,
            heard.before.batteries.get(source, BatteryState()),
            heard.events(source),
            heard.maintenance,
            heard.slice,
        )
        heard.note(alarms)
    return states


def precooling(heard: Heard) -> PrecoolState:
    coolings = heard.known.activity.precooling
    if not coolings:
        return heard.before.precool
    state, alarms = advance_precooling(
        heard.before.precool,
        coolings,
        {source: heard.valid.get(source, []) for source in heard.of("product_temperature")},
        heard.removals,
        heard.maintenance,
        heard.slice,
    )
    heard.note(alarms)
    return state
