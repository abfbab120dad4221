"""A batch: what a gateway cut, sealed so that it can only arrive whole, and columns inside.

On the wire a batch is msgpack ``[header, body, tag]``, three byte strings. The tag is
checked before the body is looked at; of the header only the names that choose the key
(``gw`` and ``kid``) are read before that. The tag guards the transport; it is no evidence,
because the server holds the same key. The evidence is the chain of ``prev`` digests.

A body of readings is a msgpack map, or the same behind zlib (its first byte, 0x78, begins
no msgpack map):

- ``t0`` milliseconds UTC; ``keys`` a list of [probe, quantity, room hint or nil];
- ``k`` uint16, index into ``keys``; ``dt`` int32, milliseconds after ``t0``; ``x`` int32,
  counts; ``q`` uint8, quality bits, absent when all are zero. All little-endian, one
  entry a reading.
"""

import hashlib
import hmac
import sys
import zlib
from array import array
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import msgspec

from domain.reading import Columns, ProbeId, Series

MAX_READINGS = 600
MAX_PROBE_ID = 160  # characters
MAX_WIDTH_MS = 24 * 86_400_000  # what an int32 of milliseconds can span
MAX_PAYLOAD = 1 << 20
MAX_HEADER = 1 << 12
MAX_BODY = 1 << 19  # after decompression: 600 keys of full length, and the columns
KINDS = ("readings", "event", "tombstone", "undated", "seal")

_COMPRESS_FROM = 256  # bytes; below it zlib saves less than it costs to explain
_PERSON = b"coldtrail batch1"
_INT32 = range(-(1 << 31), 1 << 31)
_LAST_MS = 1 << 53


