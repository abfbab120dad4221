"""Zigbee2MQTT: ``zigbee2mqtt/{friendly name}`` with the device's whole state as JSON.

The name is the device's IEEE address until somebody renames it; with
``include_device_information`` the address stands in each message and stays the id. With
``last_seen`` the message carries its time; without, the arrival stands. ``battery`` devices
give their ``voltage`` in mV; a plug's mains voltage is none of ours. ``contact`` is true when
closed.
"""

import re

from gateway.decoders import moment
from gateway.decoders.reading import (
    Decoded,
    NotMine,
    OtherTopic,
    Unusable,
    object_of,
    reading,
    within,
)

BASE = "zigbee2mqtt"
_COMMANDS = ("set", "get", "availability")
_ADDRESS = re.compile(r"0x([0-9a-fA-F]{16})")
_FIELD = re.compile(
    r"(temperature|humidity|co2|battery|power)(?:_(l?\d{1,3}|left|right|probe|external))?"
)


def decode(topic: str, payload: bytes, received_at_ms: int) -> Decoded:
    base, _, name = topic.partition("/")
    if base != BASE or not name:
        raise OtherTopic
    if name.startswith("bridge/") or name.rpartition("/")[2] in _COMMANDS:
        return []  # of the bridge, or to a device: nothing was measured
    state = object_of(payload)
    probe, own_id = _probe(name, within(state, "device").get("ieeeAddr"))
    at = moment.at(state.get("last_seen"), received_at_ms)
    decoded: Decoded = []
    for field, value in state.items():
        if value is None:
            continue  # not reported yet
        if (match := _FIELD.fullmatch(field)) is not None:
            part = f"{probe}/{match[2]}" if match[2] else probe
            decoded.append(reading(part, own_id, match[1], value, at))
        elif field == "contact":
            if isinstance(value, bool):
                decoded.append(reading(probe, own_id, "door", int(not value), at))
            else:
                decoded.append(Unusable("contact is neither true nor false"))
        elif field == "voltage" and "battery" in state:
            decoded.append(reading(probe, own_id, "voltage", value, at, "mV"))
    return decoded


def _probe(name: str, address: object) -> tuple[str, bool]:
    for said in (address, name):
        if isinstance(said, str) and (match := _ADDRESS.fullmatch(said)) is not None:
            return f"ieee:{match[1]}", True
    if len(name) > 96:
        raise NotMine("a device's name is too long")
    return f"{BASE}/{name}", False
