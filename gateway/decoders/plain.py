"""The least that a device can say: ``{"temperature": 4.2}``, measured when it arrives."""

from decimal import Decimal

from gateway.decoders.reading import (
    Decoded,
    DeviceReading,
    NotMine,
    Unusable,
    count_of,
    object_of,
)
from gateway.decoders.senml import device_of

MAX_FIELDS = 64


def decode(topic: str, payload: bytes, received_at_ms: int) -> Decoded:
    device = device_of(topic)
    fields = object_of(payload)
    if not 0 < len(fields) <= MAX_FIELDS:
        raise NotMine("not a small JSON object")
    decoded: Decoded = []
    for quantity, value in fields.items():
        if isinstance(value, bool):
            value = int(value)
        if not isinstance(value, int | Decimal):
            decoded.append(Unusable(f"{quantity[:64]!r} is not a number"))
        elif isinstance(count := count_of(quantity, Decimal(value), ""), Unusable):
            decoded.append(count)
        else:
            decoded.append(DeviceReading(device, False, quantity, count, received_at_ms, False))
    return decoded
