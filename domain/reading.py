"""What was measured, by which probe, and when.

A reading's identity is (probe, quantity, measured_at); it does not depend on where
anybody believed the probe to be. On hot paths readings travel as ``Columns``.
"""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntFlag
from typing import NamedTuple, NewType

ProbeId = NewType("ProbeId", str)  # scheme and device's own name: "ieee:00158d0001a2b3c4"
RoomId = NewType("RoomId", str)
SiteId = NewType("SiteId", str)
LotId = NewType("LotId", str)
PersonId = NewType("PersonId", str)
GatewayId = NewType("GatewayId", str)


class Quality(IntFlag):
    """What is known against a reading. ``NOT_VALID`` is what the rules refuse."""

    GOOD = 0
    CLOCK_ESTIMATED = 1
    OUTSIDE_RANGE = 2
    BY_HAND = 4
    IMPORTED = 8
    DEVICE_FLAGGED = 16
    INTERVAL_ONLY = 32
    CALIBRATING = 64
    CONFLICT = 128


# Plain numbers, for what is asked of every reading: a flag's own ``&`` makes an object.
CONFLICT, OUTSIDE_RANGE = int(Quality.CONFLICT), int(Quality.OUTSIDE_RANGE)
NOT_VALID = int(
    Quality.OUTSIDE_RANGE
    | Quality.DEVICE_FLAGGED
    | Quality.INTERVAL_ONLY
    | Quality.CALIBRATING
    | Quality.CONFLICT
)


class Series(NamedTuple):
    probe: ProbeId
    quantity: str


@dataclass(frozen=True, slots=True)
class Columns:
    """Readings of one series, oldest first: whole milliseconds UTC, counts, quality bits."""

    at_ms: "array[int]" = field(default_factory=lambda: array("q"))
    count: "array[int]" = field(default_factory=lambda: array("q"))
    quality: "array[int]" = field(default_factory=lambda: array("H"))

    def __len__(self) -> int:
        return len(self.at_ms)

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        """(measured_at_ms, count, quality), row by row."""
        return zip(self.at_ms, self.count, self.quality, strict=True)


def winner(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    """Of two (quality, count) for one key, the one that stands: fewest quality bits, then
    the smaller count, then the smaller quality. Bit 128 is not compared. Different counts
    leave the winner marked 128 (design, section 3)."""

    def rank(row: tuple[int, int]) -> tuple[int, int, int]:
        bits = row[0] & ~CONFLICT
        return (bits.bit_count(), row[1], bits)

    best = min(one, other, key=rank)
    marked = (one[0] | other[0]) & CONFLICT or one[1] != other[1]
    return (best[0] & ~CONFLICT | (CONFLICT if marked else 0), best[1])
