"""Shelly Gen2 and later, as shelly-api-docs.shelly.cloud documents notifications and status."""

import json

import pytest

from gateway.decoders import NotMine, decode
from tests.unit.gateway.decoders import NOW, said

SOURCE = "shellyhtg3-84fce63ad204"
PROBE = "mac:84fce63ad204"


def notification(params: object, method: str = "NotifyStatus") -> str:
    frame = {"src": SOURCE, "dst": f"{SOURCE}/events", "method": method, "params": params}
    return json.dumps(frame)


def test_a_full_status_gives_every_reading_at_its_own_time() -> None:
    params = {
        "ts": 1779955200.62,
        "ble": {},
        "devicepower:0": {
            "id": 0,
            "battery": {"V": 5.9, "percent": 98},
            "external": {"present": False},
        },
        "humidity:0": {"id": 0, "rh": 62.2},
        "sys": {"mac": "84FCE63AD204", "unixtime": None, "wakeup_period": 600},
        "temperature:0": {"id": 0, "tC": 3.8, "tF": 38.8},
        "wifi": {"sta_ip": "192.168.3.183", "rssi": -56},
    }

    assert said(f"{SOURCE}/events/rpc", notification(params, "NotifyFullStatus")) == [
        (PROBE, "battery", "98.0", 1_779_955_200_620),
        (PROBE, "voltage", "5.900", 1_779_955_200_620),
        (PROBE, "humidity", "62.20", 1_779_955_200_620),
        (PROBE, "temperature", "3.80", 1_779_955_200_620),
    ]


def test_the_devices_id_counts_and_not_the_prefix_that_somebody_chose() -> None:
    message = notification({"ts": 1779955200, "temperature:0": {"id": 0, "tC": 4, "tF": 39.2}})

    assert said("cold/store-7/events/rpc", message)[0][0] == PROBE


def test_probes_of_the_add_on_are_parts_of_the_device() -> None:
    message = notification({"ts": 1779955200, "temperature:101": {"id": 101, "tC": -18.3}})

    assert said(f"{SOURCE}/events/rpc", message) == [
        (f"{PROBE}/101", "temperature", "-18.30", 1_779_955_200_000)
    ]


def test_a_status_message_has_no_time_and_takes_the_arrival() -> None:
    assert said(f"{SOURCE}/status/temperature:0", '{"id": 0,"tC":22.1, "tF":71.8}') == [
        (PROBE, "temperature", "22.10", None)
    ]
    assert said("store7/status/humidity:0", '{"id": 0,"rh":55}') == [
        ("local:store7", "humidity", "55.00", None)
    ]


def test_a_sensor_that_did_not_answer_makes_no_reading() -> None:
    assert said(f"{SOURCE}/status/temperature:0", '{"id":0,"tC":null,"errors":["read"]}') == []


@pytest.mark.parametrize("ts", ["null", "4.07"])
def test_a_device_that_was_never_told_the_time_takes_the_arrival(ts: str) -> None:
    message = f'{{"src":"{SOURCE}","method":"NotifyStatus","params":{{"ts":{ts},"humidity:0":{{"rh":9}}}}}}'

    assert said(f"{SOURCE}/events/rpc", message) == [(PROBE, "humidity", "9.00", None)]


def test_a_bluetooth_sensor_that_a_script_hands_on_has_its_own_address() -> None:
    data = {
        "encryption": False, "BTHome_version": 2, "pid": 12, "battery": 100, "humidity": 61,
        "temperature": 4.6, "window": 1, "rssi": -55, "address": "60:ef:ab:42:ed:25",
    }  # fmt: skip
    event = {
        "component": "script:1",
        "id": 1,
        "event": "shelly-blu",
        "data": data,
        "ts": 1779955201.5,
    }
    at = 1_779_955_201_500
    blu = "mac:60:ef:ab:42:ed:25"

    found = said(
        f"{SOURCE}/events/rpc",
        notification({"ts": 1779955202.1, "events": [event]}, "NotifyEvent"),
    )

    assert sorted(found) == [
        (blu, "battery", "100.0", at),
        (blu, "door", "1", at),
        (blu, "humidity", "61.00", at),
        (blu, "signal", "-55", at),
        (blu, "temperature", "4.60", at),
    ]
    assert [r[:3] for r in said("shelly-blu/events/60:ef:ab:42:ed:25", json.dumps(data))] == [
        r[:3] for r in found
    ]


def test_what_measures_nothing_is_understood_and_makes_no_reading() -> None:
    assert decode(f"{SOURCE}/online", b"true", NOW) == []
    assert decode(f"{SOURCE}/status/switch:0", b'{"id":0,"temperature":{"tC":53.3}}', NOW) == []


def test_an_rpc_topic_with_another_makers_content_is_nobodys() -> None:
    with pytest.raises(NotMine, match="Shelly"):
        decode("x/events/rpc", b'{"hello": 1}', NOW)
