"""ESPHome: ``{prefix}/sensor/{object id}/state`` with the state alone, as text.

A state has no unit and no time, so the sensor's name must end in a quantity, in the unit that
ESPHome gives by itself (°C, %), and the arrival stands. What precedes the quantity names a
part of the device: ``store7/sensor/evaporator_temperature/state``.
"""

import re
from decimal import Decimal, InvalidOperation

from domain.quantity import QUANTITIES
from gateway.decoders.reading import Decoded, NotMine, OtherTopic, Unusable, reading

_TOPIC = re.compile(r"(.{1,96})/(sensor|binary_sensor)/([a-z0-9_-]{1,96})/state")
_ENDINGS = {
    **{name: name for name in QUANTITIES},
    "battery_level": "battery",
    "wifi_signal": "signal",
}
_LONGEST_FIRST = sorted(_ENDINGS, key=len, reverse=True)
_NUMBER = re.compile(r"-?\d{1,15}(?:\.\d{1,15})?(?:[eE][+-]?\d{1,2})?")
_SWITCH = {"ON": Decimal(1), "OFF": Decimal(0)}
_LAST_WILL = (b"online", b"offline")


def decode(topic: str, payload: bytes, received_at_ms: int) -> Decoded:
    match = _TOPIC.fullmatch(topic)
    if match is None:
        if topic.endswith("/status") and payload in _LAST_WILL:
            return []
        raise OtherTopic
    device, kind, object_id = match.groups()
    ending = next((e for e in _LONGEST_FIRST if _ends_in(object_id, e)), None)
    if ending is None:
        raise NotMine(f"the sensor's name {object_id!r} does not end in a quantity")
    part = object_id.removesuffix(ending).rstrip("_")
    probe = f"{device}/{part}" if part else device
    value = _SWITCH.get(_text(payload)) if kind == "binary_sensor" else _number(_text(payload))
    if value is None:
        return [Unusable(f"{object_id} is not a number")]
    return [reading(probe, False, _ENDINGS[ending], value, (received_at_ms, False))]


def _ends_in(object_id: str, ending: str) -> bool:
    return object_id == ending or object_id.endswith(f"_{ending}")


def _text(payload: bytes) -> str:
    try:
        return payload.decode("ascii").strip()
    except UnicodeDecodeError as error:
        raise NotMine("a state that is no text") from error


def _number(text: str) -> Decimal | None:
    """ESPHome writes ``nan`` for a sensor that did not answer."""
    if _NUMBER.fullmatch(text) is None:
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return None
