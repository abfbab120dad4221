"""A room judged anew for a question, out of the stores; nothing is written.

By the engine's own code, from the checkpoints that the alerts role keeps where they fit, else from
the beginning: the same answer, some hundred times slower for a room that is a year old.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import msgspec

from domain.engine import Checkpoint, Read, RoomEngine
from domain.judgement import Action, Rule
from domain.reading import ProbeId, RoomId
from store.facts import SqlFactsReader
from store.ports import ReadingReader
from store.records.ports import RecordsReader
from store.room_input import actions_of, by_probe, read_room, rules_of

MOST_ARRIVALS = 20_000  # more than this since the checkpoints: the beginning is nearer


@dataclass(frozen=True, slots=True)
class Past:
    """All that a room is judged from. ``engine`` stands where the alerts role left it."""

    rules: Sequence[Rule]
    actions: Sequence[Action]
    engine: RoomEngine
    read: Read


def past_of(
    records: RecordsReader, readings: ReadingReader, facts: SqlFactsReader | None, room: RoomId
) -> Past | None:
    """None for a room without a rule."""
    kept = facts.kept(room) if facts is not None else None
    rules = rules_of(records, room)
    if not rules:
        return None
    assigned = records.assignments(room)
    series_of = by_probe(readings)
    actions = actions_of(records, room, assigned)
    probes = {one.probe for one in assigned}
    engine = RoomEngine(rules, actions)
    if kept is not None and not _changed(records, room, kept[1]):
        older = RoomEngine(rules, actions, _checkpoints(kept[2]))
        engine = older if _caught_up(older, readings, probes, kept[0]) else engine
    return Past(
        rules,
        actions,
        engine,
        lambda from_ms, to_ms: read_room(readings, series_of, assigned, from_ms, to_ms),
    )


def _checkpoints(kept: bytes) -> list[Checkpoint]:
    try:
        return msgspec.msgpack.decode(kept, type=list[Checkpoint]) if kept else []
    except msgspec.DecodeError:  # of another version of the rules
        return []


def _caught_up(
    engine: RoomEngine, readings: ReadingReader, probes: Collection[ProbeId], n: int
) -> bool:
    """What arrived since its checkpoints is touched; False when that is another store's count,
    or so much that the beginning is nearer."""
    head = readings.last_arrival()
    if not n <= head <= n + MOST_ARRIVALS:
        return False
    while n < head and (page := readings.arrivals(n)):
        for span in (span for arrival in page for span in arrival.spans):
            if span.series.probe in probes:
                engine.touch(span.first_ms, span.last_ms)
        n = page[-1].n
    return True


def _changed(records: RecordsReader, room: RoomId, m: int) -> bool:
    """What the room is judged by was changed after ``m``."""
    head = records.last_change()
    while m < head and (page := records.changes(m)):
        if any(room in change.rooms for change in page):
            return True
        m = page[-1].m
    return m > head  # the records were put back from a copy
