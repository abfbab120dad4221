"""Tasmota: ``tele/{topic}/SENSOR``, one member a sensor, and the same in ``stat/…/STATUS10``.

``Time`` is the device's local time; after ``SetOption52 1`` it names its offset. Without an
offset it is read as UTC, and what is then hours ahead is reported as local time, because a
wrong guess here would move readings silently. A clock that was never set says 1970: the
arrival stands instead. One-wire probes and Bluetooth sensors have ids of their own.
"""

import re
from collections.abc import Iterator

from gateway.decoders import moment
from gateway.decoders.reading import (
    Decoded,
    OtherTopic,
    Unusable,
    celsius,
    number_of,
    object_of,
    reading,
    within,
)

_TOPIC = re.compile(r"(tele|stat)/(.{1,96})/([A-Z][A-Z0-9]*)")
_FIELDS = {
    "Temperature": "temperature",
    "Humidity": "humidity",
    "CarbonDioxide": "co2",
    "Battery": "battery",
    "RSSI": "signal",
    "Power": "power",
}
_ITSELF = ("ESP32", "ESP")  # the chip's own temperature
_ONE_WIRE = re.compile(r"[0-9A-F]{12}")
_MAC = re.compile(r"[0-9a-fA-F]{12}")


def decode(topic: str, payload: bytes, received_at_ms: int) -> Decoded:
    match = _TOPIC.fullmatch(topic)
    if match is None:
        raise OtherTopic
    kind, name, what = match.groups()
    if what == "SENSOR" and kind == "tele":
        message = object_of(payload)
    elif what in ("STATUS8", "STATUS10"):
        message = within(object_of(payload), "StatusSNS")
    else:
        return []  # state, last will, results of commands: nothing was measured
    at = moment.at(message.get("Time"), received_at_ms)
    fahrenheit = message.get("TempUnit") == "F"
    decoded: Decoded = []
    for sensor, fields in message.items():
        if not isinstance(fields, dict) or sensor in _ITSELF:
            continue
        probe, own_id = _probe(name, sensor[:64], fields)
        for quantity, value in _values(fields):
            number = number_of(value)
            if number is None:
                decoded.append(Unusable(f"{sensor[:64]}: {quantity} is not a number"))
                continue
            if quantity == "temperature" and fahrenheit:
                number = celsius(number)
            decoded.append(reading(probe, own_id, quantity, number, at))
    return decoded


def _values(fields: dict[str, object]) -> Iterator[tuple[str, object]]:
    for field, quantity in _FIELDS.items():
        if field in fields:
            value = fields[field]
            if isinstance(value, list) and quantity == "power":
                continue  # phases of a meter
            yield quantity, value


def _probe(name: str, sensor: str, fields: dict[str, object]) -> tuple[str, bool]:
    id, mac = fields.get("Id"), fields.get("mac")
    if sensor.startswith("DS18") and isinstance(id, str) and _ONE_WIRE.fullmatch(id):
        return f"ow:{id}", True
    if isinstance(mac, str) and _MAC.fullmatch(mac):
        return f"mac:{mac}", True
    return f"tasmota/{name}/{sensor}", False
