"""Sparkplug B payloads, built from the specification's field numbers."""

import struct


def payload(*metrics: bytes, at_ms: int | None = None, seq: int = 0) -> bytes:
    sent = b"" if at_ms is None else varint(1, at_ms)
    return sent + b"".join(piece(2, m) for m in metrics) + varint(3, seq)


def metric(
    name: str = "",
    alias: int | None = None,
    *,
    at_ms: int | None = None,
    datatype: int | None = None,
    real: float | None = None,
    double: float | None = None,
    integer: int | None = None,
    long: int | None = None,
    truth: bool | None = None,
    text: str | None = None,
    null: bool = False,
    unit: str = "",
) -> bytes:
    parts = [
        piece(1, name.encode()) if name else b"",
        b"" if alias is None else varint(2, alias),
        b"" if at_ms is None else varint(3, at_ms),
        b"" if datatype is None else varint(4, datatype),
        varint(7, 1) if null else b"",
        piece(9, piece(1, b"engUnit") + piece(2, varint(1, 12) + piece(8, unit.encode())))
        if unit
        else b"",
        b"" if integer is None else varint(10, integer),
        b"" if long is None else varint(11, long),
        b"" if real is None else _key(12, 5) + struct.pack("<f", real),
        b"" if double is None else _key(13, 1) + struct.pack("<d", double),
        b"" if truth is None else varint(14, int(truth)),
        b"" if text is None else piece(15, text.encode()),
    ]
    return b"".join(parts)


def piece(number: int, raw: bytes) -> bytes:
    return _key(number, 2) + _number(len(raw)) + raw


def varint(number: int, value: int) -> bytes:
    return _key(number, 0) + _number(value)


def _key(number: int, kind: int) -> bytes:
    return _number(number << 3 | kind)


def _number(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
