"""A room's sensors: holes in their record, and values that cannot be believed."""

from bisect import bisect_right
from functools import partial
from itertools import pairwise

from domain.faults import DisagreeState, RangeState, advance_disagree, advance_range
from domain.heard import Heard
from domain.profile import MINUTE_MS
from domain.room_state import probe_of, quantity_of
from domain.span import FOREVER, Sample, interrupted
from domain.staleness import GapState, advance_gaps
from domain.stuck import Companions, MovedState, StuckState, advance_moved, advance_stuck

STUCK_PRODUCT_MS = 24 * 60 * MINUTE_MS


def gaps(heard: Heard) -> dict[str, GapState]:
    states: dict[str, GapState] = {}
    for source, before in heard.samples.items():
        states[source], alarms = advance_gaps(
            source,
            before.gap,
            heard.events(source),
            heard.maintenance,
            heard.rule.interval_ms,
            heard.slice,
        )
        heard.note(alarms)
    return states


def ranges(heard: Heard) -> dict[str, RangeState]:
    states: dict[str, RangeState] = {}
    for source, before in heard.samples.items():
        state, rows = before.range, heard.rows.get(source, ())
        if state.idle and not any(out for _, out in rows):
            states[source] = state
            continue
        events = interrupted(rows, heard.maintenance, heard.removals.get(source, ()), heard.slice)
        states[source], alarms = advance_range(
            source, state, events, partial(_range_level, heard, source)
        )
        heard.note(alarms)
    return states


def _range_level(heard: Heard, source: str, at: int) -> str:
    """Critical when the goods' only probe is the one that lies."""
    for other, before in heard.samples.items():
        if probe_of(other) == probe_of(source):
            continue
        samples = heard.valid.get(other, ())
        i = bisect_right(samples, (at, FOREVER))
        last = samples[i - 1][0] if i else before.gap.last_ms
        if last is not None and last >= at - heard.gap_ms:
            return "warning"
    return "warning" if heard.stocking(at) is None else "critical"


def disagree(heard: Heard) -> DisagreeState:
    sources = heard.of("temperature")
    state, alarms = advance_disagree(
        heard.before.disagree,
        {source: heard.valid.get(source, ()) for source in sources},
        heard.maintenance,
        heard.removals,
        heard.gap_ms,
        heard.slice,
    )
    heard.note(alarms)
    return state


def stuck(heard: Heard) -> tuple[dict[str, MovedState], dict[str, StuckState], tuple[int, ...]]:
    starts, start_steps = _starts(heard)
    moved: dict[str, MovedState] = {}
    grew: dict[str, list[Sample]] = {}
    for source, before in heard.samples.items():
        moved[source], steps = advance_moved(before.moved, heard.events(source))
        grew[source] = [(heard.slice.after_ms, before.moved.moved_ms), *steps]
    states: dict[str, StuckState] = {}
    for source, before in heard.samples.items():
        others = [steps for other, steps in grew.items() if other != source]
        product = quantity_of(source) == "product_temperature"
        states[source], alarms = advance_stuck(
            source,
            before.stuck,
            heard.events(source, heard.maintenance),
            Companions(others, start_steps),
            STUCK_PRODUCT_MS if product else heard.rule.stuck_ms,
            heard.gap_ms,
        )
        heard.note(alarms)
    return moved, states, starts


def _starts(heard: Heard) -> tuple[tuple[int, ...], list[Sample]]:
    """The two latest starts, and (instant, the second latest known then)."""
    found = sorted(
        run.begin
        for each in heard.runs_of("compressor").values()
        for before, run in pairwise(each)
        if run.value == 1 and before.value == 0 and before.end == run.begin
    )
    two = list(heard.before.starts)
    steps: list[Sample] = [(heard.slice.after_ms, two[-2])] if len(two) == 2 else []
    for at in found:
        two = [*two, at][-2:]
        if len(two) == 2:
            steps.append((at, two[-2]))
    return tuple(two), steps
