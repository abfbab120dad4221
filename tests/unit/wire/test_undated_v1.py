"""Undated readings travel with the boot that their times count from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.batches import AIR, columns
from wire.numbers import LAST_INSTANT
from wire.undated_v1 import BadUndated, Undated, decode, encode


@given(
    st.lists(st.tuples(st.integers(0, 10**9), st.integers(-9_000, 9_000), st.integers(0, 63)),
             min_size=1, max_size=50),
    st.one_of(st.none(), st.integers(0, LAST_INSTANT)),
)  # fmt: skip
def test_decoding_undoes_encoding(rows: list[tuple[int, int, int]], bound: int | None) -> None:
    undated = Undated("boot-1", bound, [(AIR, columns(*sorted(rows)))])

    assert decode(encode(undated)) == undated


@given(st.binary(max_size=300))
def test_whatever_the_bytes_are_decoding_gives_its_own_error(body: bytes) -> None:
    with pytest.raises(BadUndated):
        decode(body)


@pytest.mark.parametrize("boot", ["", "x" * 65, "a\nb"])
def test_a_boot_without_a_proper_name_is_refused(boot: str) -> None:
    with pytest.raises(BadUndated):
        decode(encode(Undated(boot, None, [(AIR, columns((1, 1, 1)))])))
