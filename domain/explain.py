"""Why a room's alarms ring or are silent at an instant, and what would have to happen.

Nothing here decides: what fires is ``judge`` at that horizon, what is pending and when it will
ring is the judgement run on (``domain.outlook``), what waits or is off is what the rules ask
themselves (``off_by``, ``paused_by``). Late readings are in it, whenever they came; later ones
are not: it is how the room stood then, by all that is known of that time today.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from domain.judgement import Fact, Flag, Judgement, Pause, Rule
from domain.limits import worse
from domain.outlook import outlook
from domain.prediction import FREEZE, HIGH, Trend, trend
from domain.profile import Limit, ResolvedRule, level
from domain.reading import NOT_VALID, Columns, ProbeId, Quality, Series
from domain.room import Standing
from domain.room_limits import seen_by
from domain.room_state import SampleState, probe_of, quantity_of, source_of
from domain.rulebook import LimitRule, OtherRule, giver, limit_rules, other_rules
from domain.screening import LOOK_AHEAD, SAMPLES
from domain.span import Alarm
from domain.suppression import off_by, paused_by

SHOWN_MS = 3 * 60 * 60_000  # samples of so long are listed
SIGNAL_OF = {  # what a clock rule waits for: quantity and value
    "DOOR_OPEN_WARN": ("door", 1),
    "DOOR_OPEN_CRIT": ("door", 1),
    "DEFROST_TOO_LONG": ("defrost", 1),
    "POWER_LOSS_WARN": ("mains", 0),
    "POWER_LOSS_CRIT": ("mains", 0),
    "COMP_NEVER_STOPS": ("compressor", 1),
}
GAPS = ("DATA_GAP_WARN", "DATA_GAP_CRIT")
FORECASTS = {direction.code: direction for direction in (HIGH, FREEZE)}
SAID = ("LOADING_TOO_LONG", "STANDBY_WITH_STOCK", "PRECOOL_SLOW_WARN", "PRECOOL_SLOW_CRIT")


@dataclass(frozen=True, slots=True)
class RuleState:
    """One rule at the instant.

    ``status``: firing | pending (its timer runs) | paused (it waits until a cause has passed) |
    off | no_data (its probes are silent) | no_input (nothing of the kind is known of this room) |
    calm. ``since_ms``: from when on what it waits for has been so, of what fires or is pending.
    ``due_ms``: when it fires if everything stays as it is; of DATA_GAP, if nothing arrives.
    ``source``: the series that decides, ``quantity|probe``; ``value`` is its newest valid count
    (of a signal: 0 or 1, since ``value_at_ms``). ``causes``: what makes it wait or be off.
    """

    code: str
    level: str
    status: str
    limit: Limit | None
    book: LimitRule | OtherRule  # id, origin, edition
    commodity: str = ""  # whose property the limit is
    changed: bool = False  # an override moved it
    causes: tuple[Pause, ...] = ()
    source: str = ""
    value: int | None = None
    value_at_ms: int | None = None
    since_ms: int | None = None
    fired_at_ms: int | None = None
    due_ms: int | None = None
    peak: int | None = None
    dose_ms: int | None = None  # of CRIT_CHILL_CUM: counted so far
    trend: Trend | None = None  # of a forecast


@dataclass(frozen=True, slots=True)
class SampleSeen:
    """One reading. ``why_not``: why the rules did not use it, empty when they did: CONFLICT,
    SENSOR_RANGE, SENSOR_JUMP, or the name of the quality bit that speaks against it."""

    at_ms: int
    probe: ProbeId
    quantity: str
    count: int
    why_not: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SignalSeen:
    """What a door, the mains, a compressor or a heater is doing, and since when."""

    probe: str
    quantity: str
    value: int
    since_ms: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """``rule``: as people wrote it, in force at the instant; ``limits_name``: the name of what
    it resolves to. ``rules``: every rule that watches it. ``pauses`` in force."""

    at_ms: int
    rule: Rule
    limits_name: str
    rules: tuple[RuleState, ...]
    facts: tuple[Fact, ...]
    pauses: tuple[Pause, ...]
    signals: tuple[SignalSeen, ...]
    samples: tuple[SampleSeen, ...]

    @property
    def blind(self) -> bool:
        """Up to the instant nothing had been measured that the limits are about: not calm."""
        return all(one.status == "no_input" for one in self.rules if one.limit is not None)

    def state_of(self, code: str) -> RuleState | None:
        return next((one for one in self.rules if one.code == code), None)


def explain(
    standing: Standing, judgement: Judgement, rows: Mapping[Series, Columns]
) -> Explanation:
    """``judgement``: at the same horizon as ``standing``. ``rows``: the room's readings of the
    last ``SHOWN_MS`` up to it."""
    at = standing.at_ms
    room = _Room(standing, judgement, rows)
    return Explanation(
        at_ms=at,
        rule=room.rule,
        limits_name=room.resolved.name,
        rules=tuple(room.state(book) for book in watching(room.resolved)),
        facts=tuple(room.firing.values()),
        pauses=room.pauses,
        signals=tuple(_signals(standing)),
        samples=tuple(_samples(standing, judgement.flags, rows)),
    )


def watching(rule: ResolvedRule) -> list[LimitRule | OtherRule]:
    """Every rule that watches a room of this kind: its limits, then what is no limit."""
    limits = list(rule.limits) + ([] if rule.chilling is None else [rule.chilling])
    return [limit_rules()[f"{rule.profile}.{one.code}"] for one in limits] + [
        one
        for code, one in other_rules().items()
        if one.replay
        and (not one.profiles or rule.profile in one.profiles)
        and (code != "WARN_RH" or rule.humidity is not None)
    ]


class _Room:
    """What the states of one room's rules are read from."""

    def __init__(
        self, standing: Standing, judgement: Judgement, rows: Mapping[Series, Columns]
    ) -> None:
        self.standing = standing
        self.at = standing.at_ms
        self.rule = standing.known.written_at(self.at)
        self.resolved = standing.known.rule_at(self.at)
        self.gap_ms = LOOK_AHEAD * self.resolved.interval_ms
        self.firing = {f.code: f for f in judgement.facts if f.cleared_at_ms is None}
        self.pauses = tuple(
            p
            for p in judgement.pauses
            if p.from_ms <= self.at and (p.to_ms is None or self.at < p.to_ms)
        )
        self.next = _first(outlook(standing, rows))
        self.next |= _first(a for a in outlook(standing, {}) if a.code in GAPS)
        self.active: dict[str, Alarm] = {}
        for alarm in standing.found.active:
            if alarm.cleared_at_ms is not None:
                continue
            known = self.active.get(alarm.code)
            if known is None or _farther(self._limit(alarm.code), known, alarm):
                self.active[alarm.code] = alarm
        self.samples = standing.state.samples

    def state(self, book: LimitRule | OtherRule) -> RuleState:
        code = book.code
        fact, coming = self.firing.get(code), self.next.get(code)
        off = self._caused(off_by(code))
        waits = self._caused(paused_by(code))
        status, causes = self._status(code, fact, coming, off, waits)
        alarm = self.active.get(code) if status == "firing" else coming
        source = alarm.source if alarm else ""
        source, value, value_at = self._value(code, source)
        since = fact.began_at_ms if fact else None
        if status == "pending" and coming is not None:
            since = coming.began_at_ms
        return RuleState(
            code=code,
            level=fact.level if fact else level(code),
            status=status,
            limit=self._limit(code, source),
            book=book,
            commodity=giver(book, self.rule.commodities),
            changed=code in self.rule.overrides,
            causes=causes,
            source=source,
            value=value,
            value_at_ms=value_at,
            since_ms=since,
            fired_at_ms=fact.fired_at_ms if fact else None,
            due_ms=coming.fired_at_ms if coming and not fact else None,
            peak=fact.peak if fact else None,
            dose_ms=self._dose() if code == "CRIT_CHILL_CUM" else None,
            trend=self._trend(code, source),
        )

    def _status(
        self,
        code: str,
        fact: Fact | None,
        coming: Alarm | None,
        off: tuple[Pause, ...],
        waits: tuple[Pause, ...],
    ) -> tuple[str, tuple[Pause, ...]]:
        if fact is not None:
            return "firing", waits
        if off:
            return "off", off
        if not self._heard_of(code):
            return "no_input", ()
        if coming is not None and coming.began_at_ms <= self.at and code not in GAPS:
            return "pending", waits
        if coming is not None and self._silent_for(code):
            return "pending", ()
        if waits:
            return "paused", waits
        return ("calm" if self._fresh(code) else "no_data"), ()

    def _caused(self, causes: Iterable[str]) -> tuple[Pause, ...]:
        wanted = frozenset(causes)
        return tuple(pause for pause in self.pauses if pause.cause in wanted)

    def _limit(self, code: str, source: str = "") -> Limit | None:
        """As in force now, for the probe that decides; as the rule has it while it is off."""
        now = next((one for one, _ in self.standing.regime.limits if one.code == code), None)
        if now is not None:
            return seen_by(probe_of(source), now, self.standing.known, self.at)
        others = (self.resolved.chilling, self.resolved.humidity)
        found = next((one for one in others if one is not None and one.code == code), None)
        return found or self.resolved.limit(code)

    # --- what a rule looks at

    def _sources(self, code: str) -> dict[str, SampleState]:
        alone = "temperature" if code in ("SENSOR_DISAGREE", "COMP_NO_START") else None
        return {
            source: state
            for source, state in self.samples.items()
            if state.gap.last_ms is not None and alone in (None, quantity_of(source))
        }

    def _heard_of(self, code: str) -> bool:
        state = self.standing.state
        if code in SIGNAL_OF:
            quantity = SIGNAL_OF[code][0]
            heard = any(quantity_of(source) == quantity for source in state.holds)
            return heard and (code != "COMP_NEVER_STOPS" or bool(state.setpoint.times))
        match code:
            case "WARN_RH":
                return any(one.last is not None for one in state.humidity.values())
            case "LOW_BATTERY_WARN" | "LOW_BATTERY_CRIT":
                return any(one.highs for one in state.batteries.values())
            case "COMP_NO_START":
                running = any(quantity_of(source) == "compressor" for source in state.holds)
                return bool(state.setpoint.times) and running and bool(self._sources(code))
            case "SENSOR_DISAGREE":
                return len(self._sources(code)) > 1
            case "SENSOR_RANGE":
                return bool(self.samples)
            case _:
                return code in SAID or bool(self._sources(code))

    def _fresh(self, code: str) -> bool:
        if code in SAID or code in SIGNAL_OF or code.startswith("LOW_BATTERY"):
            return True
        if code == "WARN_RH":
            lasts = [one.last for one in self.standing.state.humidity.values()]
            return any(last is not None and self.at - last[0] <= self.gap_ms for last in lasts)
        lasts_ms = [state.gap.last_ms for state in self._sources(code).values()]
        return any(ms is not None and self.at - ms <= self.gap_ms for ms in lasts_ms)

    def _silent_for(self, code: str) -> bool:
        """A gap is pending once the probe is silent for longer than it should be, and of the
        critical one its warning says so."""
        return code in GAPS and GAPS[0] in self.firing

    def _value(self, code: str, source: str) -> tuple[str, int | None, int | None]:
        """The series that decides, with what it said last."""
        state = self.standing.state
        if code in SIGNAL_OF:
            quantity, wanted = SIGNAL_OF[code]
            held = {s: h for s, h in state.holds.items() if quantity_of(s) == quantity}
            ranked = sorted(held, key=lambda s: (s != source, held[s].value != wanted, s))
            if not ranked:
                return source, None, None
            return ranked[0], held[ranked[0]].value, held[ranked[0]].since_ms
        if code.startswith("LOW_BATTERY"):
            highs = {s: one.highs[0] for s, one in state.batteries.items() if one.highs}
            lasts = {s: (at, count) for s, (at, count) in highs.items()}
        elif code == "WARN_RH":
            lasts = {s: o.last for s, o in state.humidity.items() if o.last is not None}
        elif code in SAID:
            return "", None, None
        else:
            lasts = {s: o.limits.last for s, o in self._sources(code).items() if o.limits.last}
        if not lasts:
            return source, None, None
        chosen = source if source in lasts else self._worst(code, lasts)
        return chosen, lasts[chosen][1], lasts[chosen][0]

    def _worst(self, code: str, lasts: Mapping[str, tuple[int, int]]) -> str:
        """The series nearest to an alarm; of those that speak, if any does."""
        fresh = {s: one for s, one in lasts.items() if self.at - one[0] <= self.gap_ms}
        among = sorted(fresh or lasts)
        if code in GAPS:
            return min(among, key=lambda s: lasts[s][0])
        limit = self._limit(code)
        worst = among[0]
        for source in among[1:]:
            one, other = lasts[worst][1], lasts[source][1]
            if limit is not None:
                farther = worse(limit, one, other) == other != one
            else:
                farther = (
                    other < one if code == "PREDICT_FREEZE" or "BATTERY" in code else other > one
                )
            if farther:
                worst = source
        return worst

    def _dose(self) -> int:
        return max((one.dose.total_ms for one in self.samples.values()), default=0)

    def _trend(self, code: str, source: str) -> Trend | None:
        direction = FORECASTS.get(code)
        one = self.samples.get(source)
        if direction is None or one is None:
            return None
        state = one.high if direction is HIGH else one.freeze
        return trend(direction, state, self.resolved, self.standing.around.get((code, source)))


