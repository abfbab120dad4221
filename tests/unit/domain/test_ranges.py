"""Ranges are a set of whole numbers, however it was put together."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from domain.ranges import Ranges

spans = st.tuples(st.integers(1, 60), st.integers(-2, 10)).map(lambda s: (s[0], s[0] + s[1]))


@given(st.lists(spans))
def test_ranges_hold_exactly_what_was_added(added: list[tuple[int, int]]) -> None:
    ranges = Ranges()
    for low, high in added:
        ranges.add(low, high)

    expected = {n for low, high in added for n in range(low, high + 1)}
    assert {n for n in range(80) if n in ranges} == expected
    assert ranges.highest == max(expected, default=0)
    assert all(a[1] + 1 < b[0] for a, b in pairwise(ranges))
