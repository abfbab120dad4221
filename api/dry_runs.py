"""A rule tried on what is stored, before it is in force. Nothing is written.

For the API, the console and ``coldtrail dry-run``: a room's whole past up to the end of the span is
judged twice (``domain.dry_run``), and what people said of the alarms that were is laid beside:
an alarm that would be lost although somebody named a cause is the one to think about.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from api.alarms import WhatWasSaid
from api.context import Context
from api.judging import past_of
from api.problems import Problem
from domain.dry_run import Change, Difference, Proposal, compare, proposed, ruled
from domain.judgement import Fact, Rule
from domain.reading import RoomId
from store.facts import SqlFactsReader
from store.ports import ReadingReader
from store.records.ports import RecordsReader

MOST_READINGS = 2_000_000  # of one room in one answer; the command has no such bounds
MOST_ROOMS = 100
DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Recorded:
    """The alarm in the record that a change is about, and the cause that people named."""

    id: str
    cause: str | None

    @property
    def real(self) -> bool:
        return self.cause is not None and self.cause != "false"


@dataclass(frozen=True, slots=True)
class Trial:
    """``held``: the rule in force at the end of the span. ``recorded`` by (code, fired)."""

    room: RoomId
    held: Rule
    proposal: Rule
    difference: Difference
    recorded: Mapping[tuple[str, int], Recorded]
    readings: int

    def of(self, change: Change) -> Recorded | None:
        fact = change.before
        return None if fact is None else self.recorded.get((fact.code, fact.fired_at_ms))

    @property
    def lost_real(self) -> list[Change]:
        """Alarms with a real cause that the proposal would not have raised."""
        return [
            change
            for change in self.difference.changes
            if change.kind == "lost" and (was := self.of(change)) is not None and was.real
        ]


def try_rule(
    records: RecordsReader,
    readings: ReadingReader,
    facts: SqlFactsReader | None,
    room: RoomId,
    proposal: Proposal,
    span: tuple[int, int],
    *,
    most: int | None = None,
) -> Trial | None:
    """None for a room without a rule. Raises ``Impossible``; ``Problem`` for more readings than
    ``most``."""
    past = past_of(records, readings, facts, room)
    if past is None:
        return None
    held = next((r for r in reversed(past.rules) if r.from_ms <= span[1]), past.rules[0])
    wanted = proposed(held, proposal)
    columns = past.read(0, span[1] + 1)
    rows = sum(map(len, columns.values()))
    if most is not None and rows > most:
        raise Problem(413, f"more than {most} readings: use coldtrail dry-run", field="rooms")
    before = past.engine.judge(span[1], past.read)
    after = ruled(wanted, past.actions, columns, span[1])
    difference = compare(before, after, span)
    return Trial(room, held, wanted, difference, recorded_in(records, facts, room, span), rows)


def recorded_in(
    records: RecordsReader, facts: SqlFactsReader | None, room: RoomId, span: tuple[int, int]
) -> dict[tuple[str, int], Recorded]:
    if facts is None:
        return {}
    said = WhatWasSaid(records, room)
    found = facts.facts(room, from_ms=span[0], to_ms=span[1] + 1)
    return {(f.code, f.fired_at_ms): Recorded(f.id, said.of(f).cause) for f in found}


async def tried(
    context: Context, room: RoomId, proposal: Proposal, span: tuple[int, int]
) -> Trial | None:
    """For an answer: on a thread of its own, because others wait for the loop."""
    readings, facts = context.sources.readings.need(), context.sources.facts.get()

    def work() -> Trial | None:
        return try_rule(context.records, readings, facts, room, proposal, span, most=MOST_READINGS)

    return await asyncio.to_thread(work)


def as_json(trial: Trial) -> dict[str, Any]:
    difference = trial.difference
    return {
        "room": trial.room,
        "held": _rule(trial.held),
        "proposal": _rule(trial.proposal),
        "readings": trial.readings,
        "before": dict(difference.before),
        "after": dict(difference.after),
        "same": difference.same,
        "lost_with_a_real_cause": len(trial.lost_real),
        "changes": [_change(change, trial.of(change)) for change in difference.changes],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    fields = asdict(rule)
    return {name: fields[name] for name in ("profile", "commodities", "interval_s", "overrides")}


def _change(change: Change, recorded: Recorded | None) -> dict[str, Any]:
    return {
        "kind": change.kind,
        "code": change.code,
        "before": _fact(change.before),
        "after": _fact(change.after),
        "later_min": None if change.later_ms is None else change.later_ms / 60_000,
        "alarm": recorded.id if recorded else None,
        "cause": recorded.cause if recorded else None,
    }


def _fact(fact: Fact | None) -> dict[str, Any] | None:
    if fact is None:
        return None
    return {
        "level": fact.level,
        "began_at_ms": fact.began_at_ms,
        "fired_at_ms": fact.fired_at_ms,
        "cleared_at_ms": fact.cleared_at_ms,
        "peak": None if fact.peak is None else fact.peak / 100,
        "degree_minutes": fact.degree_minutes,
    }
