"""What a room's probes said in one slice of time: screened, sorted by source, signals followed.

The rules of the room look at this, in ``room_limits``, ``room_plant`` and ``room_sensors``,
and note in it what they found.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence

from domain.judgement import Flag, Pause
from domain.plan import Plan
from domain.power import HOT
from domain.prediction import Surroundings
from domain.quantity import QUANTITIES
from domain.reading import Columns, Series
from domain.room_state import RoomState, SampleState, probe_of, quantity_of, source_of
from domain.screening import LOOK_AHEAD, SAMPLES, ScreenState, screen_samples, screen_signal
from domain.signals import Hold, Run, runs
from domain.span import Alarm, Sample, Slice, Span, interrupted

SIGNALS = ("ambient_temperature", "compressor", "defrost", "door", "mains")
_FRESH = SampleState()  # of a series that was never heard before
_UNKNOWN = Hold()


class Heard:
    """One room over one slice."""

    def __init__(
        self, state: RoomState, readings: Mapping[Series, Columns], known: Plan, slice_: Slice
    ) -> None:
        self.before = state
        self.known = known
        self.slice = slice_
        self.rule = known.rule_at(slice_.upto_ms)
        self.gap_ms = LOOK_AHEAD * self.rule.interval_ms
        self.maintenance = known.activity.maintenance
        self.alarms: list[Alarm] = []
        self.pauses: list[Pause] = []
        self.lasting: list[Pause] = []
        self.flags: list[Flag] = []
        self.around: dict[tuple[str, str], Surroundings] = {}  # by code and source
        self.valid: dict[str, list[Sample]] = {}
        self.rows: dict[str, list[Sample]] = {}
        self.screens: dict[str, ScreenState] = {}
        self._screen(readings)
        self._of: dict[str, list[str]] = {}
        self.samples: dict[str, SampleState] = {}  # each sample series before the slice
        self.removals: dict[str, list[int]] = {}
        removed = [(at, probe) for at, probe in known.activity.removals if slice_.holds(at)]
        for source in sorted(self.sources()):
            quantity = quantity_of(source)
            self._of.setdefault(quantity, []).append(source)
            if quantity in SAMPLES:
                self.samples[source] = state.samples.get(source, _FRESH)
            if removed and (stops := [at for at, of in removed if of == probe_of(source)]):
                self.removals[source] = stops
        self._runs: dict[str, dict[str, list[Run]]] = {}
        self.holds: dict[str, Hold] = {}
        self._follow_signals()

    def _screen(self, readings: Mapping[Series, Columns]) -> None:
        rule = self.rule
        ahead = self.slice.upto_ms + self.gap_ms
        for series in sorted(_reaching(readings, self.slice.after_ms, ahead)):
            source = source_of(series)
            columns = cut(readings[series], self.slice.after_ms, ahead)
            if series.quantity in SAMPLES:
                screened = screen_samples(
                    series, columns, rule.range_low, rule.range_high, rule.interval_ms,
                    self.before.samples.get(source, _FRESH).screen, self.slice,
                )  # fmt: skip
                self.screens[source] = screened.state
            else:
                screened = screen_signal(
                    series, columns, rule.range_low, rule.range_high, self.slice
                )
            self.valid[source] = screened.valid
            self.rows[source] = screened.rows
            self.flags += screened.flags

    def _follow_signals(self) -> None:
        for quantity in SIGNALS:
            self._runs[quantity] = {}
            for source in self.of(quantity):
                readings = self.valid.get(source, [])
                if quantity == "ambient_temperature":
                    readings = [(at, int(count > HOT)) for at, count in readings]
                hold, self._runs[quantity][source] = runs(
                    self.before.holds.get(source, _UNKNOWN),
                    readings,
                    self.removals.get(source, ()),
                    self.slice,
                )
                if hold.value is not None:
                    self.holds[source] = hold

    def sources(self) -> set[str]:
        before = self.before
        return {*self.valid, *before.samples, *before.holds, *before.batteries, *before.humidity}

    def of(self, quantity: str) -> Sequence[str]:
        """Sources of the quantity heard in the slice or before it, sorted."""
        return self._of.get(quantity, ())

    def events(self, source: str, off: Sequence[Span] = ()) -> Sequence[tuple[int, int | None]]:
        """Valid samples outside ``off``; (instant, None) where the series stops (``interrupted``)."""
        samples, removals = self.valid.get(source, ()), self.removals.get(source, ())
        return interrupted(samples, off, removals, self.slice) if off or removals else samples

    def runs_of(self, quantity: str) -> dict[str, list[Run]]:
        return self._runs[quantity]

    def stocking(self, at: int) -> int | None:
        """Since when the room has been stocked; None: empty."""
        return next((b for b, e in self.known.activity.stocked if b <= at < e), None)

    def note(
        self,
        alarms: Iterable[Alarm],
        pauses: Iterable[Pause] = (),
        lasting: Iterable[Pause] = (),
    ) -> None:
        self.alarms += alarms
        self.pauses += pauses
        self.lasting += lasting


def _reaching(readings: Mapping[Series, Columns], after_ms: int, upto_ms: int) -> Iterator[Series]:
    """The known series with a row at after < measured_at <= upto."""
    for series, rows in readings.items():
        i = bisect_right(rows.at_ms, after_ms)
        if i < len(rows.at_ms) and rows.at_ms[i] <= upto_ms and series.quantity in QUANTITIES:
            yield series


def cut(columns: Columns, after_ms: int, upto_ms: int) -> Columns:
    """Rows with after < measured_at <= upto; the same object when that is all of them."""
    i = bisect_right(columns.at_ms, after_ms)
    j = bisect_right(columns.at_ms, upto_ms, i)
    if i == 0 and j == len(columns.at_ms):
        return columns
    return Columns(columns.at_ms[i:j], columns.count[i:j], columns.quality[i:j])
