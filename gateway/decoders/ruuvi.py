"""Ruuvi Gateway: ``ruuvi/{gateway's MAC}/{tag's MAC}``, the advertisement as it was heard.

``data`` is the whole advertisement in hex; a RuuviTag's part of it has data format 5 (RAWv2):
big-endian integers, each with a value that means "not available". A gateway that is set to
decode by itself names the fields instead. ``ts`` is when the gateway heard it.
"""

import re
from decimal import Decimal

from gateway.decoders import moment
from gateway.decoders.reading import (
    Decoded,
    NotMine,
    OtherTopic,
    Unusable,
    number_of,
    object_of,
    reading,
)

_TOPIC = re.compile(r"ruuvi/[^/]{1,64}/([^/]{1,64})")
_MAC = re.compile(r"[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5}")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2}){1,255}")
_MAKER = bytes.fromhex("9904")  # Ruuvi Innovations, as the advertisement writes it
_MANUFACTURER_DATA = 0xFF
_RAW_V2 = 5
_LENGTH = 24
_DECODED = ("temperature", "humidity", "voltage")


def decode(topic: str, payload: bytes, received_at_ms: int) -> Decoded:
    match = _TOPIC.fullmatch(topic)
    if match is None:
        raise OtherTopic
    if match[1] == "gw_status":
        return []
    if _MAC.fullmatch(match[1]) is None:
        raise NotMine("the topic does not end in a tag's MAC")
    message = object_of(payload)
    probe = f"mac:{match[1]}"
    at = moment.at(message.get("ts"), received_at_ms)
    data = message.get("data")
    decoded: Decoded
    if isinstance(data, str):
        decoded = _advertisement(probe, data, at)
    elif message.get("dataFormat") == _RAW_V2:
        decoded = [
            reading(probe, True, field, message[field], at)
            for field in _DECODED
            if message.get(field) is not None
        ]
    else:
        raise NotMine("neither data nor dataFormat 5")
    if decoded and number_of(message.get("rssi")) is not None:
        decoded.append(reading(probe, True, "signal", message["rssi"], at))
    return decoded


def _advertisement(probe: str, text: str, at: tuple[int, bool]) -> Decoded:
    if _HEX.fullmatch(text) is None:
        return [Unusable("data is not hexadecimal")]
    raw = _of_maker(bytes.fromhex(text))
    if raw is None:
        return []  # heard, but no RuuviTag
    if not raw or raw[0] != _RAW_V2:
        return [Unusable(f"data format {raw[0] if raw else 'none'} is not 5")]
    if len(raw) < _LENGTH:
        return [Unusable("data is cut short")]
    values = {
        "temperature": _temperature(raw),
        "humidity": _humidity(raw),
        "voltage": _voltage(raw),
    }
    return [
        reading(probe, True, quantity, value, at)
        for quantity, value in values.items()
        if value is not None
    ]


def _of_maker(advertisement: bytes) -> bytes | None:
    """What stands after the maker's number, in structures of length, type, data."""
    i = 0
    while i < len(advertisement):
        length = advertisement[i]
        body = advertisement[i + 1 : i + 1 + length]
        if body[:1] == bytes([_MANUFACTURER_DATA]) and body[1:3] == _MAKER:
            return body[3:]
        i += 1 + length
    return None


def _temperature(raw: bytes) -> Decimal | None:
    steps = int.from_bytes(raw[1:3], "big", signed=True)
    return None if steps == -0x8000 else steps * Decimal("0.005")


def _humidity(raw: bytes) -> Decimal | None:
    steps = int.from_bytes(raw[3:5], "big")
    return None if steps == 0xFFFF else steps * Decimal("0.0025")


def _voltage(raw: bytes) -> Decimal | None:
    above_mv = int.from_bytes(raw[13:15], "big") >> 5  # 11 bits above 1.6 V; 5 bits of power
    return None if above_mv == 0x7FF else (1600 + above_mv) * Decimal("0.001")
