"""What a decoder makes of a device's message: readings, and what it could not use.

A decoder is a pure function ``(topic, payload, received_at_ms) -> list[DeviceReading |
Unusable]``; it raises ``NotMine`` when the payload is in another maker's form, and nothing
else. It does not know which gateway asks: names that are unique only behind their gateway
stay local here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from domain.quantity import QUANTITIES
from wire.device_json import BadJson
from wire.device_json import decode as decode_json

# Units in which devices report, next to the quantity's own: (factor, offset) to that.
CONVERSIONS = {
    ("K", "Cel"): (Decimal(1), Decimal("-273.15")),
    ("mV", "V"): (Decimal("0.001"), Decimal(0)),
    ("kW", "W"): (Decimal(1000), Decimal(0)),
    ("%", "%RH"): (Decimal(1), Decimal(0)),
    ("%", "%EL"): (Decimal(1), Decimal(0)),
}
_INT32 = range(-(1 << 31), 1 << 31)


class NotMine(Exception):
    """Another decoder may understand this payload."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class OtherTopic(NotMine):
    """The topic alone says that this decoder is not meant."""

    def __init__(self) -> None:
        super().__init__("not on a topic of this decoder")


@dataclass(frozen=True, slots=True)
class DeviceReading:
    """``probe`` is a full id when ``own_id``, else a name that only this gateway knows.

    ``timed`` is False when the device said no time: ``at_ms`` is then the arrival.
    """

    probe: str
    own_id: bool
    quantity: str
    count: int
    at_ms: int
    timed: bool


@dataclass(frozen=True, slots=True)
class Unusable:
    """One record of a message that says nothing we can keep; its neighbours are kept."""

    reason: str


Decoded = list[DeviceReading | Unusable]
Decoder = Callable[[str, bytes, int], Decoded]


def count_of(quantity: str, value: Decimal, unit: str) -> int | Unusable:
    """The value in counts of the quantity's resolution. ``unit`` "" means the quantity's own."""
    known = QUANTITIES.get(quantity)
    if known is None:
        return Unusable(f"unknown quantity {quantity[:64]!r}")
    if not -(10**15) < value < 10**15:
        return Unusable(f"{quantity} out of all proportion")
    if unit and unit != known.unit:
        conversion = CONVERSIONS.get((unit, known.unit))
        if conversion is None:
            return Unusable(f"unit {unit[:16]!r} for {quantity}")
        factor, offset = conversion
        value = value * factor + offset
    count = known.count(value)
    return count if count in _INT32 else Unusable(f"{quantity} out of all proportion")


def reading(
    probe: str, own_id: bool, quantity: str, value: object, at: tuple[int, bool], unit: str = ""
) -> DeviceReading | Unusable:
    """``value`` as it stood in the message; ``at`` is (when, whether the device said so)."""
    number = number_of(value)
    if number is None:
        return Unusable(f"{quantity} is not a number")
    count = count_of(quantity, number, unit)
    if isinstance(count, Unusable):
        return count
    return DeviceReading(probe, own_id, quantity, count, *at)


def number_of(value: object) -> Decimal | None:
    """A number of a message, exactly. Neither true nor false is one."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    return Decimal(value)


def celsius(fahrenheit: Decimal) -> Decimal:
    if not -(10**15) < fahrenheit < 10**15:
        return fahrenheit  # out of all proportion in either
    return (fahrenheit - 32) * 5 / 9


def object_of(payload: bytes) -> dict[str, object]:
    """The payload as a JSON object. Raises ``NotMine``."""
    try:
        content = decode_json(payload)
    except BadJson as error:
        raise NotMine(str(error)) from error
    if not isinstance(content, dict):
        raise NotMine("not a JSON object")
    return content


def within(fields: dict[str, object], name: str) -> dict[str, object]:
    """The object of this name; empty when there is none."""
    found = fields.get(name)
    return found if isinstance(found, dict) else {}
