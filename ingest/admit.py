"""What may enter the store, what is quarantined, and why.

The checks run in this order: topic, tag, topic against header, body, then each series and
each reading. A bad reading leaves alone: its neighbours are admitted. Nothing here trusts
the gateway's arithmetic, and nothing here reads a clock.
"""

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from domain.admission import objection, quality
from domain.quantity import QUANTITIES
from domain.reading import Columns, GatewayId, ProbeId, Quality, Series
from store.ports import AdmittedBatch, BatchId, Undated
from wire import tombstone_v1, topics, undated_v1
from wire.batch_v1 import BadBatch, Header, digest, open_batch, unpack_readings

LONGEST_PROBE_ID = 160

_OUTSIDE_RANGE = int(Quality.OUTSIDE_RANGE)

BadRow = tuple[str, str, int, int, int, str]  # probe, quantity, at_ms, count, quality, reason


@dataclass(frozen=True, slots=True)
class Gateway:
    """Who may speak on which partition, and with which tag keys (kid to key)."""

    id: str
    partition: int
    keys: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Admitted:
    """``trusted``: the gateway's clock was to be trusted when the batch was cut. ``after``: the
    epoch before and its last seq, in the first batch of an epoch."""

    batch: AdmittedBatch
    kid: str
    trusted: bool
    bad: tuple[BadRow, ...] = ()
    after: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Repeated:
    """The bytes of a batch that is on disk; its body was not looked at again."""

    id: BatchId
    kid: str
    after: tuple[str, int] | None


@dataclass(frozen=True, slots=True)
class Rejected:
    """Quarantined whole. ``source`` is the gateway of the topic, or the topic itself.

    ``name`` is the (epoch, seq) that the bytes claim, for the receipt; with a wrong tag it
    is only a claim, so the receipt names the bytes as well.
    """

    source: str
    reason: str
    security: bool
    name: tuple[str, int] | None = None


class BadRows(msgspec.Struct, frozen=True):
    """Readings that were left out of an admitted batch, as quarantine keeps them."""

    gateway: str
    epoch: str
    seq: int
    cut_at_ms: int
    trusted: bool
    rows: list[BadRow]


class _Name(msgspec.Struct, frozen=True):
    epoch: str
    seq: int


_parts = msgspec.msgpack.Decoder(tuple[bytes, bytes, bytes])
_name = msgspec.msgpack.Decoder(_Name)
_rows_encoder = msgspec.json.Encoder()
_rows_decoder = msgspec.json.Decoder(BadRows)


def admit(
    topic: str,
    payload: bytes,
    gateways: Mapping[str, Gateway],
    holds: Callable[[BatchId, bytes], bool] = lambda _id, _digest: False,
) -> Admitted | Repeated | Rejected:
    """What becomes of one message on a batch topic. ``holds`` says whether these bytes are on disk
    under this name: a storm of what was sent before costs its tags, not its readings."""
    parsed = topics.parse(topic)
    if parsed is None or parsed.kind != "batch":
        return Rejected(topic[:128], "not a topic of ours", security=True)
    gateway = gateways.get(parsed.gateway)
    if gateway is None:
        return Rejected(parsed.gateway, "unknown gateway", security=True)
    if parsed.partition != gateway.partition:
        return Rejected(
            gateway.id, "not this gateway's partition", security=True, name=_claimed(payload)
        )
    try:
        header, body = open_batch(payload, lambda gw, kid: _key(gateways, gw, kid))
    except BadBatch as error:
        return Rejected(gateway.id, error.reason, security=True, name=_claimed(payload))
    name = (header.epoch, header.seq)
    if header.gw != gateway.id:
        return Rejected(gateway.id, "another gateway's batch", security=True, name=name)
    id_ = BatchId(GatewayId(header.gw), header.epoch, header.seq)
    if not header.epoch.isprintable():
        return Rejected(gateway.id, "epoch is not printable", security=False, name=name)
    sha = digest(payload)
    if holds(id_, sha):
        return Repeated(id_, header.kid, header.after)
    if header.kind == "tombstone":
        try:
            tombstone_v1.decode(body)
        except tombstone_v1.BadTombstone as error:
            return Rejected(gateway.id, error.reason, security=False, name=name)
    waits_for = ""
    if header.kind == "undated":
        try:
            waits_for = undated_v1.decode(body).boot
        except undated_v1.BadUndated as error:
            return Rejected(gateway.id, error.reason, security=False, name=name)
    boot = _boot(header)
    if header.kind != "readings":
        batch = AdmittedBatch(id_, sha, header.kind, [], header.cut_at_ms, body, *boot, waits_for)
        return Admitted(batch, header.kid, header.clock.trusted, after=header.after)
    try:
        rows = unpack_readings(body)
    except BadBatch as error:
        return Rejected(gateway.id, error.reason, security=False, name=name)
    good, bad = sift(rows, _trusted_now(header))
    batch = AdmittedBatch(id_, sha, header.kind, good, header.cut_at_ms, b"", *boot)
    return Admitted(batch, header.kid, header.clock.trusted, tuple(bad), header.after)


