"""What can be measured: unit, resolution, physical range.

A value is kept as an integer count of its quantity's resolution, so equality is
exact and no rule ever compares floats. A new quantity is one row of ``QUANTITIES``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Quantity:
    """``low`` and ``high`` are the physical range in the unit, both inside it; ``low_count``
    and ``high_count`` the same in counts."""

    name: str
    unit: str  # SenML unit, RFC 8428 section 12.1
    resolution: Decimal
    low: Decimal
    high: Decimal
    low_count: int = field(init=False)  # worked out once: asked of every reading
    high_count: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "low_count", self.count(self.low))
        object.__setattr__(self, "high_count", self.count(self.high))

    @property
    def decimals(self) -> int:
        """Digits after the point at which a value is printed exactly."""
        exponent = self.resolution.as_tuple().exponent
        return -exponent if isinstance(exponent, int) and exponent < 0 else 0

    def count(self, value: Decimal | float | int) -> int:
        """The value in counts, half to even; floats are read as their shortest decimal."""
        exact = value if isinstance(value, Decimal) else Decimal(repr(value))
        return int((exact / self.resolution).to_integral_value(ROUND_HALF_EVEN))

    def value(self, count: int) -> Decimal:
        """The count in the unit, exactly, at the resolution's number of digits."""
        return (count * self.resolution).quantize(self.resolution)

    def plausible(self, count: int) -> bool:
        """True inside the physical range, its ends included."""
        return self.low_count <= count <= self.high_count


def _row(name: str, unit: str, resolution: str, low: int, high: int) -> Quantity:
    return Quantity(name, unit, Decimal(resolution), Decimal(low), Decimal(high))


QUANTITIES: Mapping[str, Quantity] = MappingProxyType(
    {
        q.name: q
        for q in (
            _row("temperature", "Cel", "0.01", -90, 100),
            _row("product_temperature", "Cel", "0.01", -90, 100),
            _row("ambient_temperature", "Cel", "0.01", -90, 100),
            _row("setpoint", "Cel", "0.01", -90, 100),
            _row("humidity", "%RH", "0.01", 0, 100),
            _row("door", "/", "1", 0, 1),
            _row("mains", "/", "1", 0, 1),
            _row("compressor", "/", "1", 0, 1),
            _row("defrost", "/", "1", 0, 1),
            _row("battery", "%EL", "0.1", 0, 100),
            _row("voltage", "V", "0.001", 0, 60),
            _row("power", "W", "1", 0, 100_000),
            _row("co2", "ppm", "1", 0, 100_000),
            _row("ethylene", "ppm", "0.01", 0, 1_000),
            _row("lat", "lat", "0.0000001", -90, 90),
            _row("lon", "lon", "0.0000001", -180, 180),
            _row("signal", "dBm", "1", -200, 0),
        )
    }
)
