"""A receipt is believed only when the server's key made it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire import hello_v1, status_v1
from wire.receipt_v1 import BadReceipt, Receipt, decode, digest_of, encode

KEY = b"k" * 32
texts = st.text(st.characters(codec="utf-8"), max_size=20)
ranges = st.tuples(st.integers(1, 99), st.integers(0, 99)).map(lambda r: (r[0], r[0] + r[1]))
receipts = st.builds(
    Receipt,
    texts,
    st.integers(0, 2**50),
    st.dictionaries(texts, st.tuples(st.integers(0, 2**50), st.lists(ranges, max_size=3))),
    st.lists(st.tuples(texts, st.integers(1, 2**50), texts), max_size=3),
    digests=st.lists(texts, max_size=3),
)


@given(receipts)
def test_decoding_undoes_encoding(receipt: Receipt) -> None:
    assert decode(encode(receipt, KEY), KEY) == receipt


@given(st.binary(max_size=300))
def test_whatever_the_bytes_are_decoding_gives_a_bad_receipt(payload: bytes) -> None:
    with pytest.raises(BadReceipt):
        decode(payload, KEY)


@given(st.binary(max_size=100))
def test_a_right_mac_over_nonsense_is_a_bad_receipt(said: bytes) -> None:
    good = encode(Receipt("s", 1), KEY)

    with pytest.raises(BadReceipt):
        decode(said + good[-41:], KEY)


@given(receipts, st.integers(0, 10_000), st.integers(1, 255))
def test_one_changed_byte_anywhere_is_noticed(receipt: Receipt, position: int, change: int) -> None:
    payload = bytearray(encode(receipt, KEY))
    payload[position % len(payload)] ^= change

    with pytest.raises(BadReceipt):
        decode(bytes(payload), KEY)


def test_a_receipt_of_another_server_is_bad() -> None:
    with pytest.raises(BadReceipt, match="wrong mac"):
        decode(encode(Receipt("s", 1), b"x" * 32), KEY)


def test_a_receipt_looks_like_the_documented_json() -> None:
    payload = encode(Receipt("s", 9, {"e1": (4, [(6, 8)])}, [("e1", 5, "wrong tag")]), KEY)

    assert payload.startswith(
        b'{"v":1,"store":"s","n":9,"epochs":{"e1":{"through":4,"ranges":[[6,8]]}},'
        b'"refused":[["e1",5,"wrong tag"]],"mac":"'
    )


def test_a_refusal_names_the_bytes_that_were_refused_and_without_that_says_nothing_of_them() -> (
    None
):
    refused = [("e1", 5, "wrong tag"), ("e1", 6, "wrong tag")]
    named = Receipt("s", 9, {}, refused, digests=[digest_of(b"bytes"), ""])

    assert b'],"digests":["' in encode(named, KEY)
    assert [
        list(map(r.is_about, (b"bytes", b"other")))
        for r in decode(encode(named, KEY), KEY).refusals()
    ] == [[True, False], [True, True]]
    of_before = Receipt("s", 9, {}, refused)
    assert [r.is_about(b"any") for r in of_before.refusals()] == [True, True]


def test_status_and_hello_decode_what_they_encode() -> None:
    status = status_v1.Status("online", "e1", "0.1.0", backlog=status_v1.Backlog(2, 3, 4))
    hello = hello_v1.Hello("s", 5)

    assert status_v1.decode(status_v1.encode(status)) == status
    assert hello_v1.decode(hello_v1.encode(hello)) == hello


@given(st.binary(max_size=200))
def test_whatever_the_bytes_are_status_and_hello_say_so(payload: bytes) -> None:
    with pytest.raises(status_v1.BadStatus):
        status_v1.decode(payload)
    with pytest.raises(hello_v1.BadHello):
        hello_v1.decode(payload)