class BadBatch(Exception):
    """These bytes are no batch of ours: for ever, not for now."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Clock(msgspec.Struct, frozen=True):
    """What the gateway knew of its clock when it cut the batch."""

    trusted: bool
    offset: int | None = None  # ms to add to the clock, where that is known
    boot: str = ""


class Header(msgspec.Struct, frozen=True, rename={"cut_at_ms": "cut_at"}, omit_defaults=True):
    """``prev`` is the digest of the batch before, across epochs; empty for a gateway's first.

    ``after`` stands in the first batch of an epoch: the epoch before and its last seq.
    """

    v: int
    kind: str
    gw: str
    kid: str
    epoch: str
    seq: int
    prev: bytes
    cut_at_ms: int
    clock: Clock
    after: tuple[str, int] | None = None


class _Claim(msgspec.Struct, frozen=True):
    """All that is read of a header before the tag is known to be right."""

    gw: str
    kid: str


class _Body(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    t0: int
    keys: list[tuple[str, str, str | None]]
    k: bytes
    dt: bytes
    x: bytes
    q: bytes | None = None


_msgpack = msgspec.msgpack.Encoder()
_parts = msgspec.msgpack.Decoder(tuple[bytes, bytes, bytes])
_claim = msgspec.msgpack.Decoder(_Claim)
_header = msgspec.msgpack.Decoder(Header)
_body = msgspec.msgpack.Decoder(_Body)


def digest(payload: bytes) -> bytes:
    """Names the exact bytes of a batch: SHA-256."""
    return hashlib.sha256(payload).digest()


def seal_batch(header: Header, body: bytes, key: bytes) -> bytes:
    """The payload to publish. The same arguments give the same bytes."""
    head = _msgpack.encode(header)
    return _msgpack.encode((head, body, _tag(head, body, key)))


def open_batch(payload: bytes, keys: Callable[[str, str], bytes | None]) -> tuple[Header, bytes]:
    """Header and body of a batch whose tag is right; ``keys(gw, kid)`` finds its key.

    Raises ``BadBatch``, and nothing else, whatever the bytes are.
    """
    if len(payload) > MAX_PAYLOAD:
        raise BadBatch("larger than a batch may be")
    try:
        head, body, tag = _parts.decode(payload)
        if len(head) > MAX_HEADER:
            raise BadBatch("header larger than a header may be")
        claim = _claim.decode(head)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadBatch("not a batch") from error
    key = keys(claim.gw, claim.kid)
    if key is None:
        raise BadBatch("unknown gateway or key")
    if not hmac.compare_digest(tag, _tag(head, body, key)):
        raise BadBatch("wrong tag")
    try:
        header = _header.decode(head)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadBatch("unreadable header") from error
    _check(header)
    return header, body


def pack_readings(
    rows: Sequence[tuple[Series, Columns]], rooms: Mapping[ProbeId, str] | None = None
) -> bytes:
    """The body of a batch of readings. Bounds are the caller's to keep; breaking one is a
    ``ValueError``: too many readings, too wide, or a count beyond an int32."""
    n = sum(len(columns) for _, columns in rows)
    if not 0 < n <= MAX_READINGS:
        raise ValueError(f"{n} readings in a batch")
    t0 = min(min(columns.at_ms) for _, columns in rows if len(columns))
    keys: dict[Series, int] = {}
    k, dt, x, q = array("H"), array("i"), array("i"), array("B")
    try:
        for series, columns in rows:
            index = keys.setdefault(series, len(keys))
            k.extend(array("H", [index]) * len(columns))
            dt.extend([at - t0 for at in columns.at_ms])
            x.fromlist(columns.count.tolist())
            q.fromlist(columns.quality.tolist())
    except OverflowError as error:
        raise ValueError("a time, count or quality beyond what a batch can carry") from error
    hints = rooms or {}
    body = _msgpack.encode(
        _Body(
            t0=t0,
            keys=[(s.probe, s.quantity, hints.get(s.probe)) for s in keys],
            k=_little(k),
            dt=_little(dt),
            x=_little(x),
            q=q.tobytes() if any(q) else None,
        )
    )
    if len(body) < _COMPRESS_FROM:
        return body
    packed = zlib.compress(body, 6)
    return packed if len(packed) < len(body) else body


def unpack_readings(body: bytes) -> list[tuple[Series, Columns]]:
    """One entry a series, each oldest first. Raises ``BadBatch``, and nothing else."""
    return [(series, columns) for series, _, columns in unpack_readings_with_rooms(body)]


def unpack_readings_with_rooms(body: bytes) -> list[tuple[Series, str | None, Columns]]:
    """The same with the room in which the gateway believed the probe to be, a hint."""
    content = _inflate(body)
    try:
        parsed = _body.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadBatch("unreadable body") from error
    n = len(parsed.k) // 2
    quality = parsed.q if parsed.q is not None else bytes(n)
    if not 0 < n <= MAX_READINGS:
        raise BadBatch("no readings, or too many")
    if (len(parsed.k), len(parsed.dt), len(parsed.x), len(quality)) != (2 * n, 4 * n, 4 * n, n):
        raise BadBatch("columns of different lengths")
    if not 0 <= parsed.t0 <= _LAST_MS:
        raise BadBatch("t0 out of range")
    for probe, quantity, room in parsed.keys:
        if not (
            0 < len(probe) <= MAX_PROBE_ID and 0 < len(quantity) <= 64 and len(room or "") <= 160
        ):
            raise BadBatch("a key too long, or empty")
    k, dt, x = _array("H", parsed.k), _array("i", parsed.dt), _array("i", parsed.x)
    if max(k) >= len(parsed.keys):
        raise BadBatch("a reading without a key")
    if min(dt) < 0:
        raise BadBatch("a reading before t0")
    return _by_series(parsed, k, dt, x, quality)


def _by_series(
    parsed: _Body, k: Sequence[int], dt: Sequence[int], x: Sequence[int], q: Sequence[int]
) -> list[tuple[Series, str | None, Columns]]:
    """Columns for each key, without an object per reading."""
    keys = list(k)
    if keys != sorted(keys):  # a sender is free to leave a series' rows apart
        order = sorted(range(len(keys)), key=keys.__getitem__)
        keys, dt, x, q = ([column[i] for i in order] for column in (keys, dt, x, q))
    rows = []
    start = 0
    while start < len(keys):
        probe, quantity, room = parsed.keys[keys[start]]
        end = bisect_right(keys, keys[start], start)
        columns = Columns(
            array("q", map(parsed.t0.__add__, dt[start:end])),
            array("q", x[start:end]),
            array("H", list(q[start:end])),
        )
        rows.append((Series(ProbeId(probe), quantity), room, _oldest_first(columns)))
        start = end
    return rows


def _oldest_first(columns: Columns) -> Columns:
    at_ms = columns.at_ms.tolist()
    if at_ms == sorted(at_ms):
        return columns
    in_order = sorted(columns)
    return Columns(
        array("q", [row[0] for row in in_order]),
        array("q", [row[1] for row in in_order]),
        array("H", [row[2] for row in in_order]),
    )


def _check(header: Header) -> None:
    if header.v != 1:
        raise BadBatch(f"version {header.v} is not known here")
    if header.kind not in KINDS:
        raise BadBatch("unknown kind")
    if not 0 < len(header.epoch) <= 64 or not 0 < header.seq <= _LAST_MS:
        raise BadBatch("epoch or seq out of range")
    if not 0 <= header.cut_at_ms <= _LAST_MS:
        raise BadBatch("cut_at out of range")
    if len(header.prev) not in (0, 32):
        raise BadBatch("prev is no digest")


def _tag(head: bytes, body: bytes, key: bytes) -> bytes:
    mac = hashlib.blake2b(key=key, digest_size=16, person=_PERSON)
    mac.update(len(head).to_bytes(4, "little"))  # so that no byte can move between the two
    mac.update(head)
    mac.update(body)
    return mac.digest()


def _inflate(body: bytes) -> bytes:
    if body[:1] != b"\x78":
        if len(body) > MAX_BODY:
            raise BadBatch("body larger than a body may be")
        return body
    stream = zlib.decompressobj()
    try:
        content = stream.decompress(body, MAX_BODY)
    except zlib.error as error:
        raise BadBatch("broken zlib stream") from error
    if stream.unconsumed_tail or not stream.eof or stream.unused_data:
        raise BadBatch("zlib stream too long, cut short, or followed by something")
    return content


def _little(values: "array[int]") -> bytes:
    if sys.byteorder == "big":
        values.byteswap()
    return values.tobytes()


def _array(code: Literal["H", "i"], content: bytes) -> "array[int]":
    values: array[int] = array(code)
    values.frombytes(content)
    if sys.byteorder == "big":
        values.byteswap()
    return values
