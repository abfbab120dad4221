"""ChirpStack v4: ``application/{id}/device/{DevEUI}/event/up``, JSON, decoded by its codec.

``time`` is when the radio heard it, and the reading's time. A codec that unpacks the device's
own memory gives lists of objects with a time each; their readings are of then. Field names
are those of the makers' codecs; Cayenne LPP numbers its channels, which become parts.
"""

import re
from collections.abc import Iterator

from gateway.decoders import moment
from gateway.decoders.reading import (
    Decoded,
    DeviceReading,
    NotMine,
    OtherTopic,
    Unusable,
    number_of,
    object_of,
    reading,
    within,
)

_TOPIC = re.compile(r"application/[^/]+/device/([0-9a-fA-F]{16})/event/([a-z]+)")
_TIMES = ("timestamp", "time", "ts", "Time")
_FIELDS = {
    "temperature": "temperature",
    "humidity": "humidity",
    "battery": "battery",
    "co2": "co2",
    "TempC_SHT": "temperature",
    "Hum_SHT": "humidity",
    "BatV": "voltage",
    "door": "door",
    "magnet_status": "door",
    "latitude": "lat",
    "longitude": "lon",
}
_PARTS = {"TempC_DS": ("temperature", "DS"), "TempC_DS18B20": ("temperature", "DS18B20")}
_CHANNEL = re.compile(r"(temperature|humidity)_((?:chn|ch)?\d{1,2})")
_CAYENNE = {"temperatureSensor": "temperature", "humiditySensor": "humidity"}
_WORDS = {"open": 1, "opened": 1, "close": 0, "closed": 0}
MAX_HISTORY = 5_000

Item = DeviceReading | Unusable


def decode(topic: str, payload: bytes, received_at_ms: int) -> Decoded:
    match = _TOPIC.fullmatch(topic)
    if match is None:
        raise OtherTopic
    if match[2] not in ("up", "status"):
        return []  # join, ack, log and the like: nothing was measured
    event = object_of(payload)
    said = within(event, "deviceInfo").get("devEui")
    if not isinstance(said, str) or said.lower() != match[1].lower():
        raise NotMine("not an event of ChirpStack v4: deviceInfo.devEui is not the topic's")
    probe = f"deveui:{said}"
    at = moment.at(event.get("time"), received_at_ms)
    if match[2] == "status":
        known = not event.get("batteryLevelUnavailable") and "batteryLevel" in event
        return [reading(probe, True, "battery", event["batteryLevel"], at)] if known else []
    decoded: Decoded = list(_readings(probe, within(event, "object"), at))
    if (rssi := _strongest(event.get("rxInfo"))) is not None:
        decoded.append(reading(probe, True, "signal", rssi, at))
    return decoded


def _readings(probe: str, fields: dict[str, object], at: tuple[int, bool]) -> Iterator[Item]:
    for field, value in fields.items():
        if field in _FIELDS:
            yield reading(probe, True, _FIELDS[field], _plain(value), at)
        elif field in _PARTS:
            quantity, part = _PARTS[field]
            yield reading(f"{probe}/{part}", True, quantity, value, at)
        elif (match := _CHANNEL.fullmatch(field)) is not None:
            yield reading(f"{probe}/{match[2]}", True, match[1], value, at)
        elif field in _CAYENNE and isinstance(value, dict):
            for channel, one in value.items():
                yield reading(f"{probe}/{channel[:16]}", True, _CAYENNE[field], one, at)
        elif isinstance(value, list):
            yield from _history(probe, field, value, at[0])


def _history(probe: str, field: str, frames: list[object], received_at_ms: int) -> Iterator[Item]:
    """Only frames that say when; of the others nobody knows which time they mean."""
    for i, frame in enumerate(frames[:MAX_HISTORY]):
        if not isinstance(frame, dict):
            continue
        said = next((frame[name] for name in _TIMES if name in frame), None)
        at = moment.at(said, received_at_ms)
        if at[1]:
            flat = {k: v for k, v in frame.items() if not isinstance(v, list)}
            yield from _readings(probe, flat, at)
        elif any(name in _FIELDS for name in frame):
            yield Unusable(f"{field[:32]} {i}: no time")
    if len(frames) > MAX_HISTORY:
        yield Unusable(f"{field[:32]}: more than {MAX_HISTORY} frames")


def _plain(value: object) -> object:
    """Codecs say open and closed, true and false, or 1 and 0."""
    if isinstance(value, bool):
        return int(value)
    return _WORDS.get(value, value) if isinstance(value, str) else value


def _strongest(gateways: object) -> object:
    heard = [
        number
        for one in (gateways if isinstance(gateways, list) else [])
        if isinstance(one, dict) and (number := number_of(one.get("rssi"))) is not None
    ]
    return max(heard, default=None)
