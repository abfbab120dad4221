"""Which limits and delays of a room would have spared people the alarms that were worth nothing.

The defaults know neither the room's door nor its defrosts; after a month its own past does. For
each rule that rang for nothing the smallest change is looked for that would have kept it quiet,
one step further for the months to come, by judging that past again. Nothing is proposed that
would have lost an alarm with a real cause, or told it more than an hour later.

What is never touched: warnings of a limit, everything that guards against cold, and vaccines. So
goods that leave their limits are told of under any proposal, at worst later. (A warning that waits
longer is defeated by air that swings about its limit: in one of 500 failures, a set point of a
vehicle 5 K too high, nobody was told for 18 hours.) How far the rest
may go is measured from the profile's own limits, not from the room's, so months do not add up.
It is a proposal: a person puts it in force or does not.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, takewhile
from typing import Any

from domain.dry_run import Difference, Proposal, compare, proposed, ruled
from domain.judgement import Action, Fact, Judgement, Pause, Rule
from domain.profile import DEFROST_TOTAL_MIN, MINUTE_MS, NEVER, Limit, resolve
from domain.reading import NOT_VALID, Columns, Series
from domain.span import FOREVER, Sample

NO_HARM = frozenset({"door", "defrost", "loading", "false"})  # causes with which nothing was wrong
LEAST_MS = 14 * 24 * 60 * MINUTE_MS  # of readings
# Counts above the profile's own. The air of an open door swings by what it is warmer outside.
CEILING_MOST = {"FZ": 1500, "FT": 1500}
CEILING_MOST_OTHERWISE = 1000
CRITICAL_MOST = 300
STEP = 100
LONGER = (1.5, 2, 3, 4, 6)  # times the profile's own delay ...
LONGEST, LONGEST_MS = 4, 120 * MINUTE_MS  # ... at most so many times and so long,
ALLOWED_MS = 30 * MINUTE_MS  # but half an hour in any case
OFTEN = {"critical": 1, "warning": 2}  # alarms for nothing before a rule is thought about
DEFROST_MIN = (50, 55, 60)
WORSE = 50  # counts by which goods moved
AFTERWARDS_MS = 60 * MINUTE_MS  # in which goods would show what the air did to them
LATER_MS = 60 * MINUTE_MS  # by which an alarm with a real cause may come later
PLANT = ("POWER_LOSS", "COMP_")
GOODS = "product_temperature"
DEFROST = "defrost_total_min"


@dataclass(frozen=True, slots=True)
class Worth:
    """``real``: True, False, or None where nobody can say. ``by``: people | goods."""

    fact: Fact
    real: bool | None
    by: str = ""


@dataclass(frozen=True, slots=True)
class Changed:
    """One number of the proposal. ``before``: as the room has it. ``rang``: for nothing, in the
    span; ``spared``: of those."""

    code: str
    field: str  # limit_c | delay_min | "" for defrost_total_min
    before: float
    after: float
    rang: int
    spared: int


@dataclass(frozen=True, slots=True)
class Suggestion:
    """``rule``: the whole of it. ``difference``: over the span, against the rules in force."""

    rule: Rule
    changes: tuple[Changed, ...]
    difference: Difference


@dataclass(frozen=True, slots=True)
class Past:
    """A room's past as it was judged. ``causes``: what people named, by (code, fired). What rang
    before ``held`` came into force says nothing about it."""

    held: Rule
    readings: Mapping[Series, Columns]
    actions: Sequence[Action]
    judgement: Judgement
    causes: Mapping[tuple[str, int], str]
    span: tuple[int, int]

    @property
    def begin_ms(self) -> int:
        return max(self.span[0], self.held.from_ms)

    @property
    def own(self) -> Mapping[str, Limit]:
        """The profile's own limits, by code."""
        plain = resolve(replace(self.held, overrides={}))
        return {limit.code: limit for limit in plain.limits}

    @property
    def facts(self) -> list[Fact]:
        return [f for f in self.judgement.facts if self.begin_ms <= f.fired_at_ms <= self.span[1]]

    @property
    def goods(self) -> list[list[Sample]]:
        """What the probes among the goods said, without what the rules set aside."""
        aside = {(flag.probe, flag.quantity, flag.at_ms) for flag in self.judgement.flags}
        return [
            [
                (at, count)
                for at, count, bits in columns
                if not bits & NOT_VALID and (series.probe, series.quantity, at) not in aside
            ]
            for series, columns in self.readings.items()
            if series.quantity == GOODS
        ]


