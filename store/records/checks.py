"""What a record may hold: the checks that need nothing but the value itself."""

import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from domain.calibration import LONGEST_LAG_S, Check, Papers
from domain.message import CODES
from domain.quantity import QUANTITIES
from domain.roster import DAYS, Shift
from store.records.errors import Refused
from store.records.ports import (
    ROLES,
    ROOM_KINDS,
    SITE_KINDS,
    CalendarDay,
    DrillPlan,
    Duty,
    Lot,
    Person,
    Region,
    Room,
    Site,
)

_SLUG = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,63}")
_PROBE = re.compile(r"[a-z][a-z0-9]{0,15}:[^\x00-\x1f\x7f]{1,255}")
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")  # E.164
_CODE = re.compile(r"[A-Za-z0-9_-]{8,32}")
_TEXT_CHARS = 200
_LARGEST = 10_000  # degrees or hours: beyond it nothing is real
_CHANNELS = 8  # ways to reach one person
_LAST_MS = 253_402_300_800_000  # year 10000: past it no date can be printed

# Alarm decisions 36: the fields that each kind carries, and what they must be.
_TEXT: Callable[[Any], bool] = lambda v: (  # noqa: E731 (a table of predicates)
    isinstance(v, str) and bool(v.strip()) and len(v) <= _TEXT_CHARS
)
_NUMBER: Callable[[Any], bool] = lambda v: (  # noqa: E731 (NaN and Infinity are not below it)
    isinstance(v, int | float) and not isinstance(v, bool) and abs(v) <= _LARGEST
)
ACTION_DETAIL: Mapping[str, Mapping[str, Callable[[Any], bool]]] = {
    "loading_started": {},
    "loading_ended": {},
    "precool_started": {
        "start_c": _NUMBER,
        "medium_c": _NUMBER,
        "allowed_h": lambda v: _NUMBER(v) and v > 0,
    },
    "precool_done": {},
    "standby_started": {},
    "standby_ended": {},
    "maintenance_started": {"reason": _TEXT},
    "maintenance_ended": {},
    "lot_in": {"lot": _TEXT},
    "lot_out": {"lot": _TEXT},
    "probe_removed": {"probe": _TEXT},
    "rule_changed": {"overrides": lambda v: isinstance(v, Mapping)},
}
NEVER_SILENT = frozenset({
    "CEILING", "CRIT_FREEZE", "WHO_FREEZE", "PREDICT_FREEZE", "POWER_LOSS_WARN", "POWER_LOSS_CRIT",
})  # fmt: skip
LONGEST_SILENCE_H = 12
DAY_MIN = 24 * 60
MOST_SHIFTS = 20
CASE_FIELDS = ("cause", "action", "disposition", "person", "role", "note", "closed")
CAUSES = ("door", "power", "defrost", "loading", "equipment", "product_warm", "false")
DISPOSITIONS = ("release", "sort", "downgrade", "destroy")


def text(field: str, value: str, *, empty: bool = False) -> None:
    if not isinstance(value, str) or len(value) > _TEXT_CHARS or not (value.strip() or empty):
        raise Refused(field, f"text of 1 to {_TEXT_CHARS} characters")
    if any(ord(char) < 32 or ord(char) == 127 for char in value):
        raise Refused(field, "control characters")


def slug(field: str, value: str) -> None:
    if not _SLUG.fullmatch(value):
        raise Refused(field, "letters a-z, digits, dot, dash, underscore; at most 64")


