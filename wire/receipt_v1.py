"""A receipt: which batches are on the server's disk, said by the server and nobody else.

JSON, so that a person can read it on the broker. The mac is its last member and covers the
bytes before it: it is checked before anything is parsed. Receipts only ever grow, so an old
one that comes again does no harm.
"""

import hashlib
import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from wire.restore_v1 import MAX_RECORDS, Restored

MAX_PAYLOAD = 1 << 20
MAX_EPOCHS = 64  # the most recently used; older ones come back when they are used
_PERSON = b"coldtrail recpt1"
_MAC_HEX = 32
_MAC_OPEN = b',"mac":"'
_MAC_CLOSE = b'"}'


class BadReceipt(Exception):
    """Not a receipt, or not from our server."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Receipt:
    """``epochs``: epoch to (everything up to here, further ranges with both ends inside).

    ``refused``: (epoch, seq, reason) of batches that the server will not store as sent, and
    ``digests`` what names the bytes that were refused, in the same order: a name in bytes that
    nobody has vouched for is only a claim. ``n`` is the arrival up to which the receipt speaks.
    ``restored``: how the store came to be, oldest first, where it was put back from a backup.
    """

    store: str
    n: int
    epochs: dict[str, tuple[int, list[tuple[int, int]]]] = field(default_factory=dict)
    refused: list[tuple[str, int, str]] = field(default_factory=list)
    restored: Sequence[Restored] = ()
    digests: list[str] = field(default_factory=list)

    def refusals(self) -> Iterator["Refusal"]:
        digests = [*self.digests, *[""] * len(self.refused)]
        for (epoch, seq, reason), digest in zip(self.refused, digests, strict=False):
            yield Refusal(epoch, seq, reason, digest)


@dataclass(frozen=True, slots=True)
class Refusal:
    epoch: str
    seq: int
    reason: str
    digest: str  # of the bytes; empty from a server that does not say

    def is_about(self, payload: bytes) -> bool:
        """These bytes were refused, not others that bear their name."""
        return not self.digest or self.digest == digest_of(payload)


class _Epoch(msgspec.Struct, frozen=True):
    through: int
    ranges: list[tuple[int, int]] = []


class _Receipt(msgspec.Struct, frozen=True, omit_defaults=True):
    v: int
    store: str
    n: int
    epochs: dict[str, _Epoch]
    refused: list[tuple[str, int, str]]
    restored: tuple[Restored, ...] = ()
    digests: list[str] = []


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_Receipt)


def encode(receipt: Receipt, key: bytes) -> bytes:
    epochs = {e: _Epoch(through, ranges) for e, (through, ranges) in receipt.epochs.items()}
    restored = tuple(receipt.restored[-MAX_RECORDS:])
    said = _encoder.encode(
        _Receipt(1, receipt.store, receipt.n, epochs, receipt.refused, restored, receipt.digests)
    )[:-1]
    return said + _MAC_OPEN + _mac(said, key) + _MAC_CLOSE


def decode(payload: bytes, key: bytes) -> Receipt:
    """Raises ``BadReceipt``, and nothing else, whatever the bytes are."""
    if len(payload) > MAX_PAYLOAD:
        raise BadReceipt("larger than a receipt may be")
    tail = len(_MAC_OPEN) + _MAC_HEX + len(_MAC_CLOSE)
    said, end = payload[:-tail], payload[-tail:]
    if not (said and end.startswith(_MAC_OPEN) and end.endswith(_MAC_CLOSE)):
        raise BadReceipt("without a mac at its end")
    if not hmac.compare_digest(end[len(_MAC_OPEN) : -len(_MAC_CLOSE)], _mac(said, key)):
        raise BadReceipt("wrong mac")
    try:
        parsed = _decoder.decode(said + b"}")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadReceipt("unreadable") from error
    if parsed.v != 1:
        raise BadReceipt(f"version {parsed.v} is not known here")
    for entry in parsed.epochs.values():
        if entry.through < 0 or any(not 0 < low <= high for low, high in entry.ranges):
            raise BadReceipt("impossible range")
    return Receipt(
        parsed.store,
        parsed.n,
        {epoch: (entry.through, entry.ranges) for epoch, entry in parsed.epochs.items()},
        parsed.refused,
        parsed.restored,
        parsed.digests,
    )


def digest_of(payload: bytes) -> str:
    """Names the bytes of a batch, as refusals do: half of its SHA-256."""
    return hashlib.sha256(payload).hexdigest()[:32]


def _mac(said: bytes, key: bytes) -> bytes:
    return hashlib.blake2b(said, key=key, digest_size=16, person=_PERSON).hexdigest().encode()
