"""What devices say, and what a gateway makes of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.decoders import DeviceReading, NotMine, Unusable, decode

NOW = 1_780_000_000_000
TOPIC = "devices/kitchen/readings"


def test_senml_names_give_probe_and_quantity() -> None:
    decoded = decode(
        TOPIC,
        b'[{"n":"temperature","u":"Cel","v":4.2},{"n":"evaporator/temperature","v":-18},'
        b'{"n":"urn:dev:mac:0024befffe804ff1:humidity","u":"%RH","v":85.5},'
        b'{"n":"urn:dev:mac:C4:7C:8D:6A:01:02:battery","u":"%EL","v":77},'
        b'{"n":"urn:dev:ow:10e2073a01080063:temperature","v":1}]',
        NOW,
    )

    assert [(d.probe, d.own_id, d.quantity, d.count) for d in decoded if isinstance(d, DeviceReading)] == [
        ("kitchen", False, "temperature", 420),
        ("kitchen/evaporator", False, "temperature", -1800),
        ("mac:0024befffe804ff1", True, "humidity", 8550),
        ("mac:C4:7C:8D:6A:01:02", True, "battery", 770),
        ("kitchen/urn:dev:ow:10e2073a01080063", False, "temperature", 100),
    ]  # fmt: skip


def test_a_device_with_a_clock_is_believed_and_one_without_gets_the_arrival() -> None:
    own, none, ago = decode(
        TOPIC,
        b'[{"n":"temperature","v":1,"t":1780000000.25},{"n":"door","vb":true},'
        b'{"n":"humidity","v":1,"t":-60}]',
        NOW + 7,
    )

    assert isinstance(own, DeviceReading)
    assert isinstance(none, DeviceReading)
    assert isinstance(ago, DeviceReading)
    assert (own.at_ms, own.timed) == (NOW + 250, True)
    assert (none.at_ms, none.timed) == (NOW + 7, False)
    assert (ago.at_ms, ago.timed) == (NOW + 7 - 60_000, False)


@pytest.mark.parametrize(
    ("record", "count"),
    [
        pytest.param('{"n":"temperature","u":"K","v":273.15}', 0, id="kelvin"),
        pytest.param('{"n":"voltage","u":"mV","v":3300}', 3300, id="millivolt"),
        pytest.param('{"n":"humidity","u":"%","v":50}', 5000, id="percent"),
        pytest.param('{"n":"lon","u":"lon","v":-179.9999999}', -1_799_999_999, id="longitude"),
        pytest.param('{"n":"temperature","v":4.005}', 400, id="half-to-even"),
    ],
)
def test_values_become_counts_of_the_quantitys_resolution(record: str, count: int) -> None:
    [reading] = decode(TOPIC, f"[{record}]".encode(), NOW)

    assert isinstance(reading, DeviceReading)
    assert reading.count == count


@pytest.mark.parametrize(
    "record",
    [
        '{"n":"temperature","v":NaN}', '{"n":"temperature","v":"4.2"}', '{"n":"mood","v":1}',
        '{"n":"temperature","u":"ppm","v":1}', '{"n":"temperature","v":99999999}',
        '{"n":"temperature/","v":1}',
    ],
)  # fmt: skip
def test_an_unusable_record_is_named_beside_its_good_neighbour(record: str) -> None:
    decoded = decode(TOPIC, f'[{record},{{"n":"humidity","v":80}}]'.encode(), NOW)

    assert [type(d) for d in decoded].count(DeviceReading) == 1
    assert [type(d) for d in decoded].count(Unusable) == 1


def test_plain_json_is_measured_when_it_arrives() -> None:
    decoded = decode(TOPIC, b'{"temperature": 4.2, "door": true, "humidity": "wet"}', NOW)

    assert decoded == [
        DeviceReading("kitchen", False, "temperature", 420, NOW, False),
        DeviceReading("kitchen", False, "door", 1, NOW, False),
        Unusable("'humidity' is not a number"),
    ]


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        (TOPIC, b""), (TOPIC, b"\xff\xfe"), (TOPIC, b"hello"), (TOPIC, b"{}"), (TOPIC, b"[]"),
        (TOPIC, b"[" * 200_000), (TOPIC, b'{"a":' * 100_000), (TOPIC, bytes((1 << 20) + 1)),
        ("devices/readings", b'{"temperature":1}'), ("devices/x/other", b'{"temperature":1}'),
        ("devices/" + "x" * 200 + "/readings", b'{"temperature":1}'),
    ],
    ids=str,
)  # fmt: skip
def test_what_no_decoder_understands_is_said_to_be_nobodys(topic: str, payload: bytes) -> None:
    with pytest.raises(NotMine):
        decode(topic, payload, NOW)


@given(st.text(max_size=40), st.binary(max_size=200))
def test_whatever_arrives_is_decoded_or_nobodys(topic: str, payload: bytes) -> None:
    for name in (topic, TOPIC):
        try:
            decode(name, payload, NOW)
        except NotMine as error:
            assert error.reason  # noqa: PT017  # either outcome is right
