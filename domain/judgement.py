"""What the rules are asked about one room, and what they answer.

``judge`` in ``domain.room`` is the specification: a function of readings, rules and
actions. Nothing in these values depends on the order of arrival.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from domain.reading import Columns, Series


@dataclass(frozen=True, slots=True)
class Rule:
    """In force from ``from_ms`` until the next one; ``overrides`` as written in a case (A5)."""

    id: str
    from_ms: int
    profile: str
    commodities: tuple[str, ...]
    interval_s: int
    overrides: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Action:
    """Something a person did; kinds and ``detail`` fields: alarm decisions 36. One kind more,
    which no replay has: ``probe_lag`` (``probe``, ``lag_ms``), the probe's papers from then on."""

    at_ms: int
    kind: str
    by: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """One room's whole input. ``readings``: one row a key, sorted, conflicts merged and marked
    128 (``domain.reading.winner``). ``actions`` by (at, order recorded). ``rules`` oldest first,
    at least one; the first holds from the beginning of time."""

    rules: Sequence[Rule]
    readings: Mapping[Series, Columns]
    actions: Sequence[Action] = ()


@dataclass(frozen=True, slots=True)
class Fact:
    """One alarm. ``peak`` in counts of 0.01 degC; exact integers where people see decimals."""

    code: str
    level: str  # warning | critical
    began_at_ms: int
    fired_at_ms: int
    cleared_at_ms: int | None  # None: active at the horizon
    peak: int | None
    excess_count_ms: int  # sum of counts above the reference limit times ms
    unknown_ms: int

    @property
    def degree_minutes(self) -> float:
        """degC min, 2 decimals (alarm decisions 27)."""
        return round(self.excess_count_ms / 6_000_000, 2)

    @property
    def minutes_unknown(self) -> float:
        return round(self.unknown_ms / 60_000, 2)


@dataclass(frozen=True, slots=True)
class Pause:
    cause: str  # door | defrost | loading | precool | standby | maintenance
    from_ms: int
    to_ms: int | None


@dataclass(frozen=True, slots=True)
class Flag:
    at_ms: int
    probe: str
    quantity: str
    reason: str  # CONFLICT | CLOCK_SKEW | SENSOR_RANGE | SENSOR_JUMP


@dataclass(frozen=True, slots=True)
class Judgement:
    """Facts by (fired, code), pauses by (from, cause, to), flags by (at, probe, quantity, reason)."""

    facts: tuple[Fact, ...]
    pauses: tuple[Pause, ...]
    flags: tuple[Flag, ...]

    def known_at(self, now_ms: int) -> "Judgement":
        """Of a judgement that looks ahead, what is true at ``now_ms``: without what clock rules
        are yet to say."""
        facts = tuple(
            replace(f, cleared_at_ms=None)
            if f.cleared_at_ms is not None and f.cleared_at_ms > now_ms
            else f
            for f in self.facts
            if f.fired_at_ms <= now_ms
        )
        return Judgement(facts, tuple(p for p in self.pauses if p.from_ms <= now_ms), self.flags)

    def next_moment_ms(self, now_ms: int) -> int | None:
        """When what is true changes by itself, without a reading."""
        moments = [f.fired_at_ms for f in self.facts]
        moments += [f.cleared_at_ms for f in self.facts if f.cleared_at_ms is not None]
        return min((m for m in moments if m > now_ms), default=None)
