"""Why a room's alarms ring or are silent at an instant, out of the stores.

Nothing is written. Needs readings and records; without facts it only takes longer.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from api.console.language import LANGUAGES, Words
from api.context import Context
from api.judging import past_of
from domain.explain import SHOWN_MS, Explanation, RuleState, explain
from domain.profile import NEVER, Limit
from domain.quantity import QUANTITIES
from domain.reading import RoomId
from domain.reason import sentence
from domain.room_state import probe_of, quantity_of
from store.facts import SqlFactsReader
from store.facts_ports import StoredFact
from store.ports import ReadingReader
from store.records.ports import RecordsReader, Silence


def explanation(
    records: RecordsReader,
    readings: ReadingReader,
    facts: SqlFactsReader | None,
    room: RoomId,
    at_ms: int,
) -> Explanation | None:
    """None for a room without a rule. Raises ``Impossible`` for one that cannot be."""
    past = past_of(records, readings, facts, room)
    if past is None:
        return None
    standing, judgement = past.engine.stand(at_ms, SHOWN_MS, past.read)
    rows = past.read(max(at_ms - SHOWN_MS + 1, 0), at_ms + 1)
    return explain(standing, judgement, rows)


async def explained(context: Context, room: RoomId, at_ms: int) -> Explanation | None:
    """For an answer: on a thread of its own, because others wait for the loop."""
    readings = context.sources.readings.need()
    facts = context.sources.facts.get()
    return await asyncio.to_thread(explanation, context.records, readings, facts, room, at_ms)


def silences_at(records: RecordsReader, room: RoomId, at_ms: int) -> list[Silence]:
    """Rules of which nobody was told at the instant; they were judged all the same."""
    return [
        one
        for one in records.silences(at_ms)
        if one.room == room and one.from_ms <= at_ms < one.to_ms
    ]


def clock_of(words: Words, at_ms: int) -> Callable[[int], str]:
    """The hour on the day that is explained, with its date on any other."""

    def clock(ms: int) -> str:
        return words.clock(ms) if words.day(ms) == words.day(at_ms) else words.time(ms)

    return clock


def sentences(one: RuleState, at_ms: int, words: Callable[[str], Words]) -> dict[str, str]:
    """By language."""
    return {lang: sentence(one, lang, clock_of(words(lang), at_ms)) for lang in LANGUAGES}


def notes(found: Explanation, words: Words) -> list[str]:
    """What to know before anything else is read: that nothing had been measured yet, or that no
    rule was in force and the first one stands in for it."""
    said = [words("why.blind")] if found.blind else []
    if found.rule.from_ms > found.at_ms:
        said.append(words("why.rule_later", time=words.time(found.rule.from_ms)))
    return said


async def why_raised(context: Context, fact: StoredFact) -> dict[str, str] | None:
    """By language: how the alarm's rule stood when it fired. None without readings or rule."""
    if context.sources.readings.get() is None:
        return None
    found = await explained(context, fact.room, fact.fired_at_ms)
    state = found.state_of(fact.code) if found else None
    if state is None:
        return None
    words = partial(Words, zone=context.zone, now_ms=context.now_ms())
    return sentences(state, fact.fired_at_ms, words)


# --- as programs read it


def as_json(
    found: Explanation,
    room: RoomId,
    words: Callable[[str], Words],
    silences: Sequence[Silence] = (),
) -> dict[str, Any]:
    rule = found.rule
    return {
        "room": room,
        "at_ms": found.at_ms,
        "notes": {lang: notes(found, words(lang)) for lang in LANGUAGES},
        "rule": {
            "change": rule.id,
            "from_ms": rule.from_ms,
            "profile": rule.profile,
            "commodities": rule.commodities,
            "interval_s": rule.interval_s,
            "overrides": rule.overrides,
            "limits": found.limits_name,
        },
        "rules": [_state(one) | sentences(one, found.at_ms, words) for one in found.rules],
        "pauses": [asdict(pause) for pause in found.pauses],
        "silences": [
            {
                "code": one.code,
                "from_ms": one.from_ms,
                "to_ms": one.to_ms,
                "by": one.by,
                "reason": one.reason,
            }
            for one in silences
        ],
        "signals": [asdict(signal) for signal in found.signals],
        "samples": [
            {
                "at_ms": one.at_ms,
                "probe": one.probe,
                "quantity": one.quantity,
                "value": number(one.count, one.quantity),
                "counted": not one.why_not,
                "why_not": one.why_not,
            }
            for one in found.samples
        ],
    }


def number(count: int | None, quantity: str) -> float | None:
    return None if count is None else float(QUANTITIES[quantity].value(count))


def _state(one: RuleState) -> dict[str, Any]:
    quantity = measured(one)
    origin = one.book.origin
    return {
        "id": one.book.id,
        "code": one.code,
        "level": one.level,
        "status": one.status,
        "limit": None if one.limit is None else _limit(one.limit, quantity),
        "origin": asdict(origin)
        | {"edition": one.book.edition, "effective": one.book.effective.isoformat()},
        "commodity": one.commodity or None,
        "changed": one.changed,
        "causes": [asdict(pause) for pause in one.causes],
        "probe": probe_of(one.source) or None,
        "quantity": quantity_of(one.source) or None,
        "value": number(one.value, quantity),
        "value_at_ms": one.value_at_ms,
        "since_ms": one.since_ms,
        "fired_at_ms": one.fired_at_ms,
        "due_ms": one.due_ms,
        "peak": number(one.peak, "temperature"),
        "dose_min": None if one.dose_ms is None else one.dose_ms / 60_000,
        "trend": None if one.trend is None else asdict(one.trend),
    }


def measured(one: RuleState) -> str:
    return quantity_of(one.source) or ("humidity" if one.code == "WARN_RH" else "temperature")


def _limit(limit: Limit, quantity: str) -> dict[str, Any]:
    def side(count: int) -> float | None:
        return None if abs(count) >= NEVER else number(count, quantity)

    below = limit.low - 1 if limit.inclusive else limit.low
    return {
        "above": side(limit.high),
        "below": side(below),
        "inclusive": limit.inclusive,
        "delay_min": limit.delay_ms / 60_000,
        "clears_at_most": side(limit.clear_high),
        "clears_at_least": side(limit.clear_low),
    }
