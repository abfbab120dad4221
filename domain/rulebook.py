"""Every rule with where it comes from: id, whose limit, clause, how far trusted, since when.

Two numbered data files: the limits of ``facts/profiles.toml`` and the rules that are no limits of
``facts/rules.toml``. What they cite stands in ``facts/standards.csv``. A clause is given only as
it was read; no text is ever said to be complied with.
"""

import csv
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from domain.commodity import COMMODITIES
from domain.profile import PROFILES, common_band, level, profiles, property_of

REPLAY_NEVER = ("advice", "log")  # levels that no replay prints


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose number it is. ``source`` "own": ours. ``standard``: keys of ``STANDARDS``; ``clause``
    empty when none was read. ``confidence``: verified (seen in a retrieved text), memory (well
    known), choice (ours)."""

    source: str
    standard: tuple[str, ...]
    clause: str
    confidence: str


@dataclass(frozen=True, slots=True)
class LimitRule:
    """A row of a profile. ``above`` and ``below`` in degC, or the name of a property of the
    goods, to which ``offset`` is added; ``otherwise`` stands where no goods have it."""

    id: str  # "SB.WARN_HIGH"
    profile: str
    code: str
    level: str
    above: float | str | None
    below: float | str | None
    offset: float
    otherwise: float | None
    inclusive: bool
    delay_min: int
    fixed: bool  # overrides may not change it
    origin: Origin
    edition: int
    effective: date  # since when this edition is offered; a room's own rule says when it holds


@dataclass(frozen=True, slots=True)
class OtherRule:
    """A rule that is no limit. ``level``: warning, critical, either (as the room is stocked), log
    or advice. ``profiles`` empty: all. ``replay``: printed by a replay."""

    id: str  # the code
    code: str
    level: str
    profiles: tuple[str, ...]
    after_min: int
    fires_en: str
    fires_zh: str
    clears_en: str
    clears_zh: str
    origin: Origin
    replay: bool
    edition: int
    effective: date


@dataclass(frozen=True, slots=True)
class Standard:
    """A row of ``standards.csv``: what was seen of a text, and how well."""

    key: str
    designation: str
    title_en: str
    title_zh: str
    status: str  # with the date from which it is in force, where known
    requirement: str
    source: str
    confidence: str


def _facts(name: str) -> str:
    return files("domain").joinpath("facts", name).read_text(encoding="utf-8")


def _standards() -> dict[str, Standard]:
    return {
        row["key"]: Standard(
            row["key"], row["designation"], row["title_en"], row["title_zh"], row["status"],
            row["requirement"], row["source"], row["confidence"],
        )
        for row in csv.DictReader(_facts("standards.csv").splitlines())
    }  # fmt: skip


STANDARDS: Mapping[str, Standard] = MappingProxyType(_standards())


def _origin(row: Mapping[str, Any]) -> Origin:
    return Origin(row["source"], tuple(row.get("standard", ())), row["clause"], row["confidence"])


@lru_cache(maxsize=1)
def limit_rules() -> Mapping[str, LimitRule]:
    """By id, in the order of the profiles."""
    data = profiles()
    found = [
        LimitRule(
            id=f"{profile}.{row['code']}",
            profile=profile,
            code=row["code"],
            level=level(row["code"]),
            above=row.get("above"),
            below=row.get("below"),
            offset=row.get("offset", 0),
            otherwise=row.get("otherwise"),
            inclusive=row.get("inclusive", False),
            delay_min=row["delay_min"],
            fixed=row.get("fixed", False),
            origin=_origin(row),
            edition=data["number"],
            effective=data["effective"],
        )
        for profile in PROFILES
        for row in data["profiles"][profile]["rules"]
    ]
    return MappingProxyType({rule.id: rule for rule in found})


@lru_cache(maxsize=1)
def other_rules() -> Mapping[str, OtherRule]:
    """By code."""
    data = tomllib.loads(_facts("rules.toml"))
    return MappingProxyType(
        {
            row["code"]: OtherRule(
                id=row["code"],
                code=row["code"],
                level=row["level"],
                profiles=tuple(row.get("profiles", ())),
                after_min=row["after_min"],
                fires_en=row["fires_en"],
                fires_zh=row["fires_zh"],
                clears_en=row["clears_en"],
                clears_zh=row["clears_zh"],
                origin=_origin(row),
                replay=row.get("replay", row["level"] not in REPLAY_NEVER),
                edition=data["number"],
                effective=data["effective"],
            )
            for row in data["rules"]
        }
    )


def rule_of(profile: str, code: str) -> LimitRule | OtherRule | None:
    """The rule behind an alarm of a room with that profile."""
    return limit_rules().get(f"{profile}.{code}") or other_rules().get(code)


def giver(rule: LimitRule | OtherRule, commodities: Sequence[str]) -> str:
    """The commodity whose property is the limit; empty when the limit is the profile's own."""
    if isinstance(rule, OtherRule):
        return ""
    goods = [COMMODITIES[key] for key in commodities]
    for said in (rule.above, rule.below):
        if isinstance(said, str):
            found = property_of(said, goods, common_band(goods))
            for one in goods:
                if found is not None and property_of(said, [one], common_band([one])) == found:
                    return one.key
    return ""
