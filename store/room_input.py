"""What a room is judged from, out of both stores: its rules, what people did, what its probes said.

A probe's readings belong to a room only while it was assigned to it.
"""

from array import array
from collections.abc import Callable, Mapping, Sequence

from domain.judgement import Action, Rule
from domain.reading import Columns, ProbeId, RoomId, Series
from store.ports import ReadingReader
from store.records.ports import Assignment, RecordsReader

SeriesOf = Callable[[ProbeId], Sequence[Series]]


def by_probe(readings: ReadingReader) -> SeriesOf:
    """Of every probe that ever said something, as of now."""
    found: dict[ProbeId, list[Series]] = {}
    for series in readings.series():
        found.setdefault(series.probe, []).append(series)
    return lambda probe: found.get(probe, ())


def rules_of(records: RecordsReader, room: RoomId) -> list[Rule]:
    """Oldest first; of several from the same instant the one recorded last."""
    rules: dict[int, Rule] = {}
    for v in sorted(records.rules(room), key=lambda v: (v.from_ms, v.m)):
        rules[v.from_ms] = Rule(
            str(v.m), v.from_ms, v.profile, tuple(v.commodities), v.interval_s, v.overrides
        )
    return [rules[at] for at in sorted(rules)]


def actions_of(
    records: RecordsReader, room: RoomId, assigned: Sequence[Assignment]
) -> list[Action]:
    """What people did, the end of each assignment (the probe left the room), and how slow each
    probe is by its papers."""
    actions = [Action(a.at_ms, a.kind, a.by, a.detail) for a in records.actions(room)]
    actions += [
        Action(a.to_ms, "probe_removed", "", {"probe": a.probe})
        for a in assigned
        if a.to_ms is not None
    ]
    return sorted([*actions, *lags_of(records, assigned)], key=lambda a: a.at_ms)


def lags_of(records: RecordsReader, assigned: Sequence[Assignment]) -> list[Action]:
    """How slow each probe is, from each instant at which its papers say something else."""
    found: list[Action] = []
    for probe in sorted({a.probe for a in assigned}):
        lag_s = 0
        for papers in records.papers(probe):
            if papers.lag_s != lag_s:
                lag_s = papers.lag_s
                detail = {"probe": probe, "lag_ms": lag_s * 1000}
                found.append(Action(papers.from_ms, "probe_lag", "", detail))
    return found


def read_room(
    readings: ReadingReader,
    series_of: SeriesOf,
    assigned: Sequence[Assignment],
    from_ms: int,
    to_ms: int,
) -> Mapping[Series, Columns]:
    """Every series of the room, rows with from <= measured_at < to, oldest first."""
    found: dict[Series, Columns] = {}
    for a in sorted(assigned, key=lambda a: a.from_ms):
        start = max(a.from_ms, from_ms)
        end = to_ms if a.to_ms is None else min(a.to_ms, to_ms)
        if start >= end:
            continue
        for series in series_of(a.probe):
            rows = readings.between(series, start, end)
            if not len(rows):
                continue
            if series in found:
                rows = _joined(found[series], rows)
            found[series] = rows
    return found


def _joined(one: Columns, other: Columns) -> Columns:
    return Columns(
        array("q", [*one.at_ms, *other.at_ms]),
        array("q", [*one.count, *other.count]),
        array("H", [*one.quality, *other.quality]),
    )
