"""The limits in force in a room, with where they come from, as a person reads them."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from domain.judgement import Rule
from domain.profile import NEVER, Impossible, level, resolve
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


@cache
def _profiles() -> Mapping[str, Any]:
    text = files("domain").joinpath("facts", "profiles.toml").read_text(encoding="utf-8")
    found: Mapping[str, Any] = tomllib.loads(text)["profiles"]
    return found


def limits_in_force(rule: RuleVersion) -> list[LimitInForce]:
    """Empty for a rule that this program's profiles cannot resolve any more."""
    asked = Rule(
        str(rule.m), rule.from_ms, rule.profile, rule.commodities, rule.interval_s, rule.overrides
    )
    try:
        resolved = resolve(asked)
    except Impossible:
        return []
    rows = {row["code"]: row for row in _profiles()[rule.profile]["rules"]}
    found = []
    for limit in resolved.limits:
        row = rows.get(limit.code, {})
        found.append(
            LimitInForce(
                limit.code,
                level(limit.code),
                limit.high / COUNTS if abs(limit.high) < NEVER else None,
                limit.low / COUNTS if abs(limit.low) < NEVER else None,
                limit.delay_ms / 60_000,
                str(row.get("source", "")),
                str(row.get("clause", "")),
                str(row.get("confidence", "")),
                limit.code in rule.overrides,
            )
        )
    return found


def limit_of(rule: RuleVersion | None, code: str) -> LimitInForce | None:
    if rule is None:
        return None
    return next((limit for limit in limits_in_force(rule) if limit.code == code), None)