def suggest(past: Past) -> Suggestion | None:
    """None when there is nothing to spare, or too little to go by."""
    firsts = [columns.at_ms[0] for columns in past.readings.values() if columns]
    if not firsts or past.span[1] - max(min(firsts), past.begin_ms) < LEAST_MS:
        return None
    known = worths(past)
    ladders = _ladders(past, known)
    search = _Search(past, known, ladders)
    overrides = {code: chosen for code in ladders if (chosen := search.smallest(code))}
    if not overrides:
        return None
    rule = proposed(past.held, Proposal(also=overrides))
    after = ruled(rule, past.actions, past.readings, past.span[1])
    if any(_late(w.fact, after) for w in known if w.real):
        return None
    difference = compare(past.judgement, after, (past.begin_ms, past.span[1]))
    lost = {_name(c.before) for c in difference.changes if c.kind == "lost" and c.before}
    changes = tuple(_changes(past, known, overrides, lost))
    return Suggestion(rule, changes, difference)


def forbidding(past: Past) -> list[Fact]:
    """Alarms with a real cause of rules that also rang for nothing: why nothing is proposed for
    them. A cause that somebody named by mistake is among these."""
    known = worths(past)
    ladders = _ladders(past, known)
    return [w.fact for w in known if w.real and (w.fact.code in ladders or DEFROST in ladders)]


# --- what an alarm was worth ----------------------------------------------------------------------


def worths(past: Past) -> list[Worth]:
    """Goods that were measured out of their limits outweigh what people say, unless they came in
    warm to be cooled; where neither says anything, an alarm beside a fault of the plant is left
    alone."""
    own, goods = past.own, past.goods
    cooled = [p for p in past.judgement.pauses if p.cause == "precool"]
    plant = [f for f in past.judgement.facts if f.code.startswith(PLANT)]
    found = []
    for fact in past.facts:
        cause = past.causes.get(_name(fact))
        harmed = None
        if fact.code in own and not any(_beside(fact, pause) for pause in cooled):
            harmed = _harmed(goods, own[fact.code], fact, past.span[1])
        if harmed:
            found.append(Worth(fact, True, "goods"))
        elif cause == "product_warm" and harmed is False:
            found.append(Worth(fact, None))  # people and probe gainsay each other
        elif cause is not None:
            found.append(Worth(fact, cause not in NO_HARM, "people"))
        elif harmed is None or any(_meet(fact, other) for other in plant):
            found.append(Worth(fact, None))
        else:
            found.append(Worth(fact, False, "goods"))
    return found


def _harmed(
    goods: Sequence[Sequence[Sample]], limit: Limit, fact: Fact, until_ms: int
) -> bool | None:
    """Whether goods left the limits that the excess is measured from. None when no probe says, or
    they were outside before and got no worse: a lot that is being cooled."""
    end_ms = until_ms if fact.cleared_at_ms is None else fact.cleared_at_ms
    found: list[bool | None] = []
    for samples in goods:
        first = bisect_left(samples, (fact.began_at_ms, -NEVER))
        after = islice(samples, first, None)
        seen = [count for _, count in takewhile(lambda s: s[0] <= end_ms + AFTERWARDS_MS, after)]
        if not seen:
            continue
        before = samples[first - 1][1] if first else seen[0]
        low, high = min(seen), max(seen)
        outside = high > limit.reference_high or low < limit.reference_low
        worse = high - before > WORSE or before - low > WORSE
        found.append((True if worse else None) if outside else False)
    if True in found:
        return True
    return False if found and None not in found else None


def _meet(one: Fact, other: Fact) -> bool:
    ends = [FOREVER if f.cleared_at_ms is None else f.cleared_at_ms for f in (one, other)]
    return max(one.began_at_ms, other.began_at_ms) <= min(ends)


def _beside(fact: Fact, pause: Pause) -> bool:
    fact_end = FOREVER if fact.cleared_at_ms is None else fact.cleared_at_ms + AFTERWARDS_MS
    pause_end = FOREVER if pause.to_ms is None else pause.to_ms
    return max(fact.began_at_ms, pause.from_ms) <= min(fact_end, pause_end)


def _name(fact: Fact) -> tuple[str, int]:
    return fact.code, fact.fired_at_ms


# --- how far a rule may go ------------------------------------------------------------------------


def _ladders(past: Past, known: Sequence[Worth]) -> dict[str, list[Any]]:
    """By code that rang for nothing, what could be laid over the rule, the smallest first."""
    own = past.own
    held = {limit.code: limit for limit in resolve(past.held).limits}
    nothing: dict[str, list[Fact]] = {}
    for worth in known:
        if worth.real is False:
            nothing.setdefault(worth.fact.code, []).append(worth.fact)
    found: dict[str, list[Any]] = {}
    for code, rang in sorted(nothing.items()):
        if len(rang) < OFTEN[rang[0].level]:
            continue
        if code == "DEFROST_TOO_LONG":
            now = past.held.overrides.get(DEFROST, DEFROST_TOTAL_MIN)
            found[DEFROST] = [most for most in DEFROST_MIN if most > now]
        elif code == "CEILING":
            most = CEILING_MOST.get(past.held.profile, CEILING_MOST_OTHERWISE)
            peak = max(fact.peak or 0 for fact in rang)
            found[code] = list(_higher(own[code].high + most, held[code], peak))
        elif code == "CRIT_HIGH":
            found[code] = [*_longer(own[code], held[code]), *_beyond(own[code], held)]
    return {code: ladder for code, ladder in found.items() if ladder}


