"""What a room's devices make of the truth, and what arrives of it.

Each device samples every five minutes, at a phase of its own, and sends one pack: lag, offset,
noise and resolution by ``firmware_sim.probe``; then single-sample spikes; then a radio that
loses, doubles and delays. A pack without a connection waits in the device's memory if it has
one, and comes with the next.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from math import inf
from random import Random

from firmware_sim.probe import Element, Sensor, sample, settle

from bench.operation.diary import DAY_S, Spans
from domain.quantity import QUANTITIES
from domain.reading import ProbeId, Series
from domain.retelling import Arrived

INTERVAL_S = 300.0
AIR_LAG_S = (60.0, 360.0)  # models, 9: bare probes, moving to still air
PULP_LAG_S = (480.0, 1200.0)  # models, 9: in glycol or a block
BOTTLE_LAG_S = (600.0, 900.0)  # glycol in an air-cooled bottle; see docs/reliability.md
BOTTLE_SAID_S = 720  # what the installer enters for it
OFFSET_K = 0.2  # standard deviation
PLACE_K = (-0.2, 0.8)  # an air probe hangs where it is a little warmer than the mean
NOISE_K = (0.02, 0.1)  # models, 9
RESOLUTIONS_K = (0.0625, 0.01, 0.1)

SPIKES_A_MONTH = 1.0  # single wrong samples of a probe
POWER_ON, DRIVER_ERROR = 0.4, 0.4  # of the spikes: 85.0 and -127; the others are steps of ...
STEP_K = (3.0, 6.0)  # ... so much and an exponential of this mean, up or down

LOST = 0.02  # models, 10: packet loss 1 to 3 %
DOUBLED = 0.005  # models, 10
REMEMBERS = 0.2  # of the devices; the others forget what they could not send
SHADOWS_A_DAY, SHADOW_S, SHADOW_SPREAD, SHADOW_AT_MOST_S = 0.05, 480.0, 0.8, 3600.0

# models, 10: network outages Poisson 0.3 a day, log-normal median 8 min, sigma 1.2; 2 % longer
UPLINK_A_DAY, UPLINK_S, UPLINK_SPREAD = 0.3, 480.0, 1.2
UPLINK_LONG, UPLINK_LONG_S = 0.02, (7200.0, 43_200.0)


@dataclass(slots=True)
class Thermometer:
    """One sampled temperature. ``warmer_k``: where it hangs, against the truth it is given."""

    series: Series
    sensor: Sensor
    warmer_k: float
    phase_s: float
    spikes: dict[int, float | None]  # by number of the sample: the value, or None for a step
    random: Random
    element: Element | None = None
    taken: int = 0
    rows: list[tuple[float, Series, int]] = field(default_factory=list)

    @property
    def next_s(self) -> float:
        return self.phase_s + self.taken * INTERVAL_S

    def follow(self, truth_c: float, for_s: float) -> None:
        """It has been in this for so long; a product or the weather, which are slow, is asked at
        each sample only."""
        here_c = truth_c + self.warmer_k
        before = self.element or Element(here_c)
        self.element = settle(self.sensor, before, here_c, before.at_s + for_s)

    def take(self) -> None:
        """A sample at ``next_s``, as far as which ``follow`` has been called."""
        assert self.element is not None  # noqa: S101 - the month follows before it samples
        at_s = self.next_s
        self.element, value = sample(self.sensor, self.element, self.random)
        assert value is not None  # noqa: S101 - these sensors have no gaps
        if self.taken in self.spikes:
            spike = self.spikes[self.taken]
            if spike is None:
                step = STEP_K[0] + self.random.expovariate(1 / STEP_K[1])
                spike = value + (step if self.random.random() < 0.5 else -step)
            value = spike
        self.rows.append((at_s, self.series, count(self.series.quantity, value)))
        self.taken += 1


def count(quantity: str, value: float) -> int:
    return QUANTITIES[quantity].count(value)


def thermometer(
    name: str, quantity: str, days: int, random: Random, *, lag_s: tuple[float, float], hung: bool
) -> Thermometer:
    spikes: dict[int, float | None] = {}
    samples = int(days * DAY_S / INTERVAL_S)
    for i in range(samples):
        if random.random() < SPIKES_A_MONTH / (30 * DAY_S / INTERVAL_S):
            kind = random.random()
            known = 85.0 if kind < POWER_ON else -127.0
            spikes[i] = known if kind < POWER_ON + DRIVER_ERROR else None
    sensor = Sensor(
        lag_s=random.uniform(*lag_s),
        offset=random.gauss(0.0, OFFSET_K),
        noise=random.uniform(*NOISE_K),
        resolution=random.choice(RESOLUTIONS_K),
    )
    return Thermometer(
        series=Series(ProbeId(name), quantity),
        sensor=sensor,
        warmer_k=random.uniform(*PLACE_K) if hung else 0.0,
        phase_s=10.0 * random.randrange(30),
        spikes=spikes,
        random=random,
    )


def shadows(days: float, random: Random) -> Spans:
    """When a device reaches nobody."""

    def length() -> float:
        return min(random.lognormvariate(0, SHADOW_SPREAD) * SHADOW_S, SHADOW_AT_MOST_S)

    return _outages(days, SHADOWS_A_DAY, length, random)


def uplink_outages(days: float, random: Random) -> Spans:
    """When the gateway reaches nobody; it keeps everything until it does."""

    def length() -> float:
        if random.random() < UPLINK_LONG:
            return random.uniform(*UPLINK_LONG_S)
        return random.lognormvariate(0, UPLINK_SPREAD) * UPLINK_S

    return _outages(days, UPLINK_A_DAY, length, random)


def _outages(days: float, a_day: float, length: Callable[[], float], random: Random) -> Spans:
    spans: Spans = []
    at = random.expovariate(a_day) * DAY_S
    while at < days * DAY_S:
        spans.append((at, at + length()))
        at = spans[-1][1] + random.expovariate(a_day) * DAY_S
    return spans


Row = tuple[float, Series, int]  # measured, in seconds of the month


def radio(
    room: str,
    rows: Sequence[Row],
    silent: Spans,
    random: Random,
    start_ms: int,
    *,
    keeps: bool,
) -> Iterator[Arrived]:
    """One device's rows, oldest first, as they arrive; those of one instant are one pack."""
    waiting: list[Row] = []
    for at_s, group in groupby(rows, key=lambda row: row[0]):
        pack = list(group)
        if _within(silent, at_s) or random.random() < LOST:
            if keeps:
                waiting += pack
            continue
        sent = [*waiting, *pack]
        waiting = []
        times = [at_s]
        if random.random() < DOUBLED:
            times.append(at_s + random.uniform(0.1, 30.0))
        for arrived_s in times:
            for measured_s, series, value in sent:
                yield Arrived(
                    start_ms + round(arrived_s * 1000), room, series,
                    start_ms + round(measured_s * 1000), value,
                )  # fmt: skip


def events(room: str, rows: Sequence[Row], start_ms: int) -> Iterator[Arrived]:
    """Contacts and controllers speak when something changes, and repeat until they are heard."""
    for measured_s, series, value in rows:
        at_ms = start_ms + round(measured_s * 1000)
        yield Arrived(at_ms, room, series, at_ms, value)


def after_outages(arrivals: Sequence[Arrived], outages: Spans, start_ms: int) -> list[Arrived]:
    """What reached the gateway during an outage of its uplink comes when that is over."""
    out = []
    for arrived in arrivals:
        at_s = (arrived.arrived_ms - start_ms) / 1000
        i = bisect_right(outages, (at_s, inf)) - 1
        if i >= 0 and at_s < outages[i][1]:
            arrived = replace(arrived, arrived_ms=start_ms + round(outages[i][1] * 1000) + 1000)
        out.append(arrived)
    return out


def _within(spans: Spans, at_s: float) -> bool:
    i = bisect_right(spans, (at_s, inf)) - 1
    return i >= 0 and at_s < spans[i][1]
