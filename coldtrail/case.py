"""One replay case, read strictly: what is not understood is refused with its field.

The format is the design's ("Replay") as alarm decisions 1 to 8 fix it.
"""

import contextlib
import json
import math
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from domain.admission import EARLIEST_MS, FUTURE_MS
from domain.judgement import Action, Rule
from domain.profile import Impossible, resolve
from domain.quantity import QUANTITIES
from domain.reading import ProbeId, Series

UNASSIGNED = "unassigned"
COLUMNS = ("measured_at", "room", "probe", "quantity", "value", "received_at")
ROLES = ("operator", "second", "township", "county")
NUMBERS = {"start_c", "medium_c", "allowed_h"}
ACTIONS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    # kind: (fields that it needs, fields that it may have)
    "loading_started": ((), ()),
    "loading_ended": ((), ()),
    "precool_started": (("start_c", "medium_c", "allowed_h"), ()),
    "precool_done": ((), ()),
    "standby_started": ((), ()),
    "standby_ended": ((), ()),
    "maintenance_started": ((), ("reason",)),
    "maintenance_ended": ((), ()),
    "lot_in": (("lot",), ()),
    "lot_out": (("lot",), ()),
    "probe_removed": (("probe",), ()),
    "rule_changed": (("overrides",), ()),
    "ack": ((), ()),
}
_TIME = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}:\d{2})(\.\d+)?([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)  # RFC 3339, 5.6
_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_LAST_YEAR = 9998  # what ends after it can still be written
_LARGEST_DOUBLE = Decimal(sys.float_info.max)
_DOUBLE_DIGITS = sys.float_info.max_10_exp
_LARGEST = 10**15  # counts: far outside every range, and still a whole number of 64 bits


class Faulty(Exception):
    """The case cannot be replayed; ``field`` is where, as a path into the JSON."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.field = field
        self.reason = reason


@dataclass(frozen=True, slots=True)
class CaseRoom:
    id: str
    site: str
    rule: Rule


@dataclass(frozen=True, slots=True)
class CaseReading:
    """``arrived_ms``: its received_at, or the arrival of the one before it if that is later.
    ``set_aside``: measured before 2020, or too far ahead of its own received_at."""

    at_ms: int
    room: str
    series: Series
    count: int
    arrived_ms: int
    set_aside: bool


@dataclass(frozen=True, slots=True)
class CaseAction:
    room: str
    recorded_ms: int
    action: Action


@dataclass(frozen=True, slots=True)
class CaseContact:
    """``rooms`` None: all of them."""

    id: str
    role: str
    phone: str
    lang: str
    rooms: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Case:
    """``actions`` by (at, array order). ``horizon_ms`` None: nothing ever happened."""

    id: str
    rooms: Mapping[str, CaseRoom]
    readings: Sequence[CaseReading]
    actions: Sequence[CaseAction]
    contacts: Sequence[CaseContact]
    horizon_ms: int | None


def read_case(path: Path) -> Case:
    """Raises ``Faulty``; ``OSError`` when the file cannot be read."""
    unheld: list[str] = []

    def constant(text: str) -> float:
        unheld.append(f"{text} is not JSON")  # Python reads NaN and Infinity, JSON knows neither
        return math.nan

    def exact(text: str) -> Decimal | float:
        """Also what is Infinity to whoever reads JSON into doubles is none (RFC 8259, 6)."""
        with contextlib.suppress(InvalidOperation):
            if abs(value := Decimal(text)) <= _LARGEST_DOUBLE:
                return value
        unheld.append(f"{text[:40]} is beyond what a number can hold")
        return math.nan

    def whole(text: str) -> int | Decimal | float:
        return int(text) if len(text) < _DOUBLE_DIGITS else exact(text)

    try:
        document = json.loads(
            path.read_bytes().decode("utf-8-sig"),
            parse_float=exact,
            parse_int=whole,
            parse_constant=constant,
        )
        if unheld:
            raise Faulty(_where_a_float(document) or "", unheld[0])
    except (ValueError, RecursionError) as error:
        raise Faulty("", f"{path.name} is not JSON: {error}") from error
    return parse_case(document)


def _where_a_float(value: object, field: str = "") -> str | None:
    """The path of the first; every number of JSON was read as int or ``Decimal``."""
    if isinstance(value, float):
        return field
    inside: list[tuple[str, object]] = []
    if isinstance(value, dict):
        inside = [(f"{field}.{name}" if field else name, each) for name, each in value.items()]
    elif isinstance(value, list):
        row = re.fullmatch(r"readings\[\d+\]", field)
        inside = [
            (f"{field}.{COLUMNS[i]}" if row and i < len(COLUMNS) else f"{field}[{i}]", each)
            for i, each in enumerate(value)
        ]
    return next((at for name, each in inside if (at := _where_a_float(each, name))), None)


def parse_case(document: object) -> Case:
    """``document``: decoded JSON with ``Decimal`` for numbers that are not whole."""
    top = _object(document, "")
    _only(top, "", ("id", "rooms", "readings", "actions", "contacts", "until", "about", "expect"))
    case_id = _text(_needed(top, "id", ""), "id")
    said_rooms = _object(_needed(top, "rooms", ""), "rooms")
    rooms = {key: _room(key, said) for key, said in said_rooms.items()}
    readings: list[CaseReading] = []
    for i, row in enumerate(_array(_needed(top, "readings", ""), "readings")):
        before = readings[-1].arrived_ms if readings else None
        readings.append(_reading(row, f"readings[{i}]", rooms, before))
    actions = [
        _action(said, f"actions[{i}]", rooms)
        for i, said in enumerate(_array(top.get("actions", []), "actions"))
    ]
    contacts = [
        _contact(said, f"contacts[{i}]", rooms)
        for i, said in enumerate(_array(top.get("contacts", []), "contacts"))
    ]
    instants = [r.at_ms for r in readings if not r.set_aside]
    instants += [a.action.at_ms for a in actions]
    horizon = max(instants, default=None)
    if "until" in top:
        until = _time(top["until"], "until")
        if horizon is not None and until < horizon:
            raise Faulty("until", "lies before the last reading or action")
        horizon = until
    return Case(
        id=case_id,
        rooms=rooms,
        readings=readings,
        actions=sorted(actions, key=lambda a: a.action.at_ms),
        contacts=contacts,
        horizon_ms=horizon,
    )


def _room(key: str, said: object) -> CaseRoom:
    field = f"rooms.{key}"
    if not _SLUG.fullmatch(key) or key == UNASSIGNED:
        raise Faulty(field, "a room's id is a short slug")
    room = _object(said, field)
    _only(room, f"{field}.", ("profile", "commodities", "interval_s", "overrides", "site"))
    commodities = _array(room.get("commodities", []), f"{field}.commodities")
    interval = room.get("interval_s", 300)
    if isinstance(interval, Decimal) and interval == interval.to_integral_value():
        interval = int(interval)
    rule = Rule(
        id=key,
        from_ms=0,
        profile=_text(_needed(room, "profile", f"{field}."), f"{field}.profile"),
        commodities=tuple(
            _text(name, f"{field}.commodities[{i}]") for i, name in enumerate(commodities)
        ),
        interval_s=interval,
        overrides=_object(room.get("overrides", {}), f"{field}.overrides"),
    )
    try:
        resolve(rule)
    except Impossible as error:
        raise _impossible(error, f"{field}.", error.field) from error
    return CaseRoom(key, _text(room.get("site", key), f"{field}.site"), rule)


def _impossible(error: Impossible, prefix: str, field: str) -> Faulty:
    see = f" (see also {', '.join(prefix + also for also in error.also)})" if error.also else ""
    return Faulty(prefix + field, error.reason + see)


def _reading(
    row: object, field: str, rooms: Mapping[str, CaseRoom], before_ms: int | None
) -> CaseReading:
    if not isinstance(row, list) or not 5 <= len(row) <= 6:
        raise Faulty(field, f"is [{', '.join(COLUMNS)}?]")
    at = _time(row[0], f"{field}.measured_at")
    room = _text(row[1], f"{field}.room")
    if room not in rooms and room != UNASSIGNED:
        raise Faulty(f"{field}.room", f"unknown room {room!r}")
    probe = _text(row[2], f"{field}.probe")
    name = _text(row[3], f"{field}.quantity")
    quantity = QUANTITIES.get(name)
    if quantity is None:
        raise Faulty(f"{field}.quantity", f"unknown quantity {name!r}")
    value = _number(row[4], f"{field}.value")
    received = _time(row[5], f"{field}.received_at") if len(row) == 6 else at
    # Bounded before it is counted: 1e999999 is a number too.
    bound = _LARGEST * quantity.resolution
    count = quantity.count(max(-bound, min(bound, value)))
    return CaseReading(
        at_ms=at,
        room=room,
        series=Series(ProbeId(probe), name),
        count=count,
        arrived_ms=received if before_ms is None else max(received, before_ms),
        set_aside=at < EARLIEST_MS or at > received + FUTURE_MS,
    )


def _action(said: object, field: str, rooms: Mapping[str, CaseRoom]) -> CaseAction:
    action = _object(said, field)
    kind = _text(_needed(action, "kind", f"{field}."), f"{field}.kind")
    if kind not in ACTIONS:
        raise Faulty(f"{field}.kind", f"unknown kind {kind!r}")
    needed, allowed = ACTIONS[kind]
    _only(action, f"{field}.", ("at", "room", "kind", "by", "recorded_at", *needed, *allowed))
    at = _time(_needed(action, "at", f"{field}."), f"{field}.at")
    room = _text(_needed(action, "room", f"{field}."), f"{field}.room")
    if room not in rooms:
        raise Faulty(f"{field}.room", f"unknown room {room!r}")
    by = _text(_needed(action, "by", f"{field}."), f"{field}.by")
    recorded = at
    if "recorded_at" in action:
        recorded = _time(action["recorded_at"], f"{field}.recorded_at")
        if recorded < at:
            raise Faulty(f"{field}.recorded_at", "lies before at")
    detail: dict[str, Any] = {}
    for name in needed:
        detail[name] = _detail(name, _needed(action, name, f"{field}."), f"{field}.{name}")
    for name in allowed:
        if name in action:
            detail[name] = _detail(name, action[name], f"{field}.{name}")
    if kind == "rule_changed":
        _changed_rule(rooms[room].rule, detail["overrides"], field)
    return CaseAction(room, recorded, Action(at, kind, by, detail))


def _detail(name: str, value: object, field: str) -> object:
    if name == "overrides":
        return _object(value, field)
    if name in NUMBERS:
        number = _number(value, field)
        if name == "allowed_h" and number <= 0:
            raise Faulty(field, "must be above 0")
        if abs(number) > 10_000:
            raise Faulty(field, "beyond anything real")
        return number
    return _text(value, field)


def _changed_rule(rule: Rule, overrides: Mapping[str, Any], field: str) -> None:
    changed = Rule(
        rule.id, rule.from_ms, rule.profile, rule.commodities, rule.interval_s, overrides
    )
    try:
        resolve(changed)
    except Impossible as error:
        named = error.field if error.field.startswith("overrides") else "overrides"
        raise _impossible(error, f"{field}.", named) from error


def _contact(said: object, field: str, rooms: Mapping[str, CaseRoom]) -> CaseContact:
    contact = _object(said, field)
    _only(contact, f"{field}.", ("id", "role", "phone", "lang", "rooms"))
    role = _text(_needed(contact, "role", f"{field}."), f"{field}.role")
    if role not in ROLES:
        raise Faulty(f"{field}.role", f"unknown role {role!r}")
    lang = _text(contact.get("lang", "zh"), f"{field}.lang")
    if lang not in ("zh", "en"):
        raise Faulty(f"{field}.lang", "is zh or en")
    of: tuple[str, ...] | None = None
    if "rooms" in contact:
        names = _array(contact["rooms"], f"{field}.rooms")
        of = tuple(_text(name, f"{field}.rooms[{i}]") for i, name in enumerate(names))
        for i, name in enumerate(of):
            if name not in rooms:
                raise Faulty(f"{field}.rooms[{i}]", f"unknown room {name!r}")
    return CaseContact(
        id=_text(_needed(contact, "id", f"{field}."), f"{field}.id"),
        role=role,
        phone=_text(_needed(contact, "phone", f"{field}."), f"{field}.phone"),
        lang=lang,
        rooms=of,
    )


# --- JSON, piece by piece


def _only(said: Mapping[str, Any], prefix: str, known: Sequence[str]) -> None:
    for name in said:
        if name not in known:
            raise Faulty(f"{prefix}{name}", "unknown field")


def _needed(said: Mapping[str, Any], name: str, prefix: str) -> Any:
    if name not in said:
        raise Faulty(f"{prefix}{name}", "is missing")
    return said[name]


def _object(value: object, field: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Faulty(field, "must be an object")
    return value


def _array(value: object, field: str) -> list[Any]:
    if not isinstance(value, list):
        raise Faulty(field, "must be an array")
    return value


def _text(value: object, field: str) -> str:
    if not isinstance(value, str) or not value:
        raise Faulty(field, "must be a text that is not empty")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise Faulty(field, "holds half a character")
    return value


def _number(value: object, field: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Faulty(field, "must be a number")
    return Decimal(value)


def _time(value: object, field: str) -> int:
    """Milliseconds UTC; digits beyond the third are cut off."""
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise Faulty(field, "must be an RFC 3339 time with Z or an offset")
    day, clock, fraction, offset = found.groups()
    try:
        whole = datetime.fromisoformat(f"{day}T{clock}{offset.upper()}").astimezone(UTC)
        seconds = (whole - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    except (ValueError, OverflowError) as error:
        raise Faulty(field, f"is no time: {error}") from error
    if whole.year > _LAST_YEAR:
        raise Faulty(field, "lies too far ahead")
    return int(seconds) * 1000 + int((fraction or ".0")[1:4].ljust(3, "0"))
