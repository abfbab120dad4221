"""What holds over one room before a single reading is looked at: its rules and its people.

``rule_changed`` replaces the overrides of the rule in force from its instant on (alarm
decisions 21).
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

from domain.activity import Activity, activity
from domain.judgement import Action, Rule
from domain.profile import ResolvedRule, resolve
from domain.screening import LOOK_AHEAD
from domain.span import SINCE_EVER, Span, united
from domain.suppression import off_by


@dataclass(frozen=True, slots=True)
class Plan:
    """``rules``: (from_ms, rule), ascending; the first from the beginning of time. ``written``:
    the same as people wrote them."""

    rules: tuple[tuple[int, ResolvedRule], ...]
    activity: Activity
    written: tuple[tuple[int, Rule], ...]

    def rule_at(self, at_ms: int) -> ResolvedRule:
        return self.rules[self._place(at_ms)][1]

    def written_at(self, at_ms: int) -> Rule:
        return self.written[self._place(at_ms)][1]

    def _place(self, at_ms: int) -> int:
        return max(bisect_right(self.rules, at_ms, key=lambda entry: entry[0]) - 1, 0)

    @property
    def look_ahead_ms(self) -> int:
        """No reading changes what was measured longer than this before it."""
        return LOOK_AHEAD * max(rule.interval_ms for _, rule in self.rules)

    def off(self, code: str) -> list[Span]:
        """When people had switched the rule off."""
        return united(s for cause in off_by(code) for s in self.activity.spans(cause))

    def lags(self, probe: str) -> list[tuple[int, int]]:
        """(from, time constant in ms), oldest first."""
        return [(at, lag_ms) for at, of, lag_ms in self.activity.lags if of == probe]

    def removals(self, probe: str) -> list[int]:
        return [at for at, removed in self.activity.removals if removed == probe]


def plan(rules: Sequence[Rule], actions: Sequence[Action], horizon_ms: int) -> Plan:
    """Actions after the horizon are not known yet. Raises ``Impossible``."""
    known = [action for action in actions if action.at_ms <= horizon_ms]
    changes = [action for action in known if action.kind == "rule_changed"]
    found: dict[int, tuple[ResolvedRule, Rule]] = {}  # of one instant the last stands
    for i, rule in enumerate(rules):
        begin = SINCE_EVER if i == 0 else rule.from_ms
        end = rules[i + 1].from_ms if i + 1 < len(rules) else None
        if begin > horizon_ms:
            break
        found[begin] = resolve(rule), rule
        for change in changes:
            if change.at_ms >= begin and (end is None or change.at_ms < end):
                overrides = change.detail.get("overrides", {})
                changed = replace(rule, from_ms=change.at_ms, overrides=overrides)
                found[change.at_ms] = resolve(changed), changed
    return Plan(
        tuple((at, found[at][0]) for at in sorted(found)),
        activity(known),
        tuple((at, found[at][1]) for at in sorted(found)),
    )
