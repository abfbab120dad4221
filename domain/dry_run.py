"""What other rules would have made of the same readings: alarms gained, lost, moved.

Both sides are the judgement itself, over everything that is stored of the room up to the end of
the span: the rules as they were in force, and the proposal as if it had always been. So no alarm
changes merely because the span begins or because a rule would have been replaced within it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from domain.continuity import continued
from domain.judgement import Action, Asked, Fact, Judgement, Rule
from domain.profile import resolve
from domain.reading import Columns, Series
from domain.room import judge

KINDS = ("lost", "gained", "moved", "changed")


@dataclass(frozen=True, slots=True)
class Proposal:
    """What is to be otherwise; None: as it is. ``overrides`` replace those in force, ``also`` is
    laid over them, code by code and field by field."""

    profile: str | None = None
    commodities: tuple[str, ...] | None = None
    interval_s: int | None = None
    overrides: Mapping[str, Any] | None = None
    also: Mapping[str, Any] | None = None


def proposed(rule: Rule, proposal: Proposal) -> Rule:
    """The whole rule. Overrides of another profile are not carried over to a new one. Raises
    ``Impossible``."""
    profile = proposal.profile or rule.profile
    kept = rule.overrides if profile == rule.profile else {}
    overrides = dict(kept if proposal.overrides is None else proposal.overrides)
    for code, change in (proposal.also or {}).items():
        before = overrides.get(code)
        both = isinstance(before, Mapping) and isinstance(change, Mapping)
        overrides[code] = {**before, **change} if both else change  # type: ignore[dict-item] # both: a mapping
    whole = replace(
        rule,
        id="proposal",
        profile=profile,
        commodities=rule.commodities if proposal.commodities is None else proposal.commodities,
        interval_s=rule.interval_s if proposal.interval_s is None else proposal.interval_s,
        overrides=overrides,
    )
    resolve(whole)
    return whole


@dataclass(frozen=True, slots=True)
class Change:
    """``kind``: gained (only under the proposal), lost (only as it was), moved (began, fired or
    cleared at other times), changed (same times, other level, peak or dose)."""

    kind: str
    code: str
    before: Fact | None
    after: Fact | None

    @property
    def fact(self) -> Fact:
        fact = self.after if self.before is None else self.before
        assert fact is not None  # noqa: S101 - one of the two is there
        return fact

    @property
    def later_ms(self) -> int | None:
        """How much later it fires; None when it is only on one side."""
        if self.before is None or self.after is None:
            return None
        return self.after.fired_at_ms - self.before.fired_at_ms


@dataclass(frozen=True, slots=True)
class Difference:
    """``changes`` by (fired, code); ``same``: alarms on both sides alike; ``before`` and
    ``after``: how many of each code there are in the span."""

    changes: tuple[Change, ...]
    same: int
    before: Mapping[str, int]
    after: Mapping[str, int]

    def count(self, kind: str) -> int:
        return sum(1 for change in self.changes if change.kind == kind)


def ruled(
    proposal: Rule,
    actions: Sequence[Action],
    readings: Mapping[Series, Columns],
    horizon_ms: int,
) -> Judgement:
    """The room as if the proposal had always been in force. A ``rule_changed`` said by people
    changed the rule that was; it says nothing about the proposal."""
    others = [action for action in actions if action.kind != "rule_changed"]
    return judge(Asked([proposal], readings, others), horizon_ms)


def compare(before: Judgement, after: Judgement, span: tuple[int, int]) -> Difference:
    """Alarms that were active within [from, to], ends inside."""
    old, new = _within(before.facts, span), _within(after.facts, span)
    pairs = continued([("", fact) for fact in old], new)
    lasting = set(pairs.values())
    changes = [Change("lost", f.code, f, None) for j, f in enumerate(old) if j not in lasting]
    changes += [Change("gained", f.code, None, f) for i, f in enumerate(new) if i not in pairs]
    same = 0
    for i, j in pairs.items():
        if old[j] == new[i]:
            same += 1
            continue
        kind = "changed" if _times(old[j]) == _times(new[i]) else "moved"
        changes.append(Change(kind, new[i].code, old[j], new[i]))
    return Difference(
        tuple(sorted(changes, key=lambda c: (c.fact.fired_at_ms, c.code, KINDS.index(c.kind)))),
        same,
        _counts(old),
        _counts(new),
    )


def _within(facts: Sequence[Fact], span: tuple[int, int]) -> list[Fact]:
    from_ms, to_ms = span
    return [
        fact
        for fact in facts
        if fact.fired_at_ms <= to_ms
        and (fact.cleared_at_ms is None or fact.cleared_at_ms > from_ms)
    ]


def _times(fact: Fact) -> tuple[int, int, int | None]:
    return fact.began_at_ms, fact.fired_at_ms, fact.cleared_at_ms


def _counts(facts: Sequence[Fact]) -> dict[str, int]:
    found: dict[str, int] = {}
    for fact in facts:
        found[fact.code] = found.get(fact.code, 0) + 1
    return dict(sorted(found.items()))
