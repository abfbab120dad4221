"""A room's rule, resolved: which limits hold, in counts and milliseconds.

Profiles are data (``facts/profiles.toml``, with source and confidence); commodities move
some limits; overrides move others (alarm decisions 5, 6, 16, 17). Whatever cannot be is
refused with its field before anything is judged by it.
"""

import dataclasses
import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from functools import lru_cache
from importlib.resources import files
from typing import Any

from domain.commodity import COMMODITIES, Commodity
from domain.judgement import Rule
from domain.quantity import QUANTITIES

MINUTE_MS = 60_000
NEVER = 10**15  # counts: beyond every value, so that a one-sided limit needs no special case
HYSTERESIS_C = Decimal("0.5")
DEFROST_TOTAL_MIN = 45
PRECOOL_CEILING = 4000  # counts: CEILING while pre-cooling (alarm decisions 20)

WARNINGS_HIGH = ("WARN_HIGH", "WARN_DANGER_BAND")
WARNINGS_LOW = ("WARN_LOW", "WARN_CHILL")
_PREDICTS_HIGH = {"SB", "MT", "FI", "FZ", "FT"}  # alarm practice, section 6
_PREDICTS_FREEZE = {"SB"}
_TEMPERATURE = QUANTITIES["temperature"]
_HUMIDITY = QUANTITIES["humidity"]


class Impossible(Exception):
    """The rule cannot be. ``also`` names other fields that could mend it."""

    def __init__(self, field: str, reason: str, also: Sequence[str] = ()) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason
        self.also = tuple(also)


@dataclass(frozen=True, slots=True)
class Limit:
    """Breach: count > high or count < low, for ``delay_ms``. Clear: clear_low <= count <=
    clear_high. A side that is not watched lies at +-NEVER. ``reference_*``: where the excess is
    measured from (alarm decisions 26)."""

    code: str
    level: str
    high: int
    low: int
    delay_ms: int
    clear_high: int
    clear_low: int
    reference_high: int
    reference_low: int
    inclusive: bool = False  # the limit itself is a breach; ``low`` lies one count above it

    def calm(self, count: int) -> bool:
        """No breach, and no excess to be measured."""
        within = self.low <= count <= self.high
        return within and self.reference_low <= count <= self.reference_high

    @property
    def stated(self) -> int:
        """The limit as people know it; the low one where there are two."""
        if self.low == -NEVER:
            return self.high
        return self.low - 1 if self.inclusive else self.low


@dataclass(frozen=True, slots=True)
class ResolvedRule:
    """``name`` is the SHA-256 over everything else: the same limits, the same name."""

    profile: str
    interval_ms: int
    limits: tuple[Limit, ...]
    chilling: Limit | None  # CRIT_CHILL_CUM: a dose, not a timer
    humidity: Limit | None  # WARN_RH, in counts of humidity
    defrost_ms: int
    range_low: int  # SENSOR_RANGE of samples, both ends inside
    range_high: int
    stuck_ms: int  # of air probes; product probes 24 h
    predicts_high: bool
    predicts_freeze: bool
    name: str

    def __hash__(self) -> int:
        return hash(self.name)

    def limit(self, code: str) -> Limit | None:
        for limit in self.limits:
            if limit.code == code:
                return limit
        return None


@lru_cache(maxsize=1)
def profiles() -> Mapping[str, Any]:
    """``facts/profiles.toml`` as it is; with its origins as values: ``domain.rulebook``."""
    text = files("domain").joinpath("facts", "profiles.toml").read_text(encoding="utf-8")
    found: Mapping[str, Any] = tomllib.loads(text)
    return found


PROFILES = ("SB", "CU", "PS", "MT", "FI", "FZ", "FT", "VX", "PC", "AM")


def level(code: str) -> str:
    """Alarm decisions 23 and section E; that of SENSOR_RANGE depends on the room (43)."""
    critical = code.startswith(("CRIT_", "WHO_")) or code == "CEILING" or code.endswith("_CRIT")
    return "critical" if critical else "warning"


