"""What stands for one reading's key once several messages have spoken of it.

The outcome depends on the set of values alone, never on their order: for each count the
fewest quality bits (then the smaller number) are kept; the standing value is the best of
those (``domain.reading.winner``), marked 128 when there is more than one count.
"""

from collections.abc import Mapping

from domain.reading import Quality

Values = dict[int, int]  # count -> quality bits, without 128

UNMARKED = ~int(Quality.CONFLICT)


def known(quality: int, count: int, losers: Mapping[int, int]) -> Values:
    """The values behind a stored row and its listed conflicts."""
    return {**losers, count: quality & UNMARKED}


def add(values: Values, quality: int, count: int) -> bool:
    """Take one more message into account; False when it says nothing new."""
    bits = quality & UNMARKED
    before = values.get(count)
    if before is not None and _weight(before) <= _weight(bits):
        return False
    values[count] = bits
    return True


def standing(values: Values) -> tuple[int, int]:
    """(quality, count) of the value that stands, with its mark."""
    count, bits = min(values.items(), key=lambda item: (item[1].bit_count(), item[0], item[1]))
    return (bits | Quality.CONFLICT if len(values) > 1 else bits), count


def _weight(bits: int) -> tuple[int, int]:
    return bits.bit_count(), bits
