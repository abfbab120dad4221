"""What stands in which register: a TOML file, and registers to values by it. Pure.

Addresses are those of the protocol, from 0 (a manual's 40001 is holding register 0). Within a
register the high byte comes first, as the protocol says; which of two registers comes first
is a setting, because makers differ.
"""

import re
import struct
from collections.abc import Sequence
from decimal import Decimal
from math import isfinite
from typing import Annotated, Literal
from urllib.parse import parse_qs, urlsplit

import msgspec

from domain.quantity import QUANTITIES

Table = Literal["holding", "input", "coil", "discrete"]
Type = Literal["int16", "uint16", "int32", "uint32", "float32", "bit"]
Parity = Literal["N", "E", "O"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_FORMS: dict[Type, str] = {
    "int16": ">h",
    "uint16": ">H",
    "int32": ">i",
    "uint32": ">I",
    "float32": ">f",
}
_WIDE = ("int32", "uint32", "float32")


class Wrong(Exception):
    """The map cannot be used; the text names what is wrong with it."""


class Register(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One quantity: ``raw * scale + offset`` in its unit. ``invalid``: raw values with which
    the controller says that it has no measurement."""

    quantity: str
    address: Annotated[int, msgspec.Meta(ge=0, le=65535)]
    part: str = ""
    table: Table = "holding"
    type: Type = "int16"
    word_order: Literal["big", "little"] = "big"
    scale: Decimal = Decimal(1)
    offset: Decimal = Decimal(0)
    invalid: list[int] = []

    @property
    def words(self) -> int:
        return 2 if self.type in _WIDE else 1

    @property
    def is_bit(self) -> bool:
        return self.table in ("coil", "discrete")


class Device(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``url``: tcp://host[:502], tcp+rtu://host:port (a serial line behind a converter), or
    rtu:///dev/ttyUSB0?baudrate=9600&parity=N&stopbits=1."""

    name: str
    url: str
    register: Annotated[list[Register], msgspec.Meta(min_length=1, max_length=500)]
    unit: Annotated[int, msgspec.Meta(ge=0, le=255)] = 1
    every_s: Annotated[float, msgspec.Meta(ge=1, le=3600)] = 60.0
    timeout_s: Annotated[float, msgspec.Meta(ge=0.05, le=30)] = 3.0


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    device: list[Device] = []


class Line(msgspec.Struct, frozen=True):
    """How a device is reached."""

    kind: Literal["tcp", "tcp+rtu", "rtu"]
    host: str = ""
    port: int = 0
    path: str = ""
    baudrate: int = 9600
    parity: Parity = "N"
    stopbits: int = 1


def read(raw: bytes) -> list[Device]:
    """Raises ``Wrong``."""
    try:
        devices = msgspec.toml.decode(raw, type=File, strict=False).device
    except msgspec.DecodeError as error:
        raise Wrong(str(error)) from error
    names = [device.name for device in devices]
    for device in devices:
        if _NAME.fullmatch(device.name) is None or names.count(device.name) > 1:
            raise Wrong(f"device {device.name[:80]!r}: letters, digits, - _ . and once only")
        line(device.url)
        for register in device.register:
            _check(device.name, register)
    return devices


def line(url: str) -> Line:
    """Raises ``Wrong``."""
    try:
        split = urlsplit(url)
        port = split.port
        options = {name: values[-1] for name, values in parse_qs(split.query).items()}
    except ValueError as error:
        raise Wrong(f"url {url[:200]!r}: {error}") from error
    match split.scheme:
        case "tcp" | "tcp+rtu" if split.hostname:
            return Line(split.scheme, host=split.hostname, port=port or 502)
        case "rtu" if split.path:
            try:
                return msgspec.convert(
                    {"kind": "rtu", "path": split.path, **options}, Line, strict=False
                )
            except msgspec.ValidationError as error:
                raise Wrong(f"url {url[:200]!r}: {error}") from error
        case _:
            raise Wrong(f"url {url[:200]!r}: tcp://host, tcp+rtu://host:port or rtu:///dev/…")


def value_of(register: Register, raw: Sequence[int] | bool) -> Decimal | None:
    """In the quantity's unit; None when the controller says that it has none."""
    if isinstance(raw, bool):
        number: int | float = int(raw)
    else:
        words = list(raw) if register.word_order == "big" else list(reversed(raw))
        packed = struct.pack(f">{len(words)}H", *words)
        [number] = struct.unpack(_FORMS[register.type], packed)
    if number in register.invalid or not isfinite(number):
        return None
    exact = Decimal(number) if isinstance(number, int) else Decimal(f"{number:.7g}")
    return exact * register.scale + register.offset


def _check(device: str, register: Register) -> None:
    where = f"device {device}, register {register.address}"
    if register.quantity not in QUANTITIES:
        raise Wrong(f"{where}: unknown quantity {register.quantity[:64]!r}")
    if register.part and _NAME.fullmatch(register.part) is None:
        raise Wrong(f"{where}: part {register.part[:64]!r}")
    if register.is_bit != (register.type == "bit"):
        raise Wrong(f"{where}: coils and discrete inputs are of type bit, and nothing else is")
    for number in (register.scale, register.offset):
        if not number.is_finite() or abs(number) > 10**9:
            raise Wrong(f"{where}: scale or offset")