def resolve(rule: Rule) -> ResolvedRule:
    """Raises ``Impossible`` with the field as a person wrote it (``overrides.CEILING.limit_c``)."""
    written = (rule.profile, rule.commodities, rule.interval_s, rule.overrides)
    return _resolved(_Written(repr(written), rule))


@dataclass(frozen=True, slots=True)
class _Written:
    """A rule as it was written, the key under which it is resolved once."""

    text: str
    rule: Rule = dataclasses.field(compare=False)


@lru_cache(maxsize=1024)
def _resolved(written: _Written) -> ResolvedRule:
    rule = written.rule
    if rule.profile not in PROFILES:
        raise Impossible("profile", f"unknown profile {rule.profile!r}")
    interval_ms = _interval(rule.interval_s)
    goods = _goods(rule.commodities)
    band = common_band(goods)
    if rule.profile == "AM" and not goods:
        raise Impossible("commodities", "profile AM takes its band from its commodities")

    drafts = [
        draft
        for row in profiles()["profiles"][rule.profile]["rules"]
        if (draft := _draft(row, goods, band)) is not None
    ]
    defrost_min = _override(drafts, rule.overrides)
    _check_delays(drafts, interval_ms, rule)
    _check_order(drafts, rule.overrides)

    limits = [_limit(draft, drafts, rule.profile) for draft in drafts]
    chilling = next((x for x in limits if x.code == "CRIT_CHILL_CUM"), None)
    fields: dict[str, Any] = {
        "profile": rule.profile,
        "interval_ms": interval_ms,
        "limits": tuple(x for x in limits if x is not chilling),
        "chilling": chilling,
        "humidity": _humidity(goods),
        "defrost_ms": int(defrost_min * MINUTE_MS),
        "range_low": -8000 if any(_below_45(c) for c in goods) else -4500,
        "range_high": 6000,
        "stuck_ms": (24 if rule.profile in ("FZ", "FT") else 6) * 60 * MINUTE_MS,
        "predicts_high": rule.profile in _PREDICTS_HIGH,
        "predicts_freeze": rule.profile in _PREDICTS_FREEZE,
    }
    nameless = ResolvedRule(**fields, name="")
    text = json.dumps(asdict(nameless), sort_keys=True, separators=(",", ":"))
    return ResolvedRule(**fields, name=hashlib.sha256(text.encode()).hexdigest())


def _interval(interval_s: object) -> int:
    if isinstance(interval_s, bool) or not isinstance(interval_s, int):
        raise Impossible("interval_s", "must be a whole number of seconds")
    if not 10 <= interval_s <= 3600:
        raise Impossible("interval_s", "must be 10 to 3600")
    return interval_s * 1000


def _goods(keys: Sequence[str]) -> list[Commodity]:
    for i, key in enumerate(keys):
        if key not in COMMODITIES:
            raise Impossible(f"commodities[{i}]", f"unknown commodity {key!r}")
    return [COMMODITIES[key] for key in keys]


def common_band(goods: Sequence[Commodity]) -> tuple[Decimal, Decimal] | None:
    lows = [c.band_min for c in goods if c.band_min is not None]
    highs = [c.band_max for c in goods if c.band_max is not None]
    if not lows or not highs:
        return None
    if max(lows) > min(highs):
        text = ", ".join(f"{c.key} {c.band_min} to {c.band_max}" for c in goods)
        raise Impossible("commodities", f"their temperature bands do not meet: {text}")
    return max(lows), min(highs)


def _below_45(commodity: Commodity) -> bool:
    return commodity.band_max is not None and commodity.band_max < -45


@dataclass(slots=True)
class _Draft:
    """A rule while overrides are laid over it; degC and minutes."""

    code: str
    above: Decimal | None
    below: Decimal | None
    delay_min: Decimal
    hysteresis: Decimal
    inclusive: bool
    clear_at: Decimal | None
    fixed: bool


