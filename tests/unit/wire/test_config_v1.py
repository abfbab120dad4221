"""A config is believed only when the server's key signed exactly these bytes."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.config_v1 import (
    Action,
    BadConfig,
    Config,
    Contact,
    Probe,
    Room,
    RuleVersion,
    Site,
    decode,
    encode,
)

texts = st.text(st.characters(codec="utf-8"), max_size=12)
whole = st.integers(0, 2**50)
details = st.dictionaries(texts, texts | st.integers(-9, 9), max_size=2)
rooms = st.builds(
    Room,
    texts, texts, texts, texts, texts,
    st.lists(st.builds(Probe, texts, whole, st.none() | whole), max_size=2).map(tuple),
    st.lists(
        st.builds(RuleVersion, whole, whole, texts, st.lists(texts, max_size=2).map(tuple), whole, details),
        max_size=2,
    ).map(tuple),
    st.lists(st.builds(Action, whole, texts, texts, details), max_size=2).map(tuple),
    st.lists(st.builds(Contact, texts, st.sampled_from(["operator", "county"]), texts), max_size=2).map(tuple),
)  # fmt: skip
configs = st.builds(
    Config, st.just(1), texts, texts, whole, whole,
    st.lists(st.builds(Site, texts, texts, texts, texts), max_size=2).map(tuple),
    st.lists(rooms, max_size=2).map(tuple),
)  # fmt: skip


def sign(message: bytes) -> bytes:
    """As long as a signature, and as hard to make without the key."""
    return hmac.digest(b"the server's", message, hashlib.sha512)


def genuine(signature: bytes, message: bytes) -> bool:
    return hmac.compare_digest(signature, sign(message))


@given(configs)
def test_decoding_undoes_encoding(config: Config) -> None:
    assert decode(encode(config, sign), genuine) == config


@given(st.binary(max_size=300))
def test_whatever_the_bytes_are_decoding_gives_a_bad_config(payload: bytes) -> None:
    with pytest.raises(BadConfig):
        decode(payload, genuine)


@given(st.binary(min_size=1, max_size=100))
def test_a_right_signature_over_nonsense_is_a_bad_config(said: bytes) -> None:
    signature = sign(b"coldtrail config1\n" + said).hex().encode()

    with pytest.raises(BadConfig, match=r"unreadable|version"):
        decode(said + b',"sig":"' + signature + b'"}', genuine)


@given(configs, st.integers(0, 10_000), st.integers(1, 255))
def test_one_changed_byte_anywhere_is_noticed(config: Config, position: int, change: int) -> None:
    payload = bytearray(encode(config, sign))
    payload[position % len(payload)] ^= change

    with pytest.raises(BadConfig):
        assert decode(bytes(payload), genuine) != config


def test_a_config_without_a_signature_is_refused() -> None:
    payload = encode(Config(1, "g", "s", 1, 0), sign)

    with pytest.raises(BadConfig, match="without a signature"):
        decode(payload[: payload.index(b',"sig"')] + b"}", genuine)


def test_what_the_key_signed_for_another_purpose_is_no_config() -> None:
    said = encode(Config(1, "g", "s", 1, 0), sign)
    said = said[: said.index(b',"sig"')]

    with pytest.raises(BadConfig, match="not signed"):
        decode(said + b',"sig":"' + sign(said).hex().encode() + b'"}', genuine)


def test_a_config_looks_like_the_documented_json() -> None:
    room = Room(
        "r1", "s1", "chilled", "一号冷库", "Room 1",
        (Probe("mqtt:g:p", 5),),
        (RuleVersion(3, 5, "SB", ("strawberry",), 300),),
        (Action(6, "ack", "u1"),),
        (Contact("u1", "operator", "+8613800000001"),),
    )  # fmt: skip
    payload = encode(
        Config(1, "g", "s", 4, 9, (Site("s1", "locker", "柜", "Locker"),), (room,)), sign
    )

    assert payload.decode().partition(',"sig"')[0] == (
        '{"v":1,"gateway":"g","store":"s","m":4,"made_at":9,'
        '"sites":[{"id":"s1","kind":"locker","name_zh":"柜","name_en":"Locker"}],'
        '"rooms":[{"id":"r1","site":"s1","kind":"chilled","name_zh":"一号冷库","name_en":"Room 1",'
        '"probes":[{"probe":"mqtt:g:p","from":5,"to":null}],'
        '"rules":[{"m":3,"from":5,"profile":"SB","commodities":["strawberry"],"interval_s":300,'
        '"overrides":{}}],"actions":[{"at":6,"kind":"ack","by":"u1","detail":{}}],'
        '"contacts":[{"id":"u1","role":"operator","phone":"+8613800000001","lang":"zh",'
        '"quiet_hours":true,"shifts":[]}],"silences":[]}],"was":[],"calendar":{}'
    )
