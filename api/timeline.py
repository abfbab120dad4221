"""One alarm in the order in which people and machines knew of it: who was told when, by which
channel, what the carrier said of it, and what came back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.alarms import what_was_said
from api.context import Context
from domain.incident import FOREVER_MS
from store.facts_ports import StoredFact

CAUSE_WITHIN_MS = 30 * 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class Mark:
    """An attempt, or a receipt: outcome, and the reason where one was given."""

    at_ms: int
    outcome: str
    detail: str


@dataclass(frozen=True, slots=True)
class Entry:
    """``what``: began | fired | cleared | told | reply | ack | case. ``kind`` says more of it."""

    at_ms: int
    what: str
    who: str = ""
    channel: str = ""
    kind: str = ""
    text: str = ""
    state: str = ""
    marks: Sequence[Mark] = ()


def timeline(context: Context, fact: StoredFact) -> list[Entry] | None:
    """Oldest first; None without the notices' file."""
    reader = context.sources.notices.get()
    if reader is None:
        return None
    found = [Entry(fact.began_at_ms, "began"), Entry(fact.fired_at_ms, "fired")]
    if fact.cleared_at_ms is not None:
        found.append(Entry(fact.cleared_at_ms, "cleared"))
    end_ms = FOREVER_MS if fact.cleared_at_ms is None else fact.cleared_at_ms
    told = reader.about_alarm(fact.room, fact.code, fact.fired_at_ms, end_ms)
    marks = reader.sendings([str(n["key"]) for n in told])
    found += [_told(n, marks.get(str(n["key"]), ())) for n in told]
    for one in reader.replies(1000):
        at_ms = int(str(one["at_ms"]))
        within = fact.fired_at_ms <= at_ms <= end_ms + CAUSE_WITHIN_MS
        if one["room"] == fact.room and within and (at_ms <= end_ms or one["understood"] != "ack"):
            word = str(one["understood"])
            found.append(Entry(at_ms, "reply", str(one["person"]), "sms", word, str(one["text"])))
    for action in context.records.actions(fact.room):
        if action.kind == "ack" and fact.fired_at_ms <= action.at_ms <= end_ms:
            channel = str(action.detail.get("channel", ""))
            if channel != "sms":  # that one stands there as the reply that it was
                found.append(Entry(action.at_ms, "ack", action.by, channel))
    for note in what_was_said(context, fact.room).notes(fact):
        words = ", ".join(sorted(note["said"]))
        found.append(Entry(int(note["recorded_at_ms"]), "case", str(note["by"]), "", words))
    return sorted(found, key=lambda one: one.at_ms)


def _told(notice: Mapping[str, Any], marks: Sequence[tuple[int, str, str]]) -> Entry:
    return Entry(
        int(notice["at_ms"]), "told", str(notice["to"]), str(notice["channel"]),
        str(notice["kind"]), str(notice["text"]), str(notice["state"]),
        [Mark(*mark) for mark in marks],
    )  # fmt: skip