def date(waiting: Undated) -> Admitted:
    """The readings of an undated batch, by the offset that has come for its boot. What may not
    enter is quarantined like any other reading."""
    offset_ms = waiting.offset_ms or 0
    rows = [
        (series, Columns(array("q", [at + offset_ms for at in c.at_ms]), c.count, c.quality))
        for series, c in undated_v1.decode(waiting.body).rows
    ]
    good, bad = sift(rows, None)
    batch = AdmittedBatch(waiting.batch, b"", "readings", good, waiting.cut_at_ms)
    return Admitted(batch, "", False, tuple(bad))


def sift(
    rows: list[tuple[Series, Columns]], trusted_now_ms: int | None
) -> tuple[list[tuple[Series, Columns]], list[BadRow]]:
    """Readings that may enter, with what is noted against them, and those that may not."""
    good: list[tuple[Series, Columns]] = []
    bad: list[BadRow] = []
    for series, columns in rows:
        reason = _unfit(series)
        if reason is None and _spotless(series, columns, trusted_now_ms):
            good.append((series, columns))
            continue
        kept = Columns()
        for at_ms, count, bits in columns:
            why = reason or objection(series.quantity, at_ms, trusted_now_ms)
            if why is not None:
                bad.append((series.probe, series.quantity, at_ms, count, bits, why))
                continue
            kept.at_ms.append(at_ms)
            kept.count.append(count)
            kept.quality.append(quality(series.quantity, count, bits))
        if len(kept):
            good.append((series, kept))
    return good, bad


def keep_rows(outcome: Admitted) -> bytes:
    """The same batch gives the same bytes, so quarantine keeps them once."""
    id_, cut_at_ms = outcome.batch.id, outcome.batch.cut_at_ms
    return _rows_encoder.encode(
        BadRows(id_.gateway, id_.epoch, id_.seq, cut_at_ms, outcome.trusted, list(outcome.bad))
    )


def keep_rest(payload: bytes, bad: Sequence[BadRow]) -> bytes:
    """Of what ``keep_rows`` made, only what still may not enter, with the reasons of now."""
    return _rows_encoder.encode(
        msgspec.structs.replace(_rows_decoder.decode(payload), rows=list(bad))
    )


def readmit_rows(payload: bytes, name: BatchId) -> Admitted | None:
    """Quarantined readings asked again: what may enter now, under a name of its own.

    None when ``payload`` is not of ``keep_rows``.
    """
    try:
        kept = _rows_decoder.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    rows = [
        (
            Series(ProbeId(probe), quantity),
            Columns(array("q", [at_ms]), array("q", [count]), array("H", [bits])),
        )
        for probe, quantity, at_ms, count, bits, _ in kept.rows
    ]
    good, bad = sift(rows, kept.cut_at_ms if kept.trusted else None)
    batch = AdmittedBatch(name, digest(payload), "readings", good, kept.cut_at_ms)
    return Admitted(batch, "", kept.trusted, tuple(bad))


def _boot(header: Header) -> tuple[str, int | None]:
    """What the batch tells of its boot; an offset that no clock could have is none."""
    boot, offset = header.clock.boot, header.clock.offset
    if not (0 < len(boot) <= undated_v1.LONGEST_BOOT and boot.isprintable()):
        return "", None
    if offset is None or not abs(offset) < undated_v1.LAST_MS:
        return boot, None
    return boot, offset


def _trusted_now(header: Header) -> int | None:
    """The gateway's clock when it cut the batch, where that clock is to be trusted."""
    return header.cut_at_ms if header.clock.trusted else None


def _key(gateways: Mapping[str, Gateway], gateway: str, kid: str) -> bytes | None:
    known = gateways.get(gateway)
    return known.keys.get(kid) if known else None


def _unfit(series: Series) -> str | None:
    """Why no reading of this series may enter."""
    if not (0 < len(series.probe) <= LONGEST_PROBE_ID and series.probe.isprintable()):
        return "probe id is not printable, or too long"
    if series.quantity not in QUANTITIES:
        return f"unknown quantity {series.quantity[:64]!r}"
    return None


def _spotless(series: Series, columns: Columns, trusted_now_ms: int | None) -> bool:
    """True when every reading may enter exactly as it is; looks at the extremes alone."""
    at_ms, count = columns.at_ms, columns.count
    known = QUANTITIES[series.quantity]
    return (
        known.low_count <= min(count)
        and max(count) <= known.high_count
        and objection(series.quantity, min(at_ms), trusted_now_ms) is None
        and objection(series.quantity, max(at_ms), trusted_now_ms) is None
        and not any(bits & _OUTSIDE_RANGE for bits in set(columns.quality))
    )


def _claimed(payload: bytes) -> tuple[str, int] | None:
    """The name that unauthenticated bytes give themselves, if they can be read at all."""
    try:
        claim = _name.decode(_parts.decode(payload)[0])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    fits = 0 < len(claim.epoch) <= 64 and claim.epoch.isprintable() and 0 < claim.seq < 1 << 53
    return (claim.epoch, claim.seq) if fits else None
