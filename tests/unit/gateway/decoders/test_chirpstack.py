"""ChirpStack v4, as chirpstack.io documents its events, with objects as makers' codecs give."""

import json

import pytest

from gateway.decoders import NotMine, decode
from tests.unit.gateway.decoders import NOW, said, unusable

EUI = "24e124136d351234"
TOPIC = f"application/5f2fb5d7-5ff5-4cbb-a3d4-5fd9b5e2c9a1/device/{EUI}/event/up"
AT = 1_779_955_200_775


def up(decoded: object, **more: object) -> str:
    event = {
        "deduplicationId": "3ac7e3c4-4401-4b8d-9386-a5c902f9202d",
        "time": "2026-05-28T08:00:00.775023242+00:00",
        "deviceInfo": {
            "tenantId": "52f14cd4-c6f1-4fbd-8f87-4025e1d49242",
            "applicationName": "cold stores",
            "deviceName": "em300-1",
            "devEui": EUI,
            "tags": {},
        },
        "devAddr": "00189440", "adr": True, "dr": 1, "fCnt": 4, "fPort": 85, "confirmed": False,
        "data": "A2cBAARoVQ==",
        "object": decoded,
        "rxInfo": [
            {"gatewayId": "0016c001f153a14c", "uplinkId": 4217106255, "rssi": -93, "snr": 7.5},
            {"gatewayId": "0016c001f153a14d", "uplinkId": 4217106256, "rssi": -71, "snr": 9},
        ],
        "txInfo": {"frequency": 868500000},
    }  # fmt: skip
    return json.dumps(event | more)


def test_an_uplink_gives_its_readings_at_the_time_the_radio_heard_it() -> None:
    assert said(TOPIC, up({"battery": 92, "temperature": 25.6, "humidity": 42.5})) == [
        (f"deveui:{EUI}", "battery", "92.0", AT),
        (f"deveui:{EUI}", "temperature", "25.60", AT),
        (f"deveui:{EUI}", "humidity", "42.50", AT),
        (f"deveui:{EUI}", "signal", "-71", AT),
    ]


def test_the_memory_of_a_device_is_of_then_and_not_of_now() -> None:
    history = [
        {"timestamp": 1779951600, "temperature": 3.1, "humidity": 80},
        {"timestamp": 1779952200, "temperature": 3.4},
    ]

    found = said(TOPIC, up({"temperature": 3.9, "history": history}))

    assert [(quantity, value, at) for _, quantity, value, at in found] == [
        ("temperature", "3.90", AT),
        ("temperature", "3.10", 1_779_951_600_000),
        ("humidity", "80.00", 1_779_951_600_000),
        ("temperature", "3.40", 1_779_952_200_000),
        ("signal", "-71", AT),
    ]


def test_a_frame_of_memory_without_a_time_is_unusable_and_not_now() -> None:
    message = up({"temperature": 3.9, "history": [{"temperature": 9.9}]})

    assert [r[2] for r in said(TOPIC, message)] == ["3.90", "-71"]
    assert unusable(TOPIC, message) == ["history 0: no time"]


def test_memory_within_memory_is_not_followed() -> None:
    deep: list[object] = [{"timestamp": 1779951600, "history": [{"timestamp": 1, "battery": 1}]}]

    assert [r[1] for r in said(TOPIC, up({"history": deep}))] == ["signal"]


@pytest.mark.parametrize(
    ("decoded", "expected"),
    [
        ({"TempC_SHT": 3.5, "Hum_SHT": 80.1, "BatV": 3.05, "TempC_DS": -18.2}, [
            ("", "temperature", "3.50"), ("", "humidity", "80.10"), ("", "voltage", "3.050"),
            ("/DS", "temperature", "-18.20"),
        ]),
        ({"temperature_chn1": 4, "temperature_chn2": -18}, [
            ("/chn1", "temperature", "4.00"), ("/chn2", "temperature", "-18.00"),
        ]),
        ({"temperatureSensor": {"3": 27.2}, "humiditySensor": {"5": 25.5}}, [
            ("/3", "temperature", "27.20"), ("/5", "humidity", "25.50"),
        ]),
        ({"magnet_status": "open", "tamper_status": "installed"}, [("", "door", "1")]),
    ],
    ids=["dragino", "milesight-two-probes", "cayenne-lpp", "milesight-door"],
)  # fmt: skip
def test_field_names_of_makers_codecs(
    decoded: object, expected: list[tuple[str, str, str]]
) -> None:
    found = [r[:3] for r in said(TOPIC, up(decoded, rxInfo=[]))]

    assert found == [(f"deveui:{EUI}{part}", *rest) for part, *rest in expected]


def test_a_status_event_gives_the_battery() -> None:
    topic = TOPIC.replace("/up", "/status")

    event = up(None, margin=10, externalPowerSource=False, batteryLevel=75.59)
    assert [r[1:3] for r in said(topic, event)] == [("battery", "75.6")]
    assert said(topic, up(None, batteryLevelUnavailable=True, batteryLevel=0)) == []


def test_other_events_measure_nothing() -> None:
    assert decode(TOPIC.replace("/up", "/join"), b"\x0a\x24", NOW) == []


def test_an_event_of_another_device_than_its_topics_is_nobodys() -> None:
    with pytest.raises(NotMine, match="devEui"):
        decode(TOPIC.replace(EUI, "0" * 16), up({"temperature": 1}).encode(), NOW)


def test_an_event_in_protobuf_says_that_it_is_no_json() -> None:
    with pytest.raises(NotMine, match="not"):
        decode(TOPIC, b"\x0a\x243ac7e3c4\x12\x0c\x08\x80\xff\x01", NOW)