def _higher(most: int, held: Limit, peak: int) -> Iterator[dict[str, float]]:
    """Above the highest peak, to the whole kelvin, and one more."""
    high = min(-(-peak // STEP) * STEP + STEP, most)
    if high > held.high:
        yield {"limit_c": high / 100}


def _most_ms(own: Limit) -> int:
    return max(min(own.delay_ms * LONGEST, LONGEST_MS), ALLOWED_MS, own.delay_ms)


def _longer(own: Limit, held: Limit) -> Iterator[dict[str, float]]:
    for delay_ms in sorted({min(int(own.delay_ms * times), _most_ms(own)) for times in LONGER}):
        if delay_ms > held.delay_ms:
            yield {"delay_min": delay_ms / MINUTE_MS}


def _beyond(own: Limit, held: Mapping[str, Limit]) -> Iterator[dict[str, float]]:
    """Where waiting does not help: a higher limit as well."""
    now = held[own.code]
    delay_ms = max(_most_ms(own), now.delay_ms)
    most = min(own.high + CRITICAL_MOST, held["CEILING"].high)
    for high in range(own.high + STEP, most + 1, STEP):
        if high > now.high:
            yield {"limit_c": high / 100, "delay_min": delay_ms / MINUTE_MS}


# --- looking for the smallest ---------------------------------------------------------------------


class _Search:
    """Limit rules do not touch one another, so one judgement tries a rung of every ladder."""

    def __init__(
        self, past: Past, known: Sequence[Worth], ladders: Mapping[str, Sequence[Any]]
    ) -> None:
        self._past, self._known, self._ladders = past, known, ladders
        self._tried: list[Judgement] = []

    def smallest(self, code: str) -> Any | None:
        """One rung further than was needed, because the next month is another."""
        ladder = self._ladders[code]
        rang = [w.fact for w in self._known if w.fact.code == _rule(code) and w.real is False]
        safe = 0
        left = [len(rang)]
        for rung in range(len(ladder)):
            after = self._judged(rung)
            if any(_late(w.fact, after) for w in self._known if w.real and self._near(w, code)):
                break
            left.append(sum(1 for fact in rang if _later(fact, after) is not None))
            safe = rung + 1
            if safe > 1 and not left[-2]:
                break
        if min(left) == left[0]:
            return None
        needed = left.index(min(left))
        return ladder[min(needed + 1, safe) - 1]

    def _near(self, worth: Worth, code: str) -> bool:
        return worth.fact.code == code or code == DEFROST

    def _judged(self, rung: int) -> Judgement:
        past = self._past
        while len(self._tried) <= rung:
            at = len(self._tried)
            change = {code: ladder[min(at, len(ladder) - 1)] for code, ladder in
                      self._ladders.items()}  # fmt: skip
            rule = proposed(past.held, Proposal(also=change))
            self._tried.append(ruled(rule, past.actions, past.readings, past.span[1]))
        return self._tried[rung]


def _rule(code: str) -> str:
    """Whose alarms a change is to spare."""
    return "DEFROST_TOO_LONG" if code == DEFROST else code


def _later(fact: Fact, after: Judgement) -> int | None:
    """How much later it fires; None when it is gone."""
    same = [f for f in after.facts if f.code == fact.code and _meet(fact, f)]
    return min(f.fired_at_ms for f in same) - fact.fired_at_ms if same else None


def _late(fact: Fact, after: Judgement) -> bool:
    later_ms = _later(fact, after)
    return later_ms is None or later_ms > LATER_MS


def _changes(
    past: Past,
    known: Sequence[Worth],
    overrides: Mapping[str, Any],
    lost: set[tuple[str, int]],
) -> Iterator[Changed]:
    held = {limit.code: limit for limit in resolve(past.held).limits}
    for code, change in sorted(overrides.items()):
        rang = [_name(w.fact) for w in known if w.fact.code == _rule(code) and w.real is False]
        spared = sum(name in lost for name in rang)
        if not isinstance(change, Mapping):
            now = float(past.held.overrides.get(code, DEFROST_TOTAL_MIN))
            yield Changed(code, "", now, change, len(rang), spared)
            continue
        for field, value in change.items():
            limit = held[code]
            now = limit.stated / 100 if field == "limit_c" else limit.delay_ms / MINUTE_MS
            if now != value:
                yield Changed(code, field, now, value, len(rang), spared)
