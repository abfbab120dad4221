"""What gateways report comes back as it was, and nothing else is a report."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.events_v1 import MAX_EVENTS, About, Acked, BadEvents, Event, Told, decode, encode
from wire.numbers import LAST_INSTANT

texts = st.text(st.characters(codec="utf-8"), max_size=12)
whole = st.integers(0, LAST_INSTANT)
abouts = st.builds(About, texts, texts, texts, whole, whole, st.none() | whole, st.none() | whole)
told = st.builds(
    Told, texts, whole, texts, texts, texts, texts, st.lists(texts, max_size=2).map(tuple),
    st.lists(abouts, max_size=2).map(tuple), texts,
)  # fmt: skip
events: st.SearchStrategy[Event] = told | st.builds(Acked, texts, whole, texts, texts)


@given(st.lists(events, max_size=4))
def test_decoding_undoes_encoding(found: list[Event]) -> None:
    assert decode(encode(found)) == found


@given(st.binary(max_size=300))
def test_whatever_the_bytes_are_decoding_says_that_they_are_no_events(body: bytes) -> None:
    with pytest.raises(BadEvents):
        decode(body)


def test_more_events_than_a_body_may_hold_are_refused() -> None:
    with pytest.raises(BadEvents, match="too many"):
        decode(encode([Acked("k", 0, "r", "b")] * (MAX_EVENTS + 1)))


def test_events_look_like_the_documented_json() -> None:
    assert encode([Acked("51aa", 5, "room1", "page")]) == (
        b'{"v":1,"events":[{"type":"acked","key":"51aa","at":5,"room":"room1","by":"page"}]}'
    )
