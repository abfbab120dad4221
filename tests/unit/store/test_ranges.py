"""Ranges of numbers seen: any order of adding gives the same few pairs."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from store.ports import EpochLedger
from store.ranges import Ranges, ledger


@given(st.lists(st.integers(1, 40)))
def test_ranges_hold_exactly_what_was_added_and_never_touch(numbers: list[int]) -> None:
    ranges = Ranges()
    for number in numbers:
        ranges.add(number)

    pairs = ranges.pairs()

    assert [n for first, last in pairs for n in range(first, last + 1)] == sorted(set(numbers))
    assert all(left[1] + 1 < right[0] for left, right in pairwise(pairs))
    assert all((number in ranges) == (number in numbers) for number in range(42))


def test_what_is_seen_without_a_hole_counts_from_one() -> None:
    assert ledger([(1, 4), (6, 6)]) == EpochLedger(4, ((6, 6),))
    assert ledger([(2, 4)]) == EpochLedger(0, ((2, 4),))
    assert ledger([]) == EpochLedger(0, ())