def _draft(
    row: Mapping[str, Any], goods: Sequence[Commodity], band: tuple[Decimal, Decimal] | None
) -> _Draft | None:
    above = _bound(row, "above", goods, band)
    below = _bound(row, "below", goods, band)
    if above is None and below is None:
        return None
    return _Draft(
        code=row["code"],
        above=above,
        below=below,
        delay_min=Decimal(row["delay_min"]),
        hysteresis=HYSTERESIS_C,
        inclusive=row.get("inclusive", False),
        clear_at=Decimal(str(row["clear_at"])) if "clear_at" in row else None,
        fixed=row.get("fixed", False),
    )


def _bound(
    row: Mapping[str, Any],
    side: str,
    goods: Sequence[Commodity],
    band: tuple[Decimal, Decimal] | None,
) -> Decimal | None:
    said = row.get(side)
    if said is None:
        return None
    if not isinstance(said, str):
        return Decimal(str(said))
    found = property_of(said, goods, band)
    if found is None and "otherwise" in row:
        found = Decimal(str(row["otherwise"]))
    return None if found is None else found + Decimal(str(row.get("offset", 0)))


def property_of(
    name: str, goods: Sequence[Commodity], band: tuple[Decimal, Decimal] | None
) -> Decimal | None:
    match name:
        case "freezing_point":
            known = [c.freezing_point for c in goods if c.freezing_point is not None]
            return max(known, default=None)
        case "chilling_threshold":
            known = [c.chilling_threshold for c in goods if c.chilling_threshold is not None]
            return max(known, default=None)
        case "danger_band":
            known = [c.danger_band_min for c in goods if c.danger_band_min is not None]
            return min(known, default=None)
        case "band_min":
            return band[0] if band else None
        case "band_max":
            return band[1] if band else None
        case _:
            raise ValueError(f"profiles.toml names an unknown property {name!r}")