def _first(alarms: Iterable[Alarm]) -> dict[str, Alarm]:
    """By code, the one that fires first."""
    found: dict[str, Alarm] = {}
    for alarm in alarms:
        found.setdefault(alarm.code, alarm)
    return found


def _farther(limit: Limit | None, one: Alarm, other: Alarm) -> bool:
    if limit is None or one.peak is None or other.peak is None:
        return False
    return worse(limit, one.peak, other.peak) == other.peak != one.peak


def _signals(standing: Standing) -> Iterable[SignalSeen]:
    for source, hold in sorted(standing.state.holds.items()):
        if hold.value is not None and quantity_of(source) != "ambient_temperature":
            yield SignalSeen(probe_of(source), quantity_of(source), hold.value, hold.since_ms)


def _samples(
    standing: Standing, flags: Sequence[Flag], rows: Mapping[Series, Columns]
) -> list[SampleSeen]:
    flagged: dict[tuple[int, str, str], list[str]] = {}
    for flag in flags:
        flagged.setdefault((flag.at_ms, flag.probe, flag.quantity), []).append(flag.reason)
    found: list[SampleSeen] = []
    for series, columns in rows.items():
        if series.quantity not in (*SAMPLES, "humidity"):
            continue
        counted = {at for at, _ in standing.valid.get(source_of(series), ())}
        for at, count, bits in columns:
            if not standing.at_ms - SHOWN_MS < at <= standing.at_ms:
                continue
            why = flagged.get((at, series.probe, series.quantity), [])
            if at not in counted and not why:
                why = [bit.name or "" for bit in Quality if bits & NOT_VALID & bit]
            found.append(SampleSeen(at, series.probe, series.quantity, count, tuple(why)))
    return sorted(found, key=lambda one: (one.at_ms, one.quantity, one.probe))
