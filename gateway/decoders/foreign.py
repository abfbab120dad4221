"""Decoders from other packages: the entry point group ``coldtrail.decoders``.

They are asked after our own, so they can add devices and take none away. Nothing that one
does takes the gateway down or costs a neighbour: whatever it raises, and whatever it returns
that is no reading, sends that one message to quarantine. (One that never returns does hold
the gateway up: the decoders of a gateway are part of it.)
"""

import logging
from importlib.metadata import entry_points

from domain.quantity import QUANTITIES
from gateway.decoders.reading import Decoded, Decoder, DeviceReading, NotMine, Unusable

log = logging.getLogger(__name__)

GROUP = "coldtrail.decoders"
MAX_ITEMS = 20_000
_INT32 = range(-(1 << 31), 1 << 31)
_INT48 = range(1 << 48)


def load() -> tuple[Decoder, ...]:
    """All that are installed, by name. One that cannot be loaded is left out, and said."""
    found = []
    for point in sorted(entry_points(group=GROUP), key=lambda p: p.name):
        try:
            found.append(guarded(point.name, point.load()))
        except Exception:
            log.exception("a decoder cannot be loaded", extra={"decoder": point.name})
        else:
            log.info("decoder loaded", extra={"decoder": point.name, "from": point.value})
    return tuple(found)


def guarded(name: str, decoder: Decoder) -> Decoder:
    """The decoder, raising ``NotMine`` and nothing else, returning what can be kept."""

    def decode(topic: str, payload: bytes, received_at_ms: int) -> Decoded:
        try:
            return _checked(decoder(topic, payload, received_at_ms))
        except NotMine:
            raise
        except (Exception, SystemExit) as error:
            log.warning("a decoder failed", extra={"decoder": name, "topic": topic[:200]})
            what = f"{type(error).__name__}: {error}"[:200]
            raise NotMine(f"decoder {name} failed: {what}") from error

    return decode


def _checked(decoded: object) -> Decoded:
    if not isinstance(decoded, list) or len(decoded) > MAX_ITEMS:
        raise TypeError("what it returned is no list of readings")
    return [_checked_item(item) for item in decoded]


def _checked_item(item: object) -> DeviceReading | Unusable:
    match item:
        case Unusable(reason=str()):
            return item
        case DeviceReading(
            probe=str(probe), own_id=bool(), quantity=str(quantity), count=int(count),
            at_ms=int(at_ms), timed=bool(),
        ) if (
            probe and quantity in QUANTITIES and type(count) is int and count in _INT32
            and type(at_ms) is int and at_ms in _INT48
        ):  # fmt: skip
            return item
        case _:
            return Unusable("what the decoder returned is no reading")
