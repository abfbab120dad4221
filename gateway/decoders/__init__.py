"""Which decoder understands a message: the first that does not say ``NotMine``.

A topic tells the makers apart. Sparkplug alone needs to be told what came before: its birth
certificates. Decoders of other packages come last.
"""

from collections.abc import Sequence
from functools import partial

from gateway.decoders import (
    chirpstack,
    discovery,
    esphome,
    plain,
    ruuvi,
    senml,
    shelly,
    sparkplug,
    tasmota,
    zigbee2mqtt,
)
from gateway.decoders.reading import (
    Decoded,
    Decoder,
    DeviceReading,
    NotMine,
    OtherTopic,
    Unusable,
)
from gateway.decoders.sparkplug import NO_BIRTHS, Births

MAX_PAYLOAD = 1 << 20

DECODERS: tuple[Decoder, ...] = (
    senml.decode,
    plain.decode,
    zigbee2mqtt.decode,
    tasmota.decode,
    chirpstack.decode,
    ruuvi.decode,
    discovery.decode,
    shelly.decode,
    esphome.decode,
)

__all__ = [
    "DECODERS",
    "NO_BIRTHS",
    "Births",
    "Decoded",
    "Decoder",
    "DeviceReading",
    "NotMine",
    "Unusable",
    "decode",
]


def decode(
    topic: str,
    payload: bytes,
    received_at_ms: int,
    births: Births = NO_BIRTHS,
    foreign: Sequence[Decoder] = (),
) -> Decoded:
    """Readings and unusable records, in the message's order. Raises ``NotMine`` when no
    decoder understands the payload, with the reason of each that was meant."""
    if len(payload) > MAX_PAYLOAD:
        raise NotMine("larger than 1 MiB")
    reasons = []
    informed: Decoder = partial(sparkplug.decode, births=births)
    for decoder in (*DECODERS, informed, *foreign):
        try:
            return decoder(topic, payload, received_at_ms)
        except OtherTopic:
            continue
        except NotMine as error:
            reasons.append(error.reason)
    if not reasons:
        raise NotMine("no decoder knows this topic; our own is devices/{name}/readings")
    raise NotMine("; ".join(dict.fromkeys(reasons)))
