"""A batch is opened whole by who holds the key, or it is a BadBatch; nothing in between."""

import zlib
from array import array

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.reading import Columns, ProbeId, Series
from wire.batch_v1 import (
    MAX_PAYLOAD,
    MAX_WIDTH_MS,
    BadBatch,
    Clock,
    Header,
    digest,
    open_batch,
    pack_readings,
    seal_batch,
    unpack_readings,
    unpack_readings_with_rooms,
)

KEY = bytes(range(32))
T0 = 1_780_000_000_000


def keys(gw: str, kid: str) -> bytes | None:
    return KEY if (gw, kid) == ("gw-1", "k1") else None


def header(seq: int = 1, *, kind: str = "readings", v: int = 1) -> Header:
    return Header(v, kind, "gw-1", "k1", "e1", seq, b"", T0, Clock(trusted=True), ("e0", 7))


def columns(*rows: tuple[int, int, int]) -> Columns:
    return Columns(
        array("q", [r[0] for r in rows]),
        array("q", [r[1] for r in rows]),
        array("H", [r[2] for r in rows]),
    )


rows = st.lists(
    st.tuples(
        st.integers(T0, T0 + MAX_WIDTH_MS), st.integers(-(2**31), 2**31 - 1), st.integers(0, 255)
    ),
    min_size=1,
    max_size=30,
).map(sorted)
series = st.builds(
    lambda p, q: Series(ProbeId(p), q),
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=40),
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=20),
)


@given(st.dictionaries(series, rows, min_size=1, max_size=8))
def test_unpacking_undoes_packing(content: dict[Series, list[tuple[int, int, int]]]) -> None:
    body = pack_readings([(s, columns(*r)) for s, r in content.items()])

    assert {s: list(c) for s, c in unpack_readings(body)} == content


@given(st.binary(max_size=200), st.integers(1, 2**40))
def test_opening_undoes_sealing(body: bytes, seq: int) -> None:
    sealed = seal_batch(header(seq), body, KEY)

    assert open_batch(sealed, keys) == (header(seq), body)


@given(st.binary(max_size=400))
def test_whatever_the_bytes_are_opening_gives_a_value_or_a_bad_batch(payload: bytes) -> None:
    with pytest.raises(BadBatch):
        open_batch(payload, keys)


@given(st.binary(max_size=400))
def test_whatever_the_header_is_a_right_tag_does_not_make_it_readable(head: bytes) -> None:
    with pytest.raises(BadBatch):
        open_batch(msgspec.msgpack.encode((head, b"", bytes(16))), keys)


@given(st.binary(max_size=400))
def test_whatever_the_body_is_unpacking_gives_columns_or_a_bad_batch(body: bytes) -> None:
    try:
        unpack_readings(body)
    except BadBatch as error:
        assert error.reason  # noqa: PT017  # either outcome is right


@given(
    st.fixed_dictionaries(
        {
            "t0": st.integers(),
            "keys": st.lists(st.tuples(st.text(), st.text(), st.none() | st.text())),
            "k": st.binary(max_size=20),
            "dt": st.binary(max_size=40),
            "x": st.binary(max_size=40),
        },
        optional={"q": st.binary(max_size=10)},
    )
)
def test_columns_that_do_not_fit_together_are_a_bad_batch(body: dict[str, object]) -> None:
    try:
        packed = msgspec.msgpack.encode(body)
    except OverflowError:
        return  # beyond what msgpack itself can say
    try:
        unpack_readings(packed)
    except BadBatch as error:
        assert error.reason  # noqa: PT017  # either outcome is right


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_one_changed_byte_anywhere_is_noticed(position: int, change: int) -> None:
    sealed = bytearray(seal_batch(header(), b"body", KEY))
    sealed[position % len(sealed)] ^= change

    with pytest.raises(BadBatch):
        open_batch(bytes(sealed), keys)


def test_the_tag_is_checked_before_the_rest_of_the_header_is_read() -> None:
    unreadable = msgspec.msgpack.encode({"gw": "gw-1", "kid": "k1", "v": "not a number"})

    with pytest.raises(BadBatch, match="wrong tag"):
        open_batch(msgspec.msgpack.encode((unreadable, b"", bytes(16))), keys)


def test_a_batch_from_a_gateway_without_a_key_is_bad() -> None:
    with pytest.raises(BadBatch, match="unknown gateway or key"):
        open_batch(seal_batch(header(), b"", KEY), lambda _gw, _kid: None)


@pytest.mark.parametrize("wrong", [header(v=2), header(kind="song"), header(seq=0)])
def test_a_sealed_header_beyond_the_format_is_bad(wrong: Header) -> None:
    with pytest.raises(BadBatch):
        open_batch(seal_batch(wrong, b"", KEY), keys)


def test_a_payload_too_large_is_not_even_decoded() -> None:
    with pytest.raises(BadBatch, match="larger"):
        open_batch(bytes(MAX_PAYLOAD + 1), keys)


def test_a_zip_bomb_is_a_bad_batch() -> None:
    with pytest.raises(BadBatch, match="zlib"):
        unpack_readings(zlib.compress(bytes(50_000_000), 9))


def test_many_readings_of_the_same_series_are_packed_small() -> None:
    minute = columns(*((T0 + i * 60_000, 250 + i % 3, 0) for i in range(600)))
    body = pack_readings([(Series(ProbeId("ieee:00158d0001a2b3c4"), "temperature"), minute)])

    assert len(body) < 600 * 8


def test_the_room_hint_travels_beside_the_key() -> None:
    one = Series(ProbeId("mac:1"), "temperature")
    body = pack_readings([(one, columns((T0, 1, 0)))], {ProbeId("mac:1"): "r1"})

    assert [(s, room) for s, room, _ in unpack_readings_with_rooms(body)] == [(one, "r1")]


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([], id="none"),
        pytest.param([(T0 + i, 1, 0) for i in range(601)], id="too-many"),
        pytest.param([(T0, 1, 0), (T0 + 2**31, 1, 0)], id="too-wide"),
        pytest.param([(T0, 2**31, 0)], id="count-beyond-int32"),
    ],
)
def test_what_a_batch_cannot_carry_is_not_packed(rows: list[tuple[int, int, int]]) -> None:
    with pytest.raises(ValueError, match=r"readings in a batch|beyond what"):
        pack_readings([(Series(ProbeId("mac:1"), "temperature"), columns(*rows))])


@given(st.lists(st.integers(0, 3), min_size=1, max_size=20))
def test_rows_of_a_series_need_not_lie_together(order: list[int]) -> None:
    body = msgspec.msgpack.encode(
        {
            "t0": T0,
            "keys": [(f"mac:{i}", "temperature", None) for i in range(4)],
            "k": b"".join(i.to_bytes(2, "little") for i in order),
            "dt": b"".join((len(order) - n).to_bytes(4, "little") for n in range(len(order))),
            "x": b"".join(n.to_bytes(4, "little") for n in range(len(order))),
        }
    )

    unpacked = {s.probe: list(c) for s, c in unpack_readings(body)}

    assert unpacked == {
        f"mac:{i}": [(T0 + len(order) - n, n, 0) for n, j in enumerate(order) if j == i][::-1]
        for i in set(order)
    }


def test_the_digest_names_the_exact_bytes() -> None:
    assert digest(b"a") != digest(b"b")
    assert len(digest(b"")) == 32
