"""SenML (RFC 8428) in JSON: a pack becomes resolved records, and problems beside them.

One bad record costs its neighbours nothing. Base fields are resolved (section 4.6); values
stay exact decimals. Times below 2^28 seconds are relative to the arrival (section 4.5.3):
a pack without any time says "now". Sums (``s``) are not kept, because no quantity here is
one.
"""

import re
from dataclasses import dataclass, field
from decimal import Decimal

from wire.device_json import BadJson, decode

ABSOLUTE_FROM_S = 1 << 28  # RFC 8428, 4.5.3
VERSION = 10  # RFC 8428, 4.4
MAX_RECORDS = 10_000
MAX_NAME = 160

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-:./_]*")  # RFC 8428, 4.5.1
_LIMIT = Decimal(10) ** 12  # far beyond every value and time here; keeps arithmetic small


class BadPack(Exception):
    """The payload is no SenML pack at all, or demands what is not understood."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Record:
    """One resolved record. Either ``at_ms`` (UTC) or ``relative_ms`` (to the arrival) is set."""

    index: int
    name: str
    unit: str
    value: Decimal
    at_ms: int | None
    relative_ms: int | None


@dataclass(frozen=True, slots=True)
class Problem:
    """A record that says nothing we can keep, and why."""

    index: int
    reason: str


@dataclass(frozen=True, slots=True)
class Pack:
    records: list[Record]
    problems: list[Problem]


class _Unfit(Exception):
    """A record is not usable; its neighbours are."""


@dataclass(slots=True)
class _Base:
    name: str = ""
    unit: str = ""
    time: Decimal = Decimal(0)
    value: Decimal = Decimal(0)
    has_value: bool = False
    broken: dict[str, str] = field(default_factory=dict)  # label to why it cannot be read


def parse(payload: bytes) -> Pack:
    """Raises ``BadPack``, and nothing else, whatever the bytes are."""
    try:
        content = decode(payload)
    except BadJson as error:
        raise BadPack(str(error)) from error
    if not isinstance(content, list):
        raise BadPack("not a SenML pack: not a list")
    if not content or len(content) > MAX_RECORDS:
        raise BadPack("not a SenML pack: no records, or too many")
    pack = Pack([], [])
    base = _Base()
    for index, fields in enumerate(content):
        if not isinstance(fields, dict):
            pack.problems.append(Problem(index, "not an object"))
            continue
        _check_understood(fields)
        try:
            record = _resolve(index, fields, base)
        except _Unfit as problem:
            pack.problems.append(Problem(index, str(problem)))
        else:
            if record is not None:
                pack.records.append(record)
    return pack


def _check_understood(fields: dict[str, object]) -> None:
    for label in fields:
        if label.endswith("_"):  # RFC 8428, 4.4; none of the standard labels does
            raise BadPack(f"must-understand label {label[:32]!r} is not understood")
    version = fields.get("bver", VERSION)
    if not isinstance(version, int) or isinstance(version, bool) or not 0 < version <= VERSION:
        raise BadPack("unknown SenML version")


def _resolve(index: int, fields: dict[str, object], base: _Base) -> Record | None:
    _rebase(fields, base)
    if base.broken:
        raise _Unfit("base field: " + next(iter(base.broken.values())))
    if not fields.keys() - {"bn", "bt", "bu", "bv", "bs", "bver"}:
        return None  # only sets the base for what follows
    name = base.name + _text(fields, "n")
    if len(name) > MAX_NAME or _NAME.fullmatch(name) is None:
        raise _Unfit("name missing, too long, or with a character that SenML forbids")
    unit = _text(fields, "u") or base.unit
    value = _value(fields, base)
    at_s = base.time + _number(fields, "t")
    at_ms = int((at_s * 1000).to_integral_value())
    if at_s >= ABSOLUTE_FROM_S:
        return Record(index, name, unit, value, at_ms, None)
    return Record(index, name, unit, value, None, at_ms)


def _rebase(fields: dict[str, object], base: _Base) -> None:
    """Take over base fields. A broken one spoils this and later records until it is set anew."""
    for label in ("bn", "bu", "bt", "bv"):
        if label not in fields:
            continue
        try:
            _take(label, fields, base)
        except _Unfit as problem:
            base.broken[label] = str(problem)
        else:
            base.broken.pop(label, None)


def _take(label: str, fields: dict[str, object], base: _Base) -> None:
    match label:
        case "bn":
            base.name = _text(fields, label)
        case "bu":
            base.unit = _text(fields, label)
        case "bt":
            base.time = _number(fields, label)
        case _:
            base.value = _number(fields, label)
            base.has_value = True


def _value(fields: dict[str, object], base: _Base) -> Decimal:
    kinds = [label for label in ("v", "vb", "vs", "vd") if label in fields]
    if len(kinds) > 1:
        raise _Unfit("more than one value")
    if "vb" in fields:
        if not isinstance(fields["vb"], bool):
            raise _Unfit("vb is neither true nor false")
        return Decimal(int(fields["vb"]))
    if "vs" in fields or "vd" in fields:
        raise _Unfit("text or data where a number is needed")
    if "v" not in fields and not base.has_value:
        raise _Unfit("a sum is not kept" if "s" in fields else "no value")
    return base.value + _number(fields, "v")


def _number(fields: dict[str, object], label: str) -> Decimal:
    """The field as an exact number, 0 when absent."""
    value = fields.get(label, 0)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise _Unfit(f"{label} is not a number")
    if not -_LIMIT < value < _LIMIT:
        raise _Unfit(f"{label} is out of all proportion")
    return Decimal(value)


def _text(fields: dict[str, object], label: str) -> str:
    value = fields.get(label, "")
    if not isinstance(value, str) or len(value) > MAX_NAME:
        raise _Unfit(f"{label} is no short text")
    return value
