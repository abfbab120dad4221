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


@dataclass(frozen=True, slots=True)
class Plan:
    """``rules``: (from_ms, rule), ascending; the first from the beginning of time."""

    rules: tuple[tuple[int, ResolvedRule], ...]
    activity: Activity

    def rule_at(self, at_ms: int) -> ResolvedRule:
        i = bisect_right(self.rules, at_ms, key=lambda entry: entry[0])
        return self.rules[max(i - 1, 0)][1]

    @property
    def look_ahead_ms(self) -> int:
        """No reading changes what was measured longer than this before it."""
        return LOOK_AHEAD * max(rule.interval_ms for _, rule in self.rules)

    @property
    def precoolings(self) -> tuple[Span, ...]:
        return tuple((c.begin, c.end) for c in self.activity.precooling)

    def high_off(self) -> list[Span]:
        """When the rules of the warm side are off; ``low_off`` those of the cold side."""
        return united((*self.activity.standby, *self.activity.maintenance, *self.precoolings))

    def low_off(self) -> list[Span]:
        return united((*self.activity.standby, *self.activity.maintenance))

    def removals(self, probe: str) -> list[int]:
        return [at for at, removed in self.activity.removals if removed == probe]


def plan(rules: Sequence[Rule], actions: Sequence[Action], horizon_ms: int) -> Plan:
    """Actions after the horizon are not known yet. Raises ``Impossible``."""
    known = [action for action in actions if action.at_ms <= horizon_ms]
    changes = [action for action in known if action.kind == "rule_changed"]
    resolved: list[tuple[int, ResolvedRule]] = []
    for i, rule in enumerate(rules):
        begin = SINCE_EVER if i == 0 else rule.from_ms
        end = rules[i + 1].from_ms if i + 1 < len(rules) else None
        if begin > horizon_ms:
            break
        resolved.append((begin, resolve(rule)))
        for change in changes:
            if change.at_ms >= begin and (end is None or change.at_ms < end):
                changed = replace(rule, overrides=change.detail.get("overrides", {}))
                resolved.append((change.at_ms, resolve(changed)))
    latest = dict(resolved)  # of one instant the last stands
    return Plan(tuple(sorted(latest.items(), key=lambda entry: entry[0])), activity(known))
