"""What a sensor makes of the truth: lag, offset, drift, noise, resolution, and its bad days.

``T_meas = quantise(lag(T_true) + offset + drift * age + noise)``; the lag is first order.
Everything random comes from the ``Random`` that is passed in, so a seed repeats a run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp
from random import Random

POWER_ON_C = 85.0  # what a 1-wire sensor says before its first conversion

Spans = Sequence[tuple[float, float]]  # seconds since the start, half open


@dataclass(frozen=True, slots=True)
class Sensor:
    """One element of a probe. Units of the quantity; ``lag_s`` 0 follows at once."""

    lag_s: float = 60.0
    offset: float = 0.0
    drift_per_day: float = 0.0
    noise: float = 0.03  # standard deviation
    resolution: float = 0.0625
    stuck: Spans = ()  # repeats the value it had when the span began
    power_on_s: Sequence[float] = ()  # restarts: the next sample is exactly 85.0
    gaps: Spans = ()  # no sample at all


@dataclass(frozen=True, slots=True)
class Element:
    """``settled`` is what the element itself has come to, ``last`` what it last said."""

    settled: float
    at_s: float = 0.0
    last: float | None = None
    restarts: int = 0  # power-ons already reported


def settle(sensor: Sensor, element: Element, truth: float, at_s: float) -> Element:
    """The element has been in ``truth`` since ``element.at_s``."""
    if sensor.lag_s <= 0:
        settled = truth
    else:
        part = exp(-(at_s - element.at_s) / sensor.lag_s)
        settled = truth + (element.settled - truth) * part
    return Element(settled, at_s, element.last, element.restarts)


def sample(sensor: Sensor, element: Element, random: Random) -> tuple[Element, float | None]:
    """What the sensor says now; None in a gap. Draws its noise in any case, so that a fault
    added to a scenario changes no other sample."""
    noise = random.gauss(0.0, sensor.noise) if sensor.noise > 0 else 0.0
    at_s = element.at_s
    if within(sensor.gaps, at_s):
        return element, None
    due = sum(1 for restart in sensor.power_on_s if restart <= at_s)
    if due > element.restarts:
        return Element(element.settled, at_s, element.last, due), POWER_ON_C
    if within(sensor.stuck, at_s) and element.last is not None:
        return element, element.last
    raw = element.settled + sensor.offset + sensor.drift_per_day * at_s / 86_400 + noise
    value = quantise(raw, sensor.resolution)
    return Element(element.settled, at_s, value, element.restarts), value


def quantise(value: float, resolution: float) -> float:
    """The nearest step, printed without the tail that binary fractions leave."""
    return round(round(value / resolution) * resolution, 7) if resolution > 0 else value


def within(spans: Spans, at_s: float) -> bool:
    return any(start <= at_s < end for start, end in spans)
