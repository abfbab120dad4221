"""A set of whole numbers kept as ranges: which batches of an epoch somebody has.

A gateway's batches arrive newest first on one lane and oldest first on the other, so a few
ranges describe any epoch.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator


class Ranges:
    """Ranges with both ends inside, in order, never touching one another."""

    __slots__ = ("_high", "_low")

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._low: list[int] = []
        self._high: list[int] = []
        for low, high in ranges:
            self.add(low, high)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self._low, self._high, strict=True)

    def __len__(self) -> int:
        return len(self._low)

    def __contains__(self, n: int) -> bool:
        i = bisect_right(self._low, n) - 1
        return i >= 0 and n <= self._high[i]

    @property
    def highest(self) -> int:
        """The largest number inside, 0 when there is none."""
        return self._high[-1] if self._high else 0

    def add(self, low: int, high: int) -> None:
        """Add ``low … high``, both inside; nothing when high is below low, or a second time."""
        if high < low:
            return
        first = bisect_left(self._high, low - 1)  # the first range that reaches it
        last = bisect_right(self._low, high + 1)  # one past the last that does
        if first < last:
            low = min(low, self._low[first])
            high = max(high, self._high[last - 1])
        self._low[first:last] = [low]
        self._high[first:last] = [high]
