"""The rules over one room: what the readings, the rules and people's actions amount to.

``judge`` is the specification. It is one ``advance`` over all that is known; the incremental
engine does the same in pieces, from states it kept. A state and the readings after it give
the same facts as everything from the beginning: each rule keeps in its state what it still
needs of the past, and only a jump looks ahead (``Plan.look_ahead_ms``).
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise

from domain.dose import DoseState, DoseStretch, advance_dose
from domain.faults import DisagreeState, RangeState, advance_disagree, advance_range
from domain.judgement import Asked, Flag, Judgement, Pause
from domain.limits import Bounds, LimitState, advance_limits
from domain.plan import Plan, plan
from domain.plant import (
    BatteryState,
    advance_battery,
    advance_never_stops,
    advance_no_start,
)
from domain.power import HOT, PowerState, advance_power
from domain.precooling import PrecoolState, advance_precooling
from domain.prediction import (
    COMPRESSOR_OFF_MS,
    DOOR_SHUT_MS,
    FREEZE,
    HIGH,
    PredictState,
    Surroundings,
    advance_prediction,
)
from domain.profile import MINUTE_MS
from domain.quantity import QUANTITIES
from domain.reading import Columns, Series
from domain.screening import (
    LOOK_AHEAD,
    SAMPLES,
    ScreenState,
    screen_samples,
    screen_signal,
)
from domain.signals import Hold, Run, Steps, runs, spans_of
from domain.span import (
    FOREVER,
    SINCE_EVER,
    Alarm,
    Sample,
    Slice,
    Span,
    clock_alarms,
    interrupted,
    united,
    without,
)
from domain.staleness import GapState, advance_gaps
from domain.stuck import Companions, MovedState, StuckState, advance_moved, advance_stuck
from domain.suppression import (
    Causes,
    DefrostState,
    Regime,
    activity_pauses,
    defrost_excuses,
    door_excuses,
    regimes,
)
from domain.timer import Timer
from domain.union import facts

STUCK_PRODUCT_MS = 24 * 60 * MINUTE_MS
LOADING_RULES = (("LOADING_TOO_LONG", "warning", 45 * MINUTE_MS),)
STOCK_RULES = (("STANDBY_WITH_STOCK", "warning", 0),)
SIGNALS = ("door", "defrost", "mains", "compressor")


@dataclass(frozen=True, slots=True)
class SampleState:
    """One sample series, at an instant."""

    screen: ScreenState = field(default_factory=ScreenState)
    limits: LimitState = field(default_factory=LimitState)
    dose: DoseState = field(default_factory=DoseState)
    high: PredictState = field(default_factory=PredictState)
    freeze: PredictState = field(default_factory=PredictState)
    gap: GapState = field(default_factory=GapState)
    range: RangeState = field(default_factory=RangeState)
    stuck: StuckState = field(default_factory=StuckState)
    moved: MovedState = field(default_factory=MovedState)
    no_start: Timer = field(default_factory=Timer)


@dataclass(frozen=True, slots=True)
class RoomState:
    """A room at an instant: plain values. Keys are sources, ``quantity|probe``."""

    samples: Mapping[str, SampleState] = field(default_factory=dict)
    holds: Mapping[str, Hold] = field(default_factory=dict)
    humidity: Mapping[str, LimitState] = field(default_factory=dict)
    defrosts: Mapping[str, DefrostState] = field(default_factory=dict)
    outages: Mapping[str, PowerState] = field(default_factory=dict)
    batteries: Mapping[str, BatteryState] = field(default_factory=dict)
    disagree: DisagreeState = field(default_factory=lambda: DisagreeState({}, {}))
    precool: PrecoolState = field(default_factory=PrecoolState)
    setpoint: Steps = field(default_factory=Steps)
    reached_ms: int | None = None  # a temperature at or below the set point, or the first of those
    starts: tuple[int, ...] = ()  # the two latest of the compressors
    doors: tuple[Span, ...] = ()  # openings that ended not long ago


@dataclass(frozen=True, slots=True)
class Found:
    """What a slice added for good, and what is under way at its end."""

    alarms: tuple[Alarm, ...] = ()
    pauses: tuple[Pause, ...] = ()
    flags: tuple[Flag, ...] = ()
    active: tuple[Alarm, ...] = ()
    lasting: tuple[Pause, ...] = ()


def judge(asked: Asked, horizon_ms: int) -> Judgement:
    """Facts, pauses and flags known at the horizon; later readings are not looked at."""
    known = plan(asked.rules, asked.actions, horizon_ms)
    readings = {of: _cut(rows, SINCE_EVER, horizon_ms) for of, rows in asked.readings.items()}
    _, found = advance(RoomState(), readings, known, Slice(SINCE_EVER, horizon_ms))
    return conclude([found], known, horizon_ms)


def conclude(found: Sequence[Found], known: Plan, horizon_ms: int) -> Judgement:
    """Consecutive slices, the last of which ends at the horizon, as one judgement."""
    slice_ = Slice(SINCE_EVER, horizon_ms)
    did = known.activity
    alarms = [alarm for each in found for alarm in each.alarms]
    alarms += found[-1].active
    for span in did.loadings:
        alarms += clock_alarms("", LOADING_RULES, span, did.maintenance, slice_)
    for span in did.stocked_standby:
        alarms += clock_alarms("", STOCK_RULES, span, did.maintenance, slice_)
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


def advance(
    state: RoomState, readings: Mapping[Series, Columns], known: Plan, slice_: Slice
) -> tuple[RoomState, Found]:
    """From the state at ``slice_.after_ms`` to that at ``upto_ms``.

    ``readings`` hold all of the slice and ``known.look_ahead_ms`` beyond it, as far as the
    horizon; what lies outside is ignored. Between two rules' changes one rule holds, so the
    slice is cut there.
    """
    begins = [begin - 1 for begin, _ in known.rules if slice_.holds(begin - 1)]
    if not begins:
        return _Slice(state, readings, known, slice_).judged()
    found: list[Found] = []
    edges = [slice_.after_ms, *begins, slice_.upto_ms]
    for after, upto in pairwise(edges):
        if after < upto:
            part = Slice(after, upto)
            state, more = _Slice(state, readings, known, part).judged()
            found.append(more)
    return state, joined(found)


def joined(found: Sequence[Found]) -> Found:
    """Consecutive slices as one."""
    return Found(
        alarms=tuple(alarm for each in found for alarm in each.alarms),
        pauses=tuple(pause for each in found for pause in each.pauses),
        flags=tuple(flag for each in found for flag in each.flags),
        active=found[-1].active,
        lasting=found[-1].lasting,
    )


def source_of(series: Series) -> str:
    return f"{series.quantity}|{series.probe}"


def probe_of(source: str) -> str:
    return source.partition("|")[2]


def quantity_of(source: str) -> str:
    return source.partition("|")[0]


class _Slice:
    """One room over one slice: each rule in turn, those before that others look at."""

    def __init__(
        self, state: RoomState, readings: Mapping[Series, Columns], known: Plan, slice_: Slice
    ) -> None:
        self.before = state
        self.known = known
        self.slice = slice_
        self.rule = known.rule_at(slice_.upto_ms)
        self.gap_ms = LOOK_AHEAD * self.rule.interval_ms
        self.maintenance = known.activity.maintenance
        self.alarms: list[Alarm] = []
        self.pauses: list[Pause] = []
        self.lasting: list[Pause] = []
        self.flags: list[Flag] = []
        self.valid: dict[str, list[Sample]] = {}
        self.rows: dict[str, list[Sample]] = {}
        self.screens: dict[str, ScreenState] = {}
        self._screen(readings)
        self.removals = {
            source: stops
            for source in sorted(self._sources())
            if (stops := [at for at in known.removals(probe_of(source)) if slice_.holds(at)])
        }
        self.runs: dict[str, list[Run]] = {}
        self.holds: dict[str, Hold] = {}

    def judged(self) -> tuple[RoomState, Found]:
        self._follow_signals()
        mains_off, resting, idle_for_an_hour = self._plant()
        defrosts, causes = self._excuses()
        stretches = regimes(self.known.rules, causes, self.slice)
        limits = self._limits(stretches)
        high, freeze, doors = self._predictions(causes, united((*mains_off, *idle_for_an_hour)))
        outages = self._power()
        setpoint, reached, no_start = self._demand(resting, mains_off, causes.defrost)
        moved, stuck, starts = self._stuck()
        dose = self._dose(stretches)
        gaps = self._gaps()
        ranges = self._ranges()
        samples = {
            source: SampleState(
                screen=self.screens.get(source, self._sample(source).screen),
                limits=limits[source],
                dose=dose[source],
                high=high[source],
                freeze=freeze[source],
                gap=gaps[source],
                range=ranges[source],
                stuck=stuck[source],
                moved=moved[source],
                no_start=no_start[source],
            )
            for source in self._of(*SAMPLES)
        }
        state = RoomState(
            samples=samples,
            holds=self.holds,
            humidity=self._humidity(stretches),
            defrosts=defrosts,
            outages=outages,
            batteries=self._batteries(),
            disagree=self._disagree(),
            precool=self._precooling(),
            setpoint=setpoint,
            reached_ms=reached,
            starts=starts,
            doors=doors,
        )
        return state, Found(
            alarms=tuple(alarm for alarm in self.alarms if alarm.cleared_at_ms is not None),
            pauses=tuple(self.pauses),
            flags=tuple(self.flags),
            active=tuple(alarm for alarm in self.alarms if alarm.cleared_at_ms is None),
            lasting=tuple(self.lasting),
        )

    # --- what the readings are

    def _screen(self, readings: Mapping[Series, Columns]) -> None:
        rule = self.rule
        ahead = self.slice.upto_ms + self.gap_ms
        for series in sorted(readings):
            if series.quantity not in QUANTITIES:
                continue
            source = source_of(series)
            columns = _cut(readings[series], self.slice.after_ms, ahead)
            if not len(columns):
                continue
            if series.quantity in SAMPLES:
                screened = screen_samples(
                    series, columns, rule.range_low, rule.range_high, rule.interval_ms,
                    self._sample(source).screen, self.slice,
                )  # fmt: skip
                self.screens[source] = screened.state
            else:
                screened = screen_signal(
                    series, columns, rule.range_low, rule.range_high, self.slice
                )
            self.valid[source] = screened.valid
            self.rows[source] = screened.rows
            self.flags += screened.flags

    def _sample(self, source: str) -> SampleState:
        return self.before.samples.get(source, _FRESH)

    def _sources(self) -> set[str]:
        before = self.before
        return {*self.valid, *before.samples, *before.holds, *before.batteries, *before.humidity}

    def _of(self, *quantities: str) -> list[str]:
        """Sources of these quantities heard in the slice or before it."""
        return sorted(s for s in self._sources() if quantity_of(s) in quantities)

    def _events(self, source: str, off: Sequence[Span] = ()) -> Iterable[tuple[int, int | None]]:
        return interrupted(
            self.valid.get(source, ()), off, self.removals.get(source, ()), self.slice
        )

    # --- what the signals say

    def _follow_signals(self) -> None:
        for source in self._of(*SIGNALS, "ambient_temperature"):
            readings = self.valid.get(source, [])
            if quantity_of(source) == "ambient_temperature":
                readings = [(at, int(count > HOT)) for at, count in readings]
            hold, self.runs[source] = runs(
                self.before.holds.get(source, Hold()),
                readings,
                self.removals.get(source, ()),
                self.slice,
            )
            if hold.value is not None:
                self.holds[source] = hold

    def _runs(self, quantity: str) -> dict[str, list[Run]]:
        return {s: found for s, found in self.runs.items() if quantity_of(s) == quantity}

    def _plant(self) -> tuple[list[Span], list[Span], list[Span]]:
        """When mains were off, when no known compressor ran, when one had rested an hour."""
        compressors = self._runs("compressor").values()
        mains_off = spans_of(0, self._runs("mains").values())
        off, on = spans_of(0, compressors), spans_of(1, compressors)
        resting = _minus(off, on)
        hour = united(
            (run.begin + COMPRESSOR_OFF_MS, run.end)
            for each in compressors
            for run in each
            if run.value == 0
        )
        return mains_off, resting, hour

    def _excuses(self) -> tuple[dict[str, DefrostState], Causes]:
        door: list[Span] = []
        defrost: list[Span] = []
        defrosts: dict[str, DefrostState] = {}
        for source, found in self._runs("door").items():
            excuses = door_excuses(source, found, self.maintenance, self.slice)
            door += excuses.spans
            self._note(excuses.alarms, excuses.pauses, excuses.lasting)
        heaters = {**{s: [] for s in self.before.defrosts}, **self._runs("defrost")}
        for source, found in sorted(heaters.items()):
            state, excuses = defrost_excuses(
                source,
                self.before.defrosts.get(source),
                found,
                lambda at: self.known.rule_at(at).defrost_ms,
                self.maintenance,
                self.slice,
            )
            if state is not None:
                defrosts[source] = state
            defrost += excuses.spans
            self._note(excuses.alarms, excuses.pauses, excuses.lasting)
        causes = Causes(united(door), united(defrost), self.known.activity)
        return defrosts, causes

    def _note(
        self,
        alarms: Iterable[Alarm],
        pauses: Iterable[Pause] = (),
        lasting: Iterable[Pause] = (),
    ) -> None:
        self.alarms += alarms
        self.pauses += pauses
        self.lasting += lasting

    # --- limits, and where they are heading

    def _limits(self, stretches: Sequence[Regime]) -> dict[str, LimitState]:
        bounds = [Bounds(r.from_ms, r.limits, r.calm_low, r.calm_high) for r in stretches]
        states: dict[str, LimitState] = {}
        for source in self._of(*SAMPLES):
            states[source], alarms = advance_limits(
                source,
                self._sample(source).limits,
                self.valid.get(source, ()),
                bounds,
                self.removals.get(source, ()),
                self.rule.interval_ms,
                self.slice,
            )
            self._note(alarms)
        return states

    def _humidity(self, stretches: Sequence[Regime]) -> dict[str, LimitState]:
        bounds = [
            Bounds(r.from_ms, ((r.humidity, False),), r.humidity.low, r.humidity.high)
            if r.humidity is not None
            else Bounds(r.from_ms, (), 0, 10_000)
            for r in stretches
        ]
        states: dict[str, LimitState] = {}
        for source in self._of("humidity"):
            states[source], alarms = advance_limits(
                source,
                self.before.humidity.get(source, LimitState()),
                self.valid.get(source, ()),
                bounds,
                self.removals.get(source, ()),
                self.rule.interval_ms,
                self.slice,
            )
            self._note(replace(a, peak=None, excess=0, unknown_ms=0) for a in alarms)
        return states

    def _dose(self, stretches: Sequence[Regime]) -> dict[str, DoseState]:
        edges = {edge for span in self.known.activity.stocked for edge in span}
        marks = {r.from_ms: r for r in stretches}
        points = sorted({*marks, *(edge for edge in edges if self.slice.holds(edge))})
        found: list[DoseStretch] = []
        regime = stretches[0]
        for at in points:
            regime = marks.get(at, regime)
            found.append(
                DoseStretch(
                    at, regime.dose, self._stocking(at), regime.dose_paused, regime.dose_off
                )
            )
        states: dict[str, DoseState] = {}
        for source in self._of(*SAMPLES):
            states[source], alarms = advance_dose(
                source,
                self._sample(source).dose,
                self.valid.get(source, ()),
                found,
                self.removals.get(source, ()),
                self.rule.interval_ms,
                self.slice,
            )
            self._note(alarms)
        return states

    def _stocking(self, at: int) -> int | None:
        return next((b for b, e in self.known.activity.stocked if b <= at < e), None)

    def _predictions(
        self, causes: Causes, plant_off: Sequence[Span]
    ) -> tuple[dict[str, PredictState], dict[str, PredictState], tuple[Span, ...]]:
        opened = [
            *self.before.doors,
            *spans_of(1, self._runs("door").values()),
        ]
        remembered = self.slice.upto_ms - DOOR_SHUT_MS
        doors = tuple(
            (begin, end) for begin, end in united(opened) if end != FOREVER and end > remembered
        )
        door = united((begin, end + DOOR_SHUT_MS) for begin, end in opened)
        excused = united((*causes.defrost, *self.known.activity.loading))
        states: list[dict[str, PredictState]] = []
        for direction, predicts, off in (
            (HIGH, self.rule.predicts_high, self.known.high_off()),
            (FREEZE, self.rule.predicts_freeze, self.known.low_off()),
        ):
            codes = (*direction.warnings, direction.critical)
            states.append({})
            for source in self._of(*SAMPLES):
                sample = self._sample(source)
                state = sample.high if direction is HIGH else sample.freeze
                if not predicts and state == PredictState():
                    states[-1][source] = state
                    continue
                limited = united(
                    (a.fired_at_ms, FOREVER if a.cleared_at_ms is None else a.cleared_at_ms)
                    for a in self.alarms
                    if a.code in codes and probe_of(a.source) == probe_of(source)
                )
                states[-1][source], alarms = advance_prediction(
                    source,
                    direction,
                    state,
                    list(self._events(source)),
                    self.rule,
                    Surroundings(off, excused, door, plant_off, limited),
                    self.gap_ms,
                    self.slice,
                )
                self._note(alarms)
        return states[0], states[1], doors

    # --- power, plant, people

    def _power(self) -> dict[str, PowerState]:
        hot = spans_of(1, self._runs("ambient_temperature").values())
        predicted = [
            (a.fired_at_ms, FOREVER if a.cleared_at_ms is None else a.cleared_at_ms)
            for a in self.alarms
            if a.code == "PREDICT_HIGH"
        ]
        danger = united((*hot, *predicted))
        states: dict[str, PowerState] = {}
        for source, found in self._runs("mains").items():
            state, alarms = advance_power(
                source,
                self.before.outages.get(source),
                found,
                danger,
                self.maintenance,
                self.slice,
            )
            if state is not None:
                states[source] = state
            self._note(alarms)
        return states

    def _demand(
        self, resting: Sequence[Span], mains_off: Sequence[Span], defrost: Sequence[Span]
    ) -> tuple[Steps, int | None, dict[str, Timer]]:
        """COMP_NO_START and COMP_NEVER_STOPS: is the machine doing what the set point asks?"""
        setpoint = self.before.setpoint.extended(
            reading for source in self._of("setpoint") for reading in self.valid.get(source, ())
        )
        timers = {source: self._sample(source).no_start for source in self._of(*SAMPLES)}
        if not setpoint.times:
            return setpoint, None, timers
        off = self.known.low_off()
        reached: set[int] = set()
        if self.before.reached_ms is None:
            reached.add(setpoint.times[0])
        for source in self._of("temperature"):
            timers[source], alarms = advance_no_start(
                source,
                timers[source],
                self._events(source, off),
                setpoint,
                resting,
                mains_off,
                defrost,
                self.gap_ms,
            )
            self._note(alarms)
            for at, count in self.valid.get(source, ()):
                wanted = setpoint.at(at)
                if wanted is not None and count <= wanted:
                    reached.add(at)
        cuts = united((*self.maintenance, *self.known.precoolings))
        for source, found in self._runs("compressor").items():
            self._note(
                advance_never_stops(
                    source, self.before.reached_ms, sorted(reached), found, cuts, self.slice
                )
            )
        return setpoint.last(), max(reached, default=self.before.reached_ms), timers

    def _batteries(self) -> dict[str, BatteryState]:
        states: dict[str, BatteryState] = {}
        for source in self._of("battery"):
            states[source], alarms = advance_battery(
                source,
                self.before.batteries.get(source, BatteryState()),
                self._events(source),
                self.maintenance,
                self.slice,
            )
            self._note(alarms)
        return states

    def _precooling(self) -> PrecoolState:
        state, alarms = advance_precooling(
            self.before.precool,
            self.known.activity.precooling,
            {source: self.valid.get(source, []) for source in self._of("product_temperature")},
            self.removals,
            self.maintenance,
            self.slice,
        )
        self._note(alarms)
        return state

    # --- sensors

    def _gaps(self) -> dict[str, GapState]:
        states: dict[str, GapState] = {}
        for source in self._of(*SAMPLES):
            states[source], alarms = advance_gaps(
                source,
                self._sample(source).gap,
                self.valid.get(source, ()),
                self.removals.get(source, ()),
                self.maintenance,
                self.rule.interval_ms,
                self.slice,
            )
            self._note(alarms)
        return states

    def _ranges(self) -> dict[str, RangeState]:
        states: dict[str, RangeState] = {}
        for source in self._of(*SAMPLES):
            state = self._sample(source).range
            rows = self.rows.get(source, ())
            if state == RangeState() and not any(out for _, out in rows):
                states[source] = state
                continue
            events = interrupted(rows, self.maintenance, self.removals.get(source, ()), self.slice)
            states[source], alarms = advance_range(
                source, state, events, partial(self._range_level, source)
            )
            self._note(alarms)
        return states

    def _range_level(self, source: str, at: int) -> str:
        """Critical when the goods' only probe is the one that lies."""
        for other in self._of(*SAMPLES):
            if probe_of(other) == probe_of(source):
                continue
            samples = self.valid.get(other, ())
            i = bisect_right(samples, (at, FOREVER))
            last = samples[i - 1][0] if i else self._sample(other).gap.last_ms
            if last is not None and last >= at - self.gap_ms:
                return "warning"
        return "warning" if self._stocking(at) is None else "critical"

    def _disagree(self) -> DisagreeState:
        sources = self._of("temperature")
        state, alarms = advance_disagree(
            self.before.disagree,
            {source: self.valid.get(source, ()) for source in sources},
            self.maintenance,
            self.removals,
            self.gap_ms,
            self.slice,
        )
        self._note(alarms)
        return state

    def _stuck(self) -> tuple[dict[str, MovedState], dict[str, StuckState], tuple[int, ...]]:
        sources = self._of(*SAMPLES)
        starts, start_steps = self._starts()
        moved: dict[str, MovedState] = {}
        grew: dict[str, list[Sample]] = {}
        for source in sources:
            before = self._sample(source).moved
            moved[source], steps = advance_moved(before, self._events(source))
            grew[source] = [(self.slice.after_ms, before.moved_ms), *steps]
        states: dict[str, StuckState] = {}
        for source in sources:
            others = sorted(step for other in sources if other != source for step in grew[other])
            product = quantity_of(source) == "product_temperature"
            states[source], alarms = advance_stuck(
                source,
                self._sample(source).stuck,
                self._events(source, self.maintenance),
                Companions(others, start_steps),
                STUCK_PRODUCT_MS if product else self.rule.stuck_ms,
                self.gap_ms,
            )
            self._note(alarms)
        return moved, states, starts

    def _starts(self) -> tuple[tuple[int, ...], list[Sample]]:
        """The two latest starts, and (instant, the second latest known then)."""
        found = sorted(
            run.begin
            for each in self._runs("compressor").values()
            for before, run in pairwise(each)
            if run.value == 1 and before.value == 0 and before.end == run.begin
        )
        two = list(self.before.starts)
        steps: list[Sample] = [(self.slice.after_ms, two[-2])] if len(two) == 2 else []
        for at in found:
            two = [*two, at][-2:]
            if len(two) == 2:
                steps.append((at, two[-2]))
        return tuple(two), steps


_FRESH = SampleState()


def _minus(spans: Sequence[Span], cuts: Sequence[Span]) -> list[Span]:
    return [piece for span in spans for piece in without(span, cuts)]


def _cut(columns: Columns, after_ms: int, upto_ms: int) -> Columns:
    """Rows with after < measured_at <= upto; the same object when that is all of them."""
    i = bisect_right(columns.at_ms, after_ms)
    j = bisect_right(columns.at_ms, upto_ms)
    if i == 0 and j == len(columns):
        return columns
    return Columns(columns.at_ms[i:j], columns.count[i:j], columns.quality[i:j])
