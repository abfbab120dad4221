"""The rules over one room: what the readings, the rules and people's actions amount to.

``judge`` is the specification. It is one ``advance`` over all that is known; the incremental
engine does the same in pieces, from states it kept. A state and the readings after it give
the same facts as everything from the beginning: each rule keeps in its state what it still
needs of the past, and only a jump looks ahead (``Plan.look_ahead_ms``).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from domain.activity import Activity
from domain.heard import Heard, cut
from domain.judgement import Asked, Judgement
from domain.plan import Plan, plan
from domain.prediction import Surroundings
from domain.profile import MINUTE_MS
from domain.reading import Columns, Series
from domain.room_limits import dose, humidity, limits, predictions
from domain.room_plant import batteries, demand, excuses, plant, power, precooling
from domain.room_sensors import disagree, gaps, ranges, stuck
from domain.room_state import Found, RoomState, SampleState
from domain.span import SINCE_EVER, Alarm, Sample, Slice, clock_alarms, united
from domain.suppression import Regime, activity_pauses, regimes
from domain.union import facts

LOADING_RULES = (("LOADING_TOO_LONG", "warning", 45 * MINUTE_MS),)
STOCK_RULES = (("STANDBY_WITH_STOCK", "warning", 0),)


def judge(asked: Asked, horizon_ms: int) -> Judgement:
    """Facts, pauses and flags known at the horizon; later readings are not looked at."""
    known = plan(asked.rules, asked.actions, horizon_ms)
    readings = {of: cut(rows, SINCE_EVER, horizon_ms) for of, rows in asked.readings.items()}
    _, found = advance(RoomState(), readings, known, Slice(SINCE_EVER, horizon_ms))
    return conclude([found], known, horizon_ms)


def conclude(found: Sequence[Found], known: Plan, horizon_ms: int) -> Judgement:
    """Consecutive slices, the last of which ends at the horizon, as one judgement."""
    slice_ = Slice(SINCE_EVER, horizon_ms)
    did = known.activity
    alarms = [alarm for each in found for alarm in each.alarms]
    alarms += found[-1].active
    alarms += said_alarms(did, slice_)
    pauses = [pause for each in found for pause in each.pauses]
    pauses += found[-1].lasting
    pauses += activity_pauses(did)
    flags = [flag for each in found for flag in each.flags]
    return Judgement(
        facts=facts(alarms),
        pauses=tuple(
            sorted(pauses, key=lambda p: (p.from_ms, p.cause, p.to_ms is None, p.to_ms or 0))
        ),
        flags=tuple(sorted(flags, key=lambda f: (f.at_ms, f.probe, f.quantity, f.reason))),
    )


def said_alarms(did: Activity, slice_: Slice) -> Iterator[Alarm]:
    """What follows from people's words alone."""
    for span in did.loadings:
        yield from clock_alarms("", LOADING_RULES, span, did.maintenance, slice_)
    for span in did.stocked_standby:
        yield from clock_alarms("", STOCK_RULES, span, did.maintenance, slice_)


@dataclass(frozen=True, slots=True)
class Standing:
    """A room at the end of a slice, and what its rules looked at there.

    ``valid``: the slice's samples that counted, by source. ``around``: what a forecast is kept
    from, by code and source.
    """

    at_ms: int
    known: Plan
    state: RoomState
    found: Found
    regime: Regime
    valid: Mapping[str, Sequence[Sample]]
    around: Mapping[tuple[str, str], Surroundings]


def advance(
    state: RoomState, readings: Mapping[Series, Columns], known: Plan, slice_: Slice
) -> tuple[RoomState, Found]:
    """From the state at ``slice_.after_ms`` to that at ``upto_ms``.

    ``readings`` hold all of the slice and ``known.look_ahead_ms`` beyond it, as far as the
    horizon; what lies outside is ignored.
    """
    standing = stand(state, readings, known, slice_)
    return standing.state, standing.found


def stand(
    state: RoomState, readings: Mapping[Series, Columns], known: Plan, slice_: Slice
) -> Standing:
    """As ``advance``. Between two rules' changes one rule holds, so the slice is cut there."""
    begins = [begin - 1 for begin, _ in known.rules if slice_.holds(begin - 1)]
    if not begins:
        return _advance(Heard(state, readings, known, slice_))
    parts: list[Standing] = []
    edges = [slice_.after_ms, *begins, slice_.upto_ms]
    for after, upto in pairwise(edges):
        if after < upto:
            parts.append(_advance(Heard(state, readings, known, Slice(after, upto))))
            state = parts[-1].state
    valid: dict[str, list[Sample]] = {}
    for part in parts:
        for source, samples in part.valid.items():
            valid.setdefault(source, []).extend(samples)
    return replace(parts[-1], found=joined([part.found for part in parts]), valid=valid)


def joined(found: Sequence[Found]) -> Found:
    """Consecutive slices as one."""
    return Found(
        alarms=tuple(alarm for each in found for alarm in each.alarms),
        pauses=tuple(pause for each in found for pause in each.pauses),
        flags=tuple(flag for each in found for flag in each.flags),
        active=found[-1].active,
        lasting=found[-1].lasting,
    )


def _advance(heard: Heard) -> Standing:
    """Each rule in turn, those first that others look at."""
    mains_off, resting, idle_for_an_hour = plant(heard)
    defrosts, causes = excuses(heard)
    stretches = regimes(heard.known.rules, causes, heard.slice)
    limit_states = limits(heard, stretches)
    high, freeze, doors = predictions(heard, causes, united((*mains_off, *idle_for_an_hour)))
    outages = power(heard)
    setpoint, reached, no_start = demand(heard, resting, mains_off, causes.defrost)
    moved, stuck_states, starts = stuck(heard)
    doses = dose(heard, stretches)
    gap_states = gaps(heard)
    range_states = ranges(heard)
    samples = {
        source: SampleState(
            screen=heard.screens.get(source, before.screen),
            limits=limit_states[source],
            dose=doses[source],
            high=high[source],
            freeze=freeze[source],
            gap=gap_states[source],
            range=range_states[source],
            stuck=stuck_states[source],
            moved=moved[source],
            no_start=no_start[source],
        )
        for source, before in heard.samples.items()
    }
    state = RoomState(
        samples=samples,
        holds=heard.holds,
        humidity=humidity(heard, stretches),
        defrosts=defrosts,
        outages=outages,
        batteries=batteries(heard),
        disagree=disagree(heard),
        precool=precooling(heard),
        setpoint=setpoint,
        reached_ms=reached,
        starts=starts,
        doors=doors,
    )
    found = Found(
        alarms=tuple(alarm for alarm in heard.alarms if _settled(alarm)),
        pauses=tuple(heard.pauses),
        flags=tuple(heard.flags),
        active=tuple(alarm for alarm in heard.alarms if not _settled(alarm)),
        lasting=tuple(heard.lasting),
    )
    return Standing(
        heard.slice.upto_ms, heard.known, state, found, stretches[-1], heard.valid, heard.around
    )


def _settled(alarm: Alarm) -> bool:
    return alarm.final and alarm.cleared_at_ms is not None
