"""What is kept of a room between two slices of time, and what a slice found."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from domain.dose import DoseState
from domain.faults import DisagreeState, RangeState
from domain.judgement import Flag, Pause
from domain.limits import LimitState
from domain.plant import BatteryState
from domain.power import PowerState
from domain.precooling import PrecoolState
from domain.prediction import PredictState
from domain.reading import Series
from domain.screening import ScreenState
from domain.signals import Hold, Steps
from domain.span import Alarm, Span
from domain.staleness import GapState
from domain.stuck import MovedState, StuckState
from domain.suppression import DefrostState
from domain.timer import Timer


@dataclass(frozen=True, slots=True)
class SampleState:
    """One sample series, at an instant."""

    screen: ScreenState = field(default_factory=ScreenState)
    limits: LimitState = field(default_factory=LimitState)
    dose: DoseState = field(default_factory=DoseState)
    high: PredictState = field(default_factory=PredictState)
    freeze: PredictState = field(default_factory=PredictState)
    gap: GapState = field(default_factory=GapState)
    range: RangeState = field(default_factory=RangeState)
    stuck: StuckState = field(default_factory=StuckState)
    moved: MovedState = field(default_factory=MovedState)
    no_start: Timer = field(default_factory=Timer)


@dataclass(frozen=True, slots=True)
class RoomState:
    """A room at an instant: plain values. Keys are sources, ``quantity|probe``."""

    samples: Mapping[str, SampleState] = field(default_factory=dict)
    holds: Mapping[str, Hold] = field(default_factory=dict)
    humidity: Mapping[str, LimitState] = field(default_factory=dict)
    defrosts: Mapping[str, DefrostState] = field(default_factory=dict)
    outages: Mapping[str, PowerState] = field(default_factory=dict)
    batteries: Mapping[str, BatteryState] = field(default_factory=dict)
    disagree: DisagreeState = field(default_factory=lambda: DisagreeState({}, {}))
    precool: PrecoolState = field(default_factory=PrecoolState)
    setpoint: Steps = field(default_factory=Steps)
    reached_ms: int | None = None  # a temperature at or below the set point, or the first of those
    starts: tuple[int, ...] = ()  # the two latest of the compressors
    doors: tuple[Span, ...] = ()  # openings that ended not long ago


@dataclass(frozen=True, slots=True)
class Found:
    """What a slice added for good, and what is under way at its end. ``active``: also what has
    ended and is not final."""

    alarms: tuple[Alarm, ...] = ()
    pauses: tuple[Pause, ...] = ()
    flags: tuple[Flag, ...] = ()
    active: tuple[Alarm, ...] = ()
    lasting: tuple[Pause, ...] = ()


def source_of(series: Series) -> str:
    return f"{series.quantity}|{series.probe}"


def probe_of(source: str) -> str:
    return source.partition("|")[2]


def quantity_of(source: str) -> str:
    return source.partition("|")[0]
