"""ESPHome, as esphome.io documents the default topics of its MQTT client."""

import re
from pathlib import Path

import pytest

from gateway.decoders import NotMine, decode
from tests.unit.gateway.decoders import NOW, said, unusable


@pytest.mark.parametrize(
    ("topic", "payload", "expected"),
    [
        ("store7/sensor/temperature/state", "3.9", ("local:store7", "temperature", "3.90")),
        (
            "store7/sensor/evaporator_temperature/state", "-24.31",
            ("local:store7/evaporator", "temperature", "-24.31"),
        ),
        (
            "store7/sensor/left_product_temperature/state", "4",
            ("local:store7/left", "product_temperature", "4.00"),
        ),
        ("coop/store7/sensor/battery_level/state", "87", ("local:coop/store7", "battery", "87.0")),
        ("store7/sensor/wifi_signal/state", "-61", ("local:store7", "signal", "-61")),
        ("store7/binary_sensor/door/state", "ON", ("local:store7", "door", "1")),
        ("store7/binary_sensor/front_door/state", "OFF", ("local:store7/front", "door", "0")),
    ],
)  # fmt: skip
def test_a_state_is_the_quantity_that_its_name_ends_in(
    topic: str, payload: str, expected: tuple[str, str, str]
) -> None:
    assert said(topic, payload) == [(*expected, None)]


@pytest.mark.parametrize("payload", ["nan", "unavailable", "", "1e999999999", "٣", "ON"])
def test_a_state_that_is_no_number_is_unusable(payload: str) -> None:
    raw = payload.encode()
    if raw.isascii():
        assert unusable("store7/sensor/temperature/state", raw) == ["temperature is not a number"]
    else:
        with pytest.raises(NotMine):
            decode("store7/sensor/temperature/state", raw, NOW)


def test_a_name_that_is_no_quantity_says_what_it_lacks() -> None:
    with pytest.raises(NotMine, match="'uptime' does not end in a quantity"):
        decode("store7/sensor/uptime/state", b"12", NOW)


def test_the_last_will_and_discovery_measure_nothing() -> None:
    assert decode("store7/status", b"online", NOW) == []
    assert decode("homeassistant/sensor/store7/temperature/config", b"{}", NOW) == []


def test_every_sensor_of_the_example_in_deploy_is_understood() -> None:
    example = Path(__file__).parents[4] / "deploy" / "esphome" / "store-room.yaml"
    names = re.findall(r'name: "(.+)"', example.read_text())

    found = {}
    for name in names:
        kind, state = ("binary_sensor", "ON") if name == "Door" else ("sensor", "4")
        [(probe, quantity, _, _)] = said(
            f"store7/{kind}/{name.lower().replace(' ', '_')}/state", state
        )
        found[name] = (probe, quantity)
    assert found == {
        "Temperature": ("local:store7", "temperature"),
        "Humidity": ("local:store7", "humidity"),
        "Evaporator temperature": ("local:store7/evaporator", "temperature"),
        "Door": ("local:store7", "door"),
    }
