"""Home Assistant's discovery: what a device is, said by the device; never what it measured."""

from gateway.decoders.reading import Decoded, OtherTopic

_BASES = ("homeassistant/", "tasmota/discovery/")


def decode(topic: str, payload: bytes, received_at_ms: int) -> Decoded:
    if not topic.startswith(_BASES):
        raise OtherTopic
    return []
