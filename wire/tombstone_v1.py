"""Readings that a gateway had acknowledged and had to let go: which, how many, and why.

The body of a batch of the kind ``tombstone``. It stands for consecutive batches of one epoch;
their digests keep the gateway's chain checkable across the hole, and would tell the batches
themselves from others should a copy of them ever turn up.
"""

from dataclasses import dataclass

import msgspec

from wire.batch_v1 import MAX_READINGS
from wire.numbers import LAST_INSTANT

MAX_REASON = 200
MAX_BATCHES = 64
MOST_READINGS = MAX_BATCHES * MAX_READINGS
DIGEST_BYTES = 32  # SHA-256


class BadTombstone(Exception):
    """These bytes are no tombstone of ours: for ever, not for now."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Tombstone:
    """``digests``: of the batches with the seqs from ``first`` on, without holes.
    ``oldest_ms`` to ``newest_ms``: measured times, both inside."""

    epoch: str
    first: int
    digests: tuple[bytes, ...]
    readings: int
    oldest_ms: int
    newest_ms: int
    reason: str

    @property
    def last(self) -> int:
        """The last seq that it stands for."""
        return self.first + len(self.digests) - 1


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    epoch: str
    first: int
    digests: tuple[bytes, ...]
    readings: int
    measured: tuple[int, int]
    reason: str


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Body)


def encode(lost: Tombstone) -> bytes:
    return _encoder.encode(
        _Body(
            lost.epoch,
            lost.first,
            lost.digests,
            lost.readings,
            (lost.oldest_ms, lost.newest_ms),
            lost.reason[:MAX_REASON],
        )
    )


def decode(body: bytes) -> Tombstone:
    """Raises ``BadTombstone``, and nothing else, whatever the bytes are."""
    try:
        said = _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadTombstone("unreadable tombstone") from error
    oldest_ms, newest_ms = said.measured
    if not (0 < len(said.epoch) <= 64 and said.epoch.isprintable()):
        raise BadTombstone("a tombstone names no epoch")
    if not (0 < said.first < 1 << 53 and 0 < len(said.digests) <= MAX_BATCHES):
        raise BadTombstone("a tombstone for an impossible range")
    if any(len(name) != DIGEST_BYTES for name in said.digests):
        raise BadTombstone("a tombstone with impossible digests")
    if not (0 <= said.readings <= MOST_READINGS and 0 <= oldest_ms <= newest_ms <= LAST_INSTANT):
        raise BadTombstone("a tombstone for impossible readings")
    if len(said.reason) > MAX_REASON:
        raise BadTombstone("a tombstone with too many words")
    return Tombstone(
        said.epoch, said.first, said.digests, said.readings, oldest_ms, newest_ms, said.reason
    )
