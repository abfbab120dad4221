"""Decoders of other packages: found, asked last, and never able to do harm."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.decoders import DeviceReading, NotMine, Unusable, decode, foreign
from gateway.decoders.reading import Decoded, Decoder
from tests.unit.gateway.decoders import NOW

TOPIC = "acme/7"
GOOD = DeviceReading("acme/7", False, "temperature", 420, NOW, False)


def asked(decoder: Decoder, topic: str = TOPIC, payload: bytes = b"4.2") -> Decoded:
    return decode(topic, payload, NOW, foreign=[foreign.guarded("acme", decoder)])


def test_a_foreign_decoder_adds_a_device() -> None:
    assert asked(lambda _t, _p, _at: [GOOD]) == [GOOD]


def test_it_is_asked_only_about_what_is_nobodys() -> None:
    def everything(_topic: str, _payload: bytes, _at: int) -> Decoded:
        raise AssertionError

    [reading] = asked(everything, "devices/a/readings", b'{"temperature": 4}')
    assert isinstance(reading, DeviceReading)


@pytest.mark.parametrize(
    "error",
    [ValueError("x"), RecursionError(), MemoryError(), SystemExit(1), AssertionError(), KeyError(7)],
    ids=lambda e: type(e).__name__,
)  # fmt: skip
def test_whatever_it_raises_sends_that_message_to_quarantine(error: BaseException) -> None:
    def crashes(_topic: str, _payload: bytes, _at: int) -> Decoded:
        raise error

    with pytest.raises(NotMine, match=f"decoder acme failed: {type(error).__name__}"):
        asked(crashes)


@pytest.mark.parametrize("returned", [None, "4.2", 4, (GOOD,)])
def test_what_is_no_list_sends_that_message_to_quarantine(returned: Decoded) -> None:
    with pytest.raises(NotMine, match="acme failed: TypeError"):
        asked(lambda _t, _p, _at: returned)


@pytest.mark.parametrize(
    "item",
    [
        DeviceReading("", False, "temperature", 1, NOW, True),
        DeviceReading("a", False, "mood", 1, NOW, True),
        DeviceReading("a", False, "temperature", 1 << 40, NOW, True),
        DeviceReading("a", False, "temperature", 4.2, NOW, True),  # type: ignore[arg-type]  # a mistake of another package
        DeviceReading("a", False, "temperature", True, NOW, True),
        DeviceReading("a", False, "temperature", 1, -5, True),
        {"temperature": 4.2},
        None,
    ],
    ids=str,
)  # fmt: skip
def test_an_item_that_is_no_reading_is_named_beside_its_good_neighbour(item: object) -> None:
    mixed: Decoded = [item, GOOD]  # type: ignore[list-item]  # a mistake of another package

    assert asked(lambda _t, _p, _at: mixed) == [
        Unusable("what the decoder returned is no reading"),
        GOOD,
    ]


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[None]:
    """A package as pip would leave it, with a decoder and one that cannot be loaded."""
    (tmp_path / "acme_decoder.py").write_text(
        "from gateway.decoders.reading import DeviceReading, OtherTopic\n"
        "def decode(topic, payload, received_at_ms):\n"
        "    if not topic.startswith('acme/'):\n"
        "        raise OtherTopic\n"
        "    count = round(float(payload) * 100)\n"
        "    return [DeviceReading(topic, False, 'temperature', count, received_at_ms, False)]\n"
    )
    info = tmp_path / "acme_decoder-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-decoder\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[coldtrail.decoders]\nacme = acme_decoder:decode\nbroken = acme_decoder:nothing\n"
    )
    sys.path.insert(0, str(tmp_path))
    yield
    sys.path.remove(str(tmp_path))
    sys.modules.pop("acme_decoder", None)


@pytest.mark.usefixtures("installed")
def test_an_installed_package_is_found_and_a_broken_one_is_left_out() -> None:
    decoders = foreign.load()

    assert len(decoders) == 1
    assert decode(TOPIC, b"4.2", NOW, foreign=decoders) == [GOOD]
    with pytest.raises(NotMine, match="acme failed: ValueError"):
        decode(TOPIC, b"warm", NOW, foreign=decoders)
