"""Sparkplug B: ``spBv1.0/{group}/{type}/{node}[/{device}]``, in protobuf.

Only a birth certificate (NBIRTH, DBIRTH) names its metrics; data may call them by alias. So
what was born is handed in, and whoever asks keeps the certificates: ``birth`` says what one
holds. A metric that is called by an alias which nobody has introduced is unusable, never
guessed. Of the many metrics of a node those are readings whose name ends in a quantity; the
rest is passed over.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite
from types import MappingProxyType

from domain.quantity import QUANTITIES
from gateway.decoders import moment
from gateway.decoders.reading import (
    Decoded,
    DeviceReading,
    NotMine,
    OtherTopic,
    Unusable,
    celsius,
    reading,
)

NAMESPACE = "spBv1.0"
MAX_METRICS = 20_000
_BIRTHS = ("NBIRTH", "DBIRTH")
_DATA = ("NDATA", "DDATA")
_SILENT = ("NDEATH", "DDEATH", "NCMD", "DCMD")
_SIGNED_BITS = {1: 8, 2: 16, 3: 32, 4: 64}  # Sparkplug 3.0, 6.4.16: Int8 ... Int64
_UNITS = {
    "°C": "Cel", "℃": "Cel", "C": "Cel", "degC": "Cel", "Celsius": "Cel", "celsius": "Cel",
    "°F": "F", "degF": "F", "Fahrenheit": "F", "fahrenheit": "F", "%rh": "%RH",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Born:
    """What a birth certificate says of an alias."""

    name: str
    datatype: int
    unit: str


Births = Mapping[str, Mapping[int, Born]]  # "group/node" or "group/node/device" to its aliases
NO_BIRTHS: Births = MappingProxyType({})


@dataclass(slots=True)
class _Metric:
    name: str = ""
    alias: int | None = None
    at_ms: int | None = None
    datatype: int = 0
    null: bool = False
    unit: str = ""
    value: int | Decimal | None = None


def decode(topic: str, payload: bytes, received_at_ms: int, births: Births = NO_BIRTHS) -> Decoded:
    kind, source = _source(topic)
    if kind in _SILENT:
        return []
    sent_ms, metrics = _payload(payload)
    known = births.get(source, {})
    of_node = births.get("/".join(source.split("/")[:2]), {})
    decoded: Decoded = []
    unknown = 0
    for metric in metrics:
        born = None
        if not metric.name and metric.alias is not None:
            born = known.get(metric.alias) or of_node.get(metric.alias)
            if born is None:
                unknown += 1
                continue
        if (found := _reading(source, metric, born, sent_ms, received_at_ms)) is not None:
            decoded.append(found)
    if unknown:
        decoded.append(Unusable(f"{unknown} metrics by alias, and no birth certificate of them"))
    return decoded


def birth(topic: str, payload: bytes) -> tuple[str, dict[int, Born]] | None:
    """(whose, what each alias stands for) of a birth certificate; None of anything else."""
    if not topic.startswith(f"{NAMESPACE}/"):
        return None
    try:
        kind, source = _source(topic)
        if kind not in _BIRTHS:
            return None
        _, metrics = _payload(payload)
    except NotMine:
        return None
    return source, {
        m.alias: Born(m.name, m.datatype, m.unit) for m in metrics if m.alias is not None
    }


def _source(topic: str) -> tuple[str, str]:
    """(type of message, who speaks)."""
    levels = topic.split("/")
    if levels[0] != NAMESPACE:
        raise OtherTopic
    if len(levels) >= 3 and levels[1] == "STATE":
        return "NDEATH", ""  # a host's, not a device's
    if len(levels) not in (4, 5) or levels[2] not in (*_BIRTHS, *_DATA, *_SILENT):
        raise NotMine("topic is not spBv1.0/{group}/{type}/{node}[/{device}]")
    return levels[2], "/".join([levels[1], *levels[3:]])


def _reading(
    source: str, metric: _Metric, born: Born | None, sent_ms: int | None, received_at_ms: int
) -> DeviceReading | Unusable | None:
    name = born.name if born else metric.name
    before, _, last = name.rpartition("/")
    quantity = last.strip().lower().replace(" ", "_")
    if quantity not in QUANTITIES or metric.null:
        return None
    if metric.value is None:
        return Unusable(f"{name[:64]!r} is not a number")
    datatype = metric.datatype or (born.datatype if born else 0)
    unit = metric.unit or (born.unit if born else "")
    value = _signed(metric.value, datatype)
    unit = _UNITS.get(unit, unit)
    if unit == "F":
        value, unit = celsius(Decimal(value)), "Cel"
    probe = f"sparkplug/{source}/{before}" if before else f"sparkplug/{source}"
    said_ms = metric.at_ms if metric.at_ms is not None else sent_ms
    return reading(probe, False, quantity, value, moment.at(said_ms, received_at_ms), unit)


def _signed(value: int | Decimal, datatype: int) -> int | Decimal:
    """Negative integers travel as two's complement of their width."""
    bits = _SIGNED_BITS.get(datatype)
    if bits is None or not isinstance(value, int):
        return value
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def _payload(raw: bytes) -> tuple[int | None, list[_Metric]]:
    """(when it was sent, its metrics); field numbers of the Payload message, Sparkplug 3.0, 6.4."""
    sent_ms: int | None = None
    metrics: list[_Metric] = []
    for number, value in _fields(raw):
        match number, value:
            case 1, int():
                sent_ms = value
            case 2, bytes():
                metrics.append(_metric(value))
                if len(metrics) > MAX_METRICS:
                    raise NotMine(f"more than {MAX_METRICS} metrics")
            case 4, b"SPBV1.0_COMPRESSED":
                raise NotMine("a compressed payload is not understood")
            case _:
                pass
    return sent_ms, metrics


