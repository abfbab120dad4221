"""Which decoder understands a message: the first that does not say ``NotMine``."""

from gateway.decoders import plain, senml
from gateway.decoders.reading import Decoded, Decoder, DeviceReading, NotMine, Unusable

MAX_PAYLOAD = 1 << 20

DECODERS: tuple[Decoder, ...] = (senml.decode, plain.decode)

__all__ = ["DECODERS", "Decoded", "DeviceReading", "NotMine", "Unusable", "decode"]


def decode(topic: str, payload: bytes, received_at_ms: int) -> Decoded:
    """Readings and unusable records, in the message's order. Raises ``NotMine`` when no
    decoder understands the payload, with each one's reason."""
    if len(payload) > MAX_PAYLOAD:
        raise NotMine("larger than 1 MiB")
    reasons = []
    for decoder in DECODERS:
        try:
            return decoder(topic, payload, received_at_ms)
        except NotMine as error:
            reasons.append(error.reason)
    raise NotMine("; ".join(dict.fromkeys(reasons)))
