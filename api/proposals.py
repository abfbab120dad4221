"""What would have spared a room its alarms for nothing, out of the stores (``domain.proposing``).

For ``coldtrail tuning --propose``, the API and the console. Nothing is written: a person puts a
proposal in force, or does not.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from api.context import Context
from api.dry_runs import MOST_READINGS, Recorded, Trial, recorded_in
from api.dry_runs import as_json as trial_as_json
from api.judging import past_of
from api.problems import Problem
from domain.judgement import Fact
from domain.proposing import Changed, Past, forbidding, suggest
from domain.reading import RoomId
from store.facts import SqlFactsReader
from store.ports import ReadingReader
from store.records.ports import RecordsReader

MOST_ROOMS = 20  # in one answer; the command has no such bound


@dataclass(frozen=True, slots=True)
class Proposed:
    """``trial``: what the proposal would have made of the span. ``forbids``: alarms with a real
    cause, for which other rules that rang for nothing stay as they are."""

    changes: tuple[Changed, ...]
    trial: Trial
    forbids: tuple[tuple[Fact, Recorded], ...]


@dataclass(frozen=True, slots=True)
class Forbidden:
    """Nothing is proposed, because these alarms with a real cause would be lost or late."""

    room: RoomId
    forbids: tuple[tuple[Fact, Recorded], ...]


def propose(
    records: RecordsReader,
    readings: ReadingReader,
    facts: SqlFactsReader,
    room: RoomId,
    span: tuple[int, int],
    *,
    most: int | None = None,
) -> Proposed | Forbidden | None:
    """None for a room without a rule, with too little past, or with nothing to spare. ``Problem``
    for more readings than ``most``."""
    past = past_of(records, readings, facts, room)
    if past is None:
        return None
    held = next((r for r in reversed(past.rules) if r.from_ms <= span[1]), past.rules[0])
    columns = past.read(0, span[1] + 1)
    rows = sum(map(len, columns.values()))
    if most is not None and rows > most:
        raise Problem(413, f"more than {most} readings: use coldtrail tuning", field="room")
    recorded = recorded_in(records, facts, room, span)
    causes = {name: one.cause for name, one in recorded.items() if one.cause is not None}
    judged = past.engine.judge(span[1], past.read)
    judged_past = Past(held, columns, past.actions, judged, causes, span)
    found = suggest(judged_past)
    changed = {change.code for change in found.changes} if found else set()
    forbids = tuple(
        (fact, recorded[fact.code, fact.fired_at_ms])
        for fact in forbidding(judged_past)
        if fact.code not in changed and (fact.code, fact.fired_at_ms) in recorded
    )
    if found is None:
        return Forbidden(room, forbids) if forbids else None
    trial = Trial(room, held, found.rule, found.difference, recorded, rows)
    return Proposed(found.changes, trial, forbids)


async def proposed(
    context: Context, room: RoomId, span: tuple[int, int]
) -> Proposed | Forbidden | None:
    """For an answer: on a thread of its own, because others wait for the loop."""
    readings, facts = context.sources.readings.need(), context.sources.facts.need()

    def work() -> Proposed | Forbidden | None:
        return propose(context.records, readings, facts, room, span, most=MOST_READINGS)

    return await asyncio.to_thread(work)


def as_json(
    found: Iterable[Proposed | Forbidden | None], span: tuple[int, int]
) -> Mapping[str, Any]:
    every = list(found)
    return {
        "from_ms": span[0],
        "to_ms": span[1],
        "rooms": [
            trial_as_json(one.trial) | {"why": [asdict(change) for change in one.changes]}
            for one in every
            if isinstance(one, Proposed)
        ],
        "forbidden": [
            {
                "room": one.trial.room if isinstance(one, Proposed) else one.room,
                "alarms": [
                    {"id": r.id, "code": f.code, "fired_at_ms": f.fired_at_ms, "cause": r.cause}
                    for f, r in one.forbids
                ],
            }
            for one in every
            if one is not None and one.forbids
        ],
    }
