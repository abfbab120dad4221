"""What a room's probes said in one slice of time: screened, sorted by source, signals followed.

The rules of the room look at this, in ``room_limits``, ``room_plant`` and ``room_sensors``,
and note in it what they found.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence

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

SIGNALS = ("door", "defrost", "mains", "compressor")
_FRESH = SampleState()  # of a series that was never heard before


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
        for source in sorted(self.sources()):
            self._of.setdefault(quantity_of(source), []).append(source)
        self.removals = {
            source: stops
            for source in sorted(self.sources())
            if (stops := [at for at in known.removals(probe_of(source)) if slice_.holds(at)])
        }
        self.runs: dict[str, list[Run]] = {}
        self.holds: dict[str, Hold] = {}
        self._follow_signals()

    def _screen(self, readings: Mapping[Series, Columns]) -> None:
        rule = self.rule
        ahead = self.slice.upto_ms + self.gap_ms
        for series in sorted(readings):
            if series.quantity not in QUANTITIES:
                continue
            source = source_of(series)
            columns = cut(readings[series], self.slice.after_ms, ahead)
            if not len(columns):
                continue
            if series.quantity in SAMPLES:
                screened = screen_samples(
                    series, columns, rule.range_low, rule.range_high, rule.interval_ms,
                    self.sample(source).screen, self.slice,
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
        for source in self.of(*SIGNALS, "ambient_temperature"):
            readings = self.valid.get(source, [])
            if quantity_of(source) == "ambient_temperature":
                readings = [(at, int(count > HOT)) for at, count in readings]
            hold, self.runs[source] = runs(
                self.before.holds.get(source, Hold()),
                readings,
                self.removals.get(source, ()),
                self.slice,
            )
            if hold.value is not None:
                self.holds[source] = hold

    def sample(self, source: str) -> SampleState:
        """The series' state before the slice."""
        return self.before.samples.get(source, _FRESH)

    def sources(self) -> set[str]:
        before = self.before
        return {*self.valid, *before.samples, *before.holds, *before.batteries, *before.humidity}

    def of(self, *quantities: str) -> list[str]:
        """Sources of these quantities heard in the slice or before it."""
        return sorted(s for quantity in quantities for s in self._of.get(quantity, ()))

    def events(self, source: str, off: Sequence[Span] = ()) -> Iterable[tuple[int, int | None]]:
        """Valid samples outside ``off``; (instant, None) where the series stops (``interrupted``)."""
        return interrupted(
            self.valid.get(source, ()), off, self.removals.get(source, ()), self.slice
        )

    def runs_of(self, quantity: str) -> dict[str, list[Run]]:
        return {s: found for s, found in self.runs.items() if quantity_of(s) == quantity}

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


def cut(columns: Columns, after_ms: int, upto_ms: int) -> Columns:
    """Rows with after < measured_at <= upto; the same object when that is all of them."""
    i = bisect_right(columns.at_ms, after_ms)
    j = bisect_right(columns.at_ms, upto_ms)
    if i == 0 and j == len(columns):
        return columns
    return Columns(columns.at_ms[i:j], columns.count[i:j], columns.quality[i:j])
