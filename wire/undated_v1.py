"""Readings whose instant is not known yet: when they came, counted since the machine's start.

The body of a batch of the kind ``undated``. Of the devices' own times nothing is missing here: only
readings without one that came in while the gateway's clock was not to be trusted. Each ``at_ms``
is milliseconds since the start of the boot that is named. Any later batch of that boot whose header
has an ``offset`` says what to add; it is the same for the whole boot.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from domain.reading import Columns, Series
from wire.batch_v1 import BadBatch, pack_readings, unpack_readings
from wire.numbers import LAST_INSTANT

LONGEST_BOOT = 64
LAST_MS = 1 << 53


class BadUndated(Exception):
    """These bytes are none of ours: for ever, not for now."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Undated:
    """``not_before_ms``: an instant of a trusted clock that was past when the first of them came;
    None where none is known. ``rows``: times since the start of ``boot``."""

    boot: str
    not_before_ms: int | None
    rows: Sequence[tuple[Series, Columns]]


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    boot: str
    not_before: int | None
    readings: bytes


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Body)


def encode(undated: Undated) -> bytes:
    """Bounds are the caller's to keep, as in ``pack_readings``."""
    body = pack_readings(undated.rows)
    return _encoder.encode(_Body(undated.boot, undated.not_before_ms, body))


def decode(body: bytes) -> Undated:
    """Raises ``BadUndated``, and nothing else, whatever the bytes are."""
    try:
        said = _decoder.decode(body)
        rows = unpack_readings(said.readings)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, BadBatch) as error:
        raise BadUndated("unreadable undated readings") from error
    if not (0 < len(said.boot) <= LONGEST_BOOT and said.boot.isprintable()):
        raise BadUndated("undated readings of no boot")
    if said.not_before is not None and not 0 <= said.not_before <= LAST_INSTANT:
        raise BadUndated("undated readings with an impossible bound")
    return Undated(said.boot, said.not_before, rows)