def _metric(raw: bytes) -> _Metric:
    metric = _Metric()
    for number, value in _fields(raw):
        match number, value:
            case 1, bytes():
                metric.name = _text(value)
            case 2, int():
                metric.alias = value
            case 3, int():
                metric.at_ms = value
            case 4, int():
                metric.datatype = value
            case 7, int():
                metric.null = bool(value)
            case 9, bytes():
                metric.unit = _engineering_unit(value)
            case ((10 | 11 | 14), int()):
                metric.value = value
            case 12, bytes() if len(value) == 4:
                metric.value = _float(struct.unpack("<f", value)[0], "%.7g")
            case 13, bytes() if len(value) == 8:
                metric.value = _float(struct.unpack("<d", value)[0], "%.15g")
            case _:
                pass
    return metric


def _engineering_unit(raw: bytes) -> str:
    """``engUnit`` among a metric's properties: lists of keys and of values, side by side."""
    keys: list[str] = []
    values: list[str] = []
    for number, value in _fields(raw):
        if number == 1 and isinstance(value, bytes):
            keys.append(_text(value))
        elif number == 2 and isinstance(value, bytes):
            texts = [_text(v) for n, v in _fields(value) if n == 8 and isinstance(v, bytes)]
            values.append(texts[-1] if texts else "")
    return dict(zip(keys, values, strict=False)).get("engUnit", "")


def _float(value: float, digits: str) -> Decimal | None:
    return Decimal(digits % value) if isfinite(value) else None


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise NotMine("a text that is not UTF-8") from error


def _fields(raw: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Field numbers and values of a protobuf message: varints as int, all others as bytes."""
    i = 0
    while i < len(raw):
        key, i = _varint(raw, i)
        match key & 7:
            case 0:
                value, i = _varint(raw, i)
                yield key >> 3, value
                continue
            case 1:
                length = 8
            case 2:
                length, i = _varint(raw, i)
            case 5:
                length = 4
            case _:
                raise NotMine("not protobuf")
        if length > len(raw) - i:
            raise NotMine("protobuf is cut short")
        yield key >> 3, raw[i : i + length]
        i += length


def _varint(raw: bytes, i: int) -> tuple[int, int]:
    value = shift = 0
    while i < len(raw) and shift < 70:
        byte = raw[i]
        value |= (byte & 0x7F) << shift
        i += 1
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, i
        shift += 7
    raise NotMine("not protobuf")
