"""What the rules' alarms of a span were worth, out of the stores (``domain.tuning``)."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from api.alarms import WhatWasSaid
from domain.reading import RoomId
from domain.tuning import Again, Answered, Figures, Reconsider, figures, reconsider
from store.facts import SqlFactsReader
from store.records.ports import RecordsReader

FIRST_YEAR, LAST_YEAR = 2020, 2099


def answered(
    records: RecordsReader,
    facts: SqlFactsReader,
    span: tuple[int, int],
    room: RoomId | None = None,
) -> list[Answered]:
    """Every alarm that fired in the span, with what became of it."""
    found = facts.fired(*span, room)
    said = WhatWasSaid(records, room)
    acks = {id: _acks(records, id) for id in {fact.room for fact in found}}
    alarms: list[Answered] = []
    for fact in found:
        times = acks[fact.room]
        i = bisect_left(times, fact.fired_at_ms)
        acked = times[i] if i < len(times) else None
        if acked is not None and fact.cleared_at_ms is not None and acked > fact.cleared_at_ms:
            acked = None
        cause, named = _cause(said.notes(fact))
        alarms.append(
            Answered(
                fact.id, fact.room, fact.code, fact.level, fact.fired_at_ms, fact.cleared_at_ms,
                acked, cause, named,
            )
        )  # fmt: skip
    return alarms


def _cause(notes: Sequence[Mapping[str, Any]]) -> tuple[str | None, int | None]:
    """The newest word on it, and when the first one came."""
    causes = [note for note in notes if "cause" in note["said"]]
    if not causes:
        return None, None
    return str(causes[-1]["said"]["cause"]), int(causes[0]["recorded_at_ms"])


def _acks(records: RecordsReader, room: str) -> list[int]:
    return sorted(a.at_ms for a in records.actions(RoomId(room)) if a.kind == "ack")


def month_of(text: str, zone: ZoneInfo) -> tuple[int, int]:
    """``2026-05`` as [from, to) in the installation's zone. ``ValueError`` for what is no month."""
    try:
        first = datetime.strptime(text, "%Y-%m").replace(tzinfo=zone)
    except ValueError:
        raise ValueError("not a month: give YYYY-MM") from None
    if not FIRST_YEAR <= first.year <= LAST_YEAR:
        raise ValueError(f"not between {FIRST_YEAR} and {LAST_YEAR}")
    year, month = divmod(first.year * 12 + first.month, 12)
    after = first.replace(year=year, month=month + 1)
    return int(first.timestamp()) * 1000, int(after.timestamp()) * 1000


def as_json(alarms: list[Answered], span: tuple[int, int]) -> dict[str, Any]:
    return {
        "from_ms": span[0],
        "to_ms": span[1],
        "rules": [_figures(one) for one in figures(alarms)],
        "reconsider": [_reconsider(one) for one in reconsider(alarms)],
    }


def _figures(one: Figures) -> dict[str, Any]:
    return asdict(one) | {"real_share": round(float(one.real_share), 4)}


def _reconsider(one: Reconsider) -> dict[str, Any]:
    return {
        "code": one.figures.code,
        "why": one.why,
        "real_share": round(float(one.figures.real_share), 4),
        "again": [_again(again) for again in one.again],
    }


def _again(one: Again) -> dict[str, Any]:
    return {"room": one.room, "code": one.code, "alarms": [alarm.id for alarm in one.alarms]}
