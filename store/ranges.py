"""Which numbers of a sequence have been seen, as closed ranges.

A gateway's batches arrive newest first on one lane and oldest first on the other, so a
few ranges describe any epoch.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from store.ports import EpochLedger


class Ranges:
    """Sorted, disjoint, never touching: ``[[1, 7], [9, 9]]``."""

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._ranges = [[first, last] for first, last in sorted(ranges)]

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._ranges, number, key=lambda r: r[0]) - 1
        return at >= 0 and number <= self._ranges[at][1]

    def add(self, number: int) -> None:
        """Adding a number twice changes nothing."""
        ranges = self._ranges
        at = bisect_right(ranges, number, key=lambda r: r[0]) - 1
        if at >= 0 and number <= ranges[at][1]:
            return
        joins_left = at >= 0 and ranges[at][1] == number - 1
        joins_right = at + 1 < len(ranges) and ranges[at + 1][0] == number + 1
        if joins_left and joins_right:
            ranges[at][1] = ranges[at + 1][1]
            del ranges[at + 1]
        elif joins_left:
            ranges[at][1] = number
        elif joins_right:
            ranges[at + 1][0] = number
        else:
            ranges.insert(at + 1, [number, number])

    def pairs(self) -> list[tuple[int, int]]:
        return [(first, last) for first, last in self._ranges]


def ledger(pairs: Sequence[tuple[int, int]]) -> EpochLedger:
    """Sequences count from 1: what is seen without a hole, and what lies above the first hole."""
    if pairs and pairs[0][0] == 1:
        return EpochLedger(pairs[0][1], tuple(pairs[1:]))
    return EpochLedger(0, tuple(pairs))