def _number(value: object, field: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise Impossible(field, "must be a number")
    exact = value if isinstance(value, Decimal) else Decimal(repr(value))
    if not exact.is_finite():
        raise Impossible(field, "must be a finite number")
    return exact


def _override(drafts: Sequence[_Draft], overrides: Mapping[str, Any]) -> Decimal:
    """Lay the overrides over the drafts; what is left over is the defrost bound in minutes."""
    by_code = {draft.code: draft for draft in drafts}
    defrost_min = Decimal(DEFROST_TOTAL_MIN)
    for code, change in overrides.items():
        field = f"overrides.{code}"
        if code == "defrost_total_min":
            defrost_min = _number(change, field)
            if not 45 <= defrost_min <= 60:
                raise Impossible(field, "must be 45 to 60")
            continue
        draft = by_code.get(code)
        if draft is None:
            raise Impossible(field, "the profile has no such limit rule")
        if draft.fixed:
            raise Impossible(field, "cannot be changed")
        if not isinstance(change, Mapping):
            raise Impossible(field, "must be an object")
        for name, value in change.items():
            _change(draft, name, value, f"{field}.{name}")
    return defrost_min


def _change(draft: _Draft, name: str, value: object, field: str) -> None:
    known = ("limit_c",) if draft.code == "CEILING" else ("limit_c", "delay_min", "hysteresis_c")
    if name not in known:
        raise Impossible(field, f"unknown field; {draft.code} takes {', '.join(known)}")
    number = _number(value, field)
    if name == "limit_c":
        if not _TEMPERATURE.low <= number <= _TEMPERATURE.high:
            raise Impossible(field, "outside the physical range")
        if draft.above is not None:
            draft.above = number
        else:
            draft.below = number
    elif name == "delay_min":
        if number < 0 or number > 525_600:
            raise Impossible(field, "must be 0 or at least one interval, and at most a year")
        draft.delay_min = number
    else:
        if _TEMPERATURE.count(number) <= 0:
            raise Impossible(field, "must be above 0")
        if number > 100:
            raise Impossible(field, "wider than anything measured")
        draft.hysteresis = number


def _check_delays(drafts: Sequence[_Draft], interval_ms: int, rule: Rule) -> None:
    short = [d.code for d in drafts if 0 < d.delay_min * MINUTE_MS < interval_ms]
    if not short:
        return
    fields = [f"overrides.{code}.delay_min" for code in short]
    for field, code in zip(fields, short, strict=True):
        change = rule.overrides.get(code)
        if isinstance(change, Mapping) and "delay_min" in change:
            raise Impossible(field, f"shorter than one interval of {rule.interval_s} s")
    reason = f"longer than the delay of {', '.join(short)} in {rule.profile}"
    raise Impossible("interval_s", reason, [*fields, "profile"])


def _check_order(drafts: Sequence[_Draft], overrides: Mapping[str, Any]) -> None:
    """In counts, as limits are compared, and only what an override touches: the table's own are
    as they are."""
    count = _TEMPERATURE.count
    high = {d.code: count(d.above) for d in drafts if d.above is not None}
    low = {d.code: count(d.below) for d in drafts if d.below is not None}
    rank = {"CEILING": 2, "CRIT_HIGH": 1, "WHO_HEAT": 1}
    for milder in high:
        for harder in high:
            ordered = rank.get(milder, 0) < rank.get(harder, 0)
            if ordered and high[milder] > high[harder]:
                _refuse_order(milder, harder, overrides)
    for milder in low:
        for harder in low:
            ordered = milder in WARNINGS_LOW and harder in ("CRIT_LOW", "CRIT_FREEZE")
            if ordered and low[milder] < low[harder]:
                _refuse_order(milder, harder, overrides)


def _refuse_order(milder: str, harder: str, overrides: Mapping[str, Any]) -> None:
    touched = [
        f"overrides.{code}.limit_c"
        for code in (milder, harder)
        if isinstance(overrides.get(code), Mapping) and "limit_c" in overrides[code]
    ]
    if touched:
        raise Impossible(touched[0], f"{milder} would lie beyond {harder}", touched[1:])


def _limit(draft: _Draft, drafts: Sequence[_Draft], profile: str) -> Limit:
    count = _TEMPERATURE.count
    hysteresis = count(draft.hysteresis)
    high = NEVER if draft.above is None else count(draft.above)
    low = -NEVER if draft.below is None else count(draft.below) + (1 if draft.inclusive else 0)
    clear_high = NEVER if draft.above is None else high - hysteresis
    clear_low = -NEVER if draft.below is None else count(draft.below) + hysteresis
    if draft.clear_at is not None:
        clear_low = count(draft.clear_at)
    reference_high, reference_low = NEVER, -NEVER
    if draft.above is not None:
        reference_high = _reference(drafts, WARNINGS_HIGH, profile, 800, high)
    if draft.below is not None:
        reference_low = _reference(drafts, WARNINGS_LOW, profile, 200, low)
    return Limit(
        code=draft.code,
        level=level(draft.code),
        high=high,
        low=low,
        delay_ms=int(draft.delay_min * MINUTE_MS),
        clear_high=clear_high,
        clear_low=clear_low,
        reference_high=reference_high,
        reference_low=reference_low,
        inclusive=draft.inclusive,
    )


def _reference(
    drafts: Sequence[_Draft], warnings: Sequence[str], profile: str, of_vaccines: int, own: int
) -> int:
    if profile == "VX":
        return of_vaccines
    if profile == "PC":
        return PRECOOL_CEILING
    for draft in drafts:
        bound = draft.above if draft.above is not None else draft.below
        if draft.code in warnings and bound is not None:
            return _TEMPERATURE.count(bound)
    return own


def _humidity(goods: Sequence[Commodity]) -> Limit | None:
    """The band common to all commodities that have one; None when there is none."""
    lows = [c.rh_min for c in goods if c.rh_min is not None]
    highs = [c.rh_max for c in goods if c.rh_max is not None]
    if not lows or not highs or max(lows) > min(highs):
        return None
    low, high = _HUMIDITY.count(max(lows)), _HUMIDITY.count(min(highs))
    clear_low, clear_high = low + 200, high - 200
    if clear_low > clear_high:  # a band narrower than 4 %RH: back inside must do
        clear_low, clear_high = low, high
    return Limit(
        "WARN_RH", "warning", high, low, 6 * 60 * MINUTE_MS, clear_high, clear_low, high, low
    )
