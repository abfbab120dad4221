"""The limits in force in a room, with where they come from, as a person reads them."""

from dataclasses import dataclass

from domain.judgement import Rule
from domain.profile import NEVER, Impossible, level, resolve
from domain.rulebook import limit_rules
from store.records.ports import RuleVersion

COUNTS = 100  # in one degree


@dataclass(frozen=True, slots=True)
class LimitInForce:
    """``above``/``below`` in degC; None on the side that is not watched."""

    code: str
    level: str
    above: float | None
    below: float | None
    delay_min: float
    source: str
    clause: str
    confidence: str
    changed: bool  # an override moved it


def as_rule(version: RuleVersion) -> Rule:
    """As the rules are asked."""
    return Rule(
        str(version.m),
        version.from_ms,
        version.profile,
        tuple(version.commodities),
        version.interval_s,
        version.overrides,
    )


def limits_in_force(rule: RuleVersion) -> list[LimitInForce]:
    """Empty for a rule that this program's profiles cannot resolve any more."""
    asked = as_rule(rule)
    try:
        resolved = resolve(asked)
    except Impossible:
        return []
    found = []
    for limit in resolved.limits:
        origin = limit_rules()[f"{rule.profile}.{limit.code}"].origin
        found.append(
            LimitInForce(
                limit.code,
                level(limit.code),
                limit.high / COUNTS if abs(limit.high) < NEVER else None,
                limit.low / COUNTS if abs(limit.low) < NEVER else None,
                limit.delay_ms / 60_000,
                origin.source,
                origin.clause,
                origin.confidence,
                limit.code in rule.overrides,
            )
        )
    return found


def limit_of(rule: RuleVersion | None, code: str) -> LimitInForce | None:
    if rule is None:
        return None
    return next((limit for limit in limits_in_force(rule) if limit.code == code), None)
