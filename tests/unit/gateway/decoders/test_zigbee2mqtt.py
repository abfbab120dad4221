"""Zigbee2MQTT, as zigbee2mqtt.io documents its topics and its ``last_seen`` setting."""

import pytest

from gateway.decoders import NotMine, decode
from tests.unit.gateway.decoders import NOW, said, unusable

AT = 1_779_955_200_000


def test_a_device_without_a_name_of_its_own_is_known_by_its_address() -> None:
    assert said(
        "zigbee2mqtt/0x00158d0001a2b3c4",
        '{"battery":91,"humidity":60.14,"linkquality":149,"pressure":1009,'
        '"temperature":21.95,"voltage":2985}',
    ) == [
        ("ieee:00158d0001a2b3c4", "battery", "91.0", None),
        ("ieee:00158d0001a2b3c4", "humidity", "60.14", None),
        ("ieee:00158d0001a2b3c4", "temperature", "21.95", None),
        ("ieee:00158d0001a2b3c4", "voltage", "2.985", None),
    ]


def test_a_renamed_device_keeps_its_address_when_the_message_says_it() -> None:
    device = '"device":{"friendlyName":"cold/left","ieeeAddr":"0x00158d0001A2B3C4"}'

    assert said("zigbee2mqtt/cold/left", f'{{"temperature":-18.2,{device}}}') == [
        ("ieee:00158d0001A2B3C4", "temperature", "-18.20", None)
    ]
    assert said("zigbee2mqtt/cold/left", '{"temperature":-18.2}') == [
        ("local:zigbee2mqtt/cold/left", "temperature", "-18.20", None)
    ]


@pytest.mark.parametrize(
    "last_seen",
    ['"2026-05-28T08:00:00.000Z"', '"2026-05-28T16:00:00+08:00"', "1779955200000"],
    ids=["ISO_8601", "ISO_8601_local", "epoch"],
)
def test_each_form_of_last_seen_is_the_time_of_the_reading(last_seen: str) -> None:
    assert said("zigbee2mqtt/x", f'{{"temperature":4,"last_seen":{last_seen}}}') == [
        ("local:zigbee2mqtt/x", "temperature", "4.00", AT)
    ]


def test_contact_is_the_door_the_other_way_round() -> None:
    open_, closed = (
        said("zigbee2mqtt/d", f'{{"contact":{contact}}}') for contact in ("false", "true")
    )

    assert open_ == [("local:zigbee2mqtt/d", "door", "1", None)]
    assert closed == [("local:zigbee2mqtt/d", "door", "0", None)]
    assert unusable("zigbee2mqtt/d", '{"contact":"ajar"}')


def test_the_mains_voltage_of_a_plug_is_no_batterys() -> None:
    assert said("zigbee2mqtt/plug", '{"power":12.4,"voltage":230,"state":"ON"}') == [
        ("local:zigbee2mqtt/plug", "power", "12", None)
    ]


def test_two_probes_of_one_device_are_two_probes() -> None:
    assert said("zigbee2mqtt/x", '{"temperature_1":4.1,"temperature_l2":-18}') == [
        ("local:zigbee2mqtt/x/1", "temperature", "4.10", None),
        ("local:zigbee2mqtt/x/l2", "temperature", "-18.00", None),
    ]


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("zigbee2mqtt/bridge/state", '{"state":"online"}'),
        ("zigbee2mqtt/bridge/logging", '{"level":"info","message":"x"}'),
        ("zigbee2mqtt/store/availability", '{"state":"online"}'),
        ("zigbee2mqtt/store/set", '{"state":"ON"}'),
        ("zigbee2mqtt/store", '{"temperature":null}'),
    ],
)
def test_what_measures_nothing_is_understood_and_makes_no_reading(topic: str, payload: str) -> None:
    assert decode(topic, payload.encode(), NOW) == []


def test_a_state_that_is_no_object_is_nobodys() -> None:
    with pytest.raises(NotMine, match="not a JSON object"):
        decode("zigbee2mqtt/store/temperature", b"21.5", NOW)
