"""Shelly from Gen2 on: ``…/events/rpc`` with its time, and ``…/status/{component}`` without.

A notification carries the device's id, which ends in its MAC, and ``ts``. Component 0 of a
kind is the device itself; others (probes of the add-on count from 100) are parts of it.
Bluetooth sensors come as events of the script ``ble-shelly-blu.js``, under their own MAC:
their ``window`` and ``door`` are 1 when open.
"""

import re

from gateway.decoders import moment
from gateway.decoders.reading import (
    Decoded,
    NotMine,
    OtherTopic,
    object_of,
    reading,
    within,
)

_SOURCE = re.compile(r"shelly[a-z0-9]*-([0-9a-f]{12})")
_COMPONENT = re.compile(r"(temperature|humidity|devicepower|voltmeter):(\d{1,3})")
_STATUS = re.compile(r"(.+)/status/([a-z0-9_]+(?::\d{1,3})?)")
_BLU_EVENT = "shelly-blu"
_BLU_TOPIC = "shelly-blu/events/"
_BLU_MAC = re.compile(r"[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5}")
_BLU_FIELDS = {
    "temperature": "temperature",
    "humidity": "humidity",
    "battery": "battery",
    "rssi": "signal",
    "window": "door",
    "door": "door",
}


def decode(topic: str, payload: bytes, received_at_ms: int) -> Decoded:
    if topic.startswith(_BLU_TOPIC):
        return _blu(object_of(payload), (received_at_ms, False))
    if topic.endswith("/events/rpc"):
        return _notification(object_of(payload), received_at_ms)
    if (match := _STATUS.fullmatch(topic)) is not None:
        source = _SOURCE.fullmatch(match[1])
        if source is None and _COMPONENT.fullmatch(match[2]) is None:
            raise OtherTopic
        probe = (f"mac:{source[1]}", True) if source else (_name(match[1]), False)
        return _component(match[2], object_of(payload), *probe, (received_at_ms, False))
    if _SOURCE.fullmatch(topic.partition("/")[0]) is not None:
        return []  # online, announcements, debug: nothing was measured
    raise OtherTopic


def _notification(message: dict[str, object], received_at_ms: int) -> Decoded:
    source = message.get("src")
    if not isinstance(source, str) or not isinstance(message.get("method"), str):
        raise NotMine("not a notification of a Shelly: no src or method")
    match = _SOURCE.fullmatch(source)
    probe, own_id = (f"mac:{match[1]}", True) if match else (_name(source), False)
    params = within(message, "params")
    at = moment.at(params.get("ts"), received_at_ms)
    decoded: Decoded = []
    for name, status in params.items():
        if isinstance(status, dict):
            decoded += _component(name, status, probe, own_id, at)
    events = params.get("events")
    for event in events if isinstance(events, list) else []:
        if isinstance(event, dict) and event.get("event") == _BLU_EVENT:
            decoded += _blu(within(event, "data"), moment.at(event.get("ts"), received_at_ms))
    return decoded


def _component(
    name: str, status: dict[str, object], probe: str, own_id: bool, at: tuple[int, bool]
) -> Decoded:
    match = _COMPONENT.fullmatch(name)
    if match is None:
        return []
    part = probe if match[2] == "0" else f"{probe}/{match[2]}"
    decoded: Decoded = []
    match match[1]:
        case "temperature":
            values = [("temperature", status.get("tC"))]
        case "humidity":
            values = [("humidity", status.get("rh"))]
        case "voltmeter":
            values = [("voltage", status.get("voltage"))]
        case _:
            battery = within(status, "battery")
            values = [("battery", battery.get("percent")), ("voltage", battery.get("V"))]
    for quantity, value in values:
        if value is not None:  # null: the sensor did not answer
            decoded.append(reading(part, own_id, quantity, value, at))
    return decoded


def _blu(data: dict[str, object], at: tuple[int, bool]) -> Decoded:
    address = data.get("address")
    if not isinstance(address, str) or _BLU_MAC.fullmatch(address) is None:
        raise NotMine("a Bluetooth sensor without an address")
    return [
        reading(f"mac:{address}", True, quantity, data[field], at)
        for field, quantity in _BLU_FIELDS.items()
        if field in data
    ]


def _name(text: str) -> str:
    if not 0 < len(text) <= 96:
        raise NotMine("a device's name is missing or too long")
    return text
