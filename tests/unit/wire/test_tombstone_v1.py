"""A tombstone says exactly what went, and foreign bytes say nothing."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wire.numbers import LAST_INSTANT
from wire.tombstone_v1 import (
    MAX_BATCHES,
    MOST_READINGS,
    BadTombstone,
    Tombstone,
    decode,
    encode,
)

LOST = Tombstone("e1", 7, (b"a" * 32, b"b" * 32), 1_200, 1_000, 2_000, "no room")


@given(
    st.integers(1, 1 << 52),
    st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=MAX_BATCHES),
    st.integers(0, MOST_READINGS),
    st.tuples(st.integers(0, LAST_INSTANT), st.integers(0, LAST_INSTANT)),
    st.text(max_size=200),
)
def test_decode_undoes_encode(
    first: int, digests: list[bytes], readings: int, times: tuple[int, int], reason: str
) -> None:
    oldest, newest = sorted(times)
    stone = Tombstone("e1", first, tuple(digests), readings, oldest, newest, reason)

    assert decode(encode(stone)) == stone
    assert stone.last == first + len(digests) - 1


@given(st.binary(max_size=300))
@example(b"\xc1")
def test_bytes_of_somebody_else_are_refused_and_nothing_worse(payload: bytes) -> None:
    with pytest.raises(BadTombstone):
        decode(payload)


@pytest.mark.parametrize(
    "stone",
    [
        pytest.param(Tombstone("", 1, (b"a" * 32,), 1, 0, 0, ""), id="no-epoch"),
        pytest.param(Tombstone("e", 0, (b"a" * 32,), 1, 0, 0, ""), id="seq-0"),
        pytest.param(Tombstone("e", 1, (), 1, 0, 0, ""), id="nothing"),
        pytest.param(Tombstone("e", 1, (b"a" * 32,) * 65, 1, 0, 0, ""), id="too-many"),
        pytest.param(Tombstone("e", 1, (b"a",), 1, 0, 0, ""), id="no-digest"),
        pytest.param(Tombstone("e", 1, (b"a" * 32,), -1, 0, 0, ""), id="fewer-than-none"),
        pytest.param(Tombstone("e", 1, (b"a" * 32,), 1, 2, 1, ""), id="backwards"),
        pytest.param(
            Tombstone("e", 1, (b"a" * 32,), 1, 0, LAST_INSTANT + 1, ""), id="no-calendar-has-it"
        ),
        pytest.param(
            Tombstone("e", 1, (b"a" * 32,), MOST_READINGS + 1, 0, 1, ""), id="more-than-64-hold"
        ),
    ],
)
def test_what_cannot_be_is_refused(stone: Tombstone) -> None:
    assert decode(encode(LOST)) == LOST
    with pytest.raises(BadTombstone):
        decode(encode(stone))