def one_of(field: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise Refused(field, f"unknown: {value[:64]!r}; one of {', '.join(allowed)}")


def instant(field: str, value_ms: int) -> None:
    if isinstance(value_ms, bool) or not 0 <= value_ms < _LAST_MS:
        raise Refused(field, "whole milliseconds since 1970, UTC")


def probe(value: str) -> None:
    if not _PROBE.fullmatch(value):
        raise Refused("probe", "a scheme and the device's name, like ieee:00158d0001a2b3c4")


def papers(value: Papers) -> None:
    probe(value.probe)
    instant("from_ms", value.from_ms)
    text("serial", value.serial, empty=True)
    text("certificate", value.certificate, empty=True)
    if not (value.offset_c.is_finite() and abs(value.offset_c) <= 10):
        raise Refused("offset_c", "degrees, -10 to 10")
    if value.offset_c * 100 != int(value.offset_c * 100):
        raise Refused("offset_c", "whole hundredths of a degree")
    if not 0 <= value.lag_s <= LONGEST_LAG_S:
        raise Refused("lag_s", f"seconds, 0 to {LONGEST_LAG_S}")


def check(value: Check) -> None:
    instant("at_ms", value.at_ms)
    limits = QUANTITIES["temperature"]
    for field, count in (("shown", value.shown), ("reference", value.reference)):
        if not limits.plausible(count):
            raise Refused(field, f"{limits.low} to {limits.high} degrees")


def region(value: Region) -> None:
    slug("id", value.id)
    one_of("kind", value.kind, ("county", "township", "village"))
    _names(value.name_zh, value.name_en)


def site(value: Site) -> None:
    slug("id", value.id)
    one_of("kind", value.kind, SITE_KINDS)
    _names(value.name_zh, value.name_en)
    if value.gateway is not None and not _ID.fullmatch(value.gateway):
        raise Refused("gateway", "letters, digits, dash, underscore; at most 64")
    for field, degrees in (("lat", value.lat), ("lon", value.lon)):
        limits = QUANTITIES[field]
        if degrees is not None and not limits.low <= degrees <= limits.high:
            raise Refused(field, f"{limits.low} to {limits.high}")


def room(value: Room) -> None:
    slug("id", value.id)
    one_of("kind", value.kind, ROOM_KINDS)
    _names(value.name_zh, value.name_en)
    text("operator", value.operator, empty=True)
    text("owner", value.owner, empty=True)


def person(value: Person) -> None:
    slug("id", value.id)
    text("name", value.name)
    if not _PHONE.fullmatch(value.phone):
        raise Refused("phone", "E.164, like +8613800000001")
    one_of("lang", value.lang, ("zh", "en"))
    for name in value.channels:
        slug("channels", name)
    if len(set(value.channels)) < len(value.channels) or len(value.channels) > _CHANNELS:
        raise Refused("channels", f"at most {_CHANNELS}, each once")


def duty(value: Duty) -> None:
    one_of("role", value.role, ROLES)
    one_of("scope_kind", value.scope_kind, ("region", "site", "room"))
    if len(value.shifts) > MOST_SHIFTS:
        raise Refused("shifts", f"at most {MOST_SHIFTS}")
    for number, one in enumerate(value.shifts):
        _shift(f"shifts[{number}]", one)


def _shift(field: str, value: Shift) -> None:
    if not value.days or not set(value.days) <= set(DAYS) or len(set(value.days)) < len(value.days):
        raise Refused(f"{field}.days", "some of 1 (Monday) to 7 and H (holidays), each once")
    if not 0 <= value.from_minute < DAY_MIN:
        raise Refused(f"{field}.from_minute", f"0 to {DAY_MIN - 1}")
    if not 0 < value.to_minute <= DAY_MIN:
        raise Refused(f"{field}.to_minute", f"1 to {DAY_MIN}; 24:00 is {DAY_MIN}")
    for name in ("first_day", "last_day"):
        if said := getattr(value, name):
            iso_day(f"{field}.{name}", said)
    if value.first_day and value.last_day and value.last_day < value.first_day:
        raise Refused(f"{field}.last_day", "before the first")


def iso_day(field: str, value: str) -> None:
    try:
        same = date.fromisoformat(value).isoformat() == value
    except ValueError:
        same = False
    if not same:
        raise Refused(field, "a date like 2026-10-01")


def calendar_day(value: CalendarDay) -> None:
    iso_day("day", value.day)
    one_of("counts_as", value.counts_as, tuple(DAYS))
    text("name", value.name, empty=True)


def silence(code: str, reason: str, hours: int) -> None:
    """Alarm practice 9: never for ceiling, freeze or power, and at most half a day."""
    if code not in CODES:
        raise Refused("code", f"no such rule: {code[:64]!r}")
    if code in NEVER_SILENT:
        raise Refused("code", f"{code} is never silenced: ceiling, freezing and power cannot wait")
    text("reason", reason)
    if isinstance(hours, bool) or not 1 <= hours <= LONGEST_SILENCE_H:
        raise Refused("hours", f"whole hours, 1 to {LONGEST_SILENCE_H}")


def drill_plan(value: DrillPlan) -> None:
    if not 1 <= value.day <= 28:
        raise Refused("day", "1 to 28, a day that every month has")
    if not 0 <= value.minute < DAY_MIN:
        raise Refused("minute", f"0 to {DAY_MIN - 1}")


def lot(value: Lot) -> None:
    if not _ID.fullmatch(value.id):
        raise Refused("id", "letters, digits, dot, dash, underscore, tilde; at most 64")
    if not _CODE.fullmatch(value.code):
        raise Refused("code", "8 to 32 letters, digits, dashes, underscores")
    _names(value.name_zh, value.name_en)
    text("producer", value.producer, empty=True)
    instant("created_at_ms", value.created_at_ms)
    try:
        kg = Decimal(value.quantity_kg)
    except InvalidOperation:
        kg = Decimal("NaN")
    if not (kg.is_finite() and 0 <= kg <= 10_000_000):
        raise Refused("quantity_kg", "kilograms as decimal text, 0 to 10,000,000")


def action(kind: str, detail: Mapping[str, Any]) -> None:
    """``ack`` may carry any fields (how it came); the others exactly theirs."""
    if kind == "ack":
        return
    one_of("kind", kind, (*ACTION_DETAIL, "ack"))
    wanted = ACTION_DETAIL[kind]
    for name in detail:
        if name not in wanted:
            raise Refused(f"detail.{name}", f"{kind} has no such field")
    for name, fits in wanted.items():
        if name not in detail:
            raise Refused(f"detail.{name}", f"{kind} needs it")
        if not fits(detail[name]):
            raise Refused(f"detail.{name}", "impossible value")


def case(said: Mapping[str, Any]) -> None:
    """``disposition`` is {lot id: release | sort | downgrade | destroy}; ``closed`` a boolean."""
    for name, value in said.items():
        if name not in CASE_FIELDS:
            raise Refused(name, f"unknown field; one of {', '.join(CASE_FIELDS)}")
        if name == "cause":
            one_of("cause", value, CAUSES)
        elif name == "disposition":
            if not isinstance(value, Mapping):
                raise Refused("disposition", "lot id to what becomes of it")
            for lot_id, fate in value.items():
                one_of(f"disposition.{lot_id}", fate, DISPOSITIONS)
        elif name == "closed":
            if not isinstance(value, bool):
                raise Refused("closed", "true or false")
        elif not isinstance(value, str) or len(value) > 2_000:
            raise Refused(name, "text of at most 2,000 characters")
    if not said:
        raise Refused("said", "nothing was said")


def _names(zh: str, en: str) -> None:
    text("name_zh", zh)
    text("name_en", en)
