"""Tasmota, as tasmota.github.io documents the SENSOR message of each driver."""

import pytest

from gateway.decoders import decode
from tests.unit.gateway.decoders import NOW, said, unusable

AT = 1_779_955_200_000  # 2026-05-28T08:00:00Z


def test_each_sensor_of_a_device_is_a_probe() -> None:
    message = (
        '{"Time":"2026-05-28T08:00:00+00:00",'
        '"AM2301":{"Temperature":4.6,"Humidity":88.2,"DewPoint":2.8},'
        '"DS18B20-1":{"Id":"01131B123456","Temperature":-18.1},'
        '"DS18B20-2":{"Id":"01131B654321","Temperature":-17.9},"TempUnit":"C"}'
    )

    assert said("tele/store7/SENSOR", message) == [
        ("local:tasmota/store7/AM2301", "temperature", "4.60", AT),
        ("local:tasmota/store7/AM2301", "humidity", "88.20", AT),
        ("ow:01131B123456", "temperature", "-18.10", AT),
        ("ow:01131B654321", "temperature", "-17.90", AT),
    ]


@pytest.mark.parametrize(
    ("time", "at"),
    [
        pytest.param("2026-05-28T16:00:00+08:00", AT, id="SetOption52-names-the-offset"),
        pytest.param("2026-05-28T08:00:00", AT, id="without-an-offset-it-is-taken-as-UTC"),
        pytest.param("1970-01-01T00:00:14", None, id="never-set"),
        pytest.param("yesterday", None, id="no-time"),
    ],
)
def test_the_devices_time(time: str, at: int | None) -> None:
    message = f'{{"Time":"{time}","SHT3X-0x44":{{"Temperature":4}}}}'

    assert [r[3] for r in said("tele/a/SENSOR", message)] == [at]


def test_fahrenheit_is_converted_and_never_taken_for_celsius() -> None:
    message = (
        '{"Time":"2026-05-28T08:00:00Z","BME280":{"Temperature":39.2,"Humidity":50},"TempUnit":"F"}'
    )

    assert [r[2] for r in said("tele/a/SENSOR", message)] == ["4.00", "50.00"]


def test_a_bluetooth_sensor_has_its_own_address_and_its_signal() -> None:
    message = (
        '{"Time":"2026-05-28T08:00:00Z","ATCa4c138aabbcc":{"mac":"a4c138aabbcc",'
        '"Temperature":4.3,"Humidity":81.2,"Battery":87,"RSSI":-72},"TempUnit":"C"}'
    )

    assert [r[:3] for r in said("tele/blerry/SENSOR", message)] == [
        ("mac:a4c138aabbcc", "temperature", "4.30"),
        ("mac:a4c138aabbcc", "humidity", "81.20"),
        ("mac:a4c138aabbcc", "battery", "87.0"),
        ("mac:a4c138aabbcc", "signal", "-72"),
    ]


def test_a_plug_gives_power_and_a_chip_keeps_its_own_warmth_to_itself() -> None:
    message = (
        '{"Time":"2026-05-28T08:00:00Z","ENERGY":{"Total":3.185,"Power":162,"Voltage":230},'
        '"ESP32":{"Temperature":53.3}}'
    )

    assert [r[:3] for r in said("tele/plug/SENSOR", message)] == [
        ("local:tasmota/plug/ENERGY", "power", "162")
    ]


def test_a_sensor_that_did_not_answer_costs_its_neighbour_nothing() -> None:
    message = '{"Time":"2026-05-28T08:00:00Z","DS18B20":{"Id":"01131B123456","Temperature":null},"AHT2X":{"Temperature":4}}'

    assert [r[2] for r in said("tele/a/SENSOR", message)] == ["4.00"]
    assert unusable("tele/a/SENSOR", message) == ["DS18B20: temperature is not a number"]


def test_the_answer_to_a_command_is_read_as_well() -> None:
    message = '{"StatusSNS":{"Time":"2026-05-28T08:00:00Z","AM2301":{"Temperature":4.6}}}'

    assert said("stat/a/STATUS10", message) == [
        ("local:tasmota/a/AM2301", "temperature", "4.60", AT)
    ]


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("tele/a/STATE", b'{"Time":"2026-05-28T08:00:00","Wifi":{"RSSI":80}}'),
        ("tele/a/LWT", b"Online"),
        ("stat/a/RESULT", b'{"POWER":"ON"}'),
        ("tasmota/discovery/A4C138AABBCC/config", b"{}"),
    ],
)
def test_what_measures_nothing_is_understood_and_makes_no_reading(
    topic: str, payload: bytes
) -> None:
    assert decode(topic, payload, NOW) == []
