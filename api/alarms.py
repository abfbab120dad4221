"""Facts together with what people said of them: cases, and who was told when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from api.context import Context
from domain.reading import RoomId
from store.facts_ports import StoredFact
from store.records.ports import RecordsReader
from store.words import Words, named

DAY_MS = 24 * 3600 * 1000
MOST_FACTS = 1_000
ADMIN = "admin"  # who signed in without being one of the people (``api.sessions``)


@dataclass(frozen=True, slots=True)
class Said:
    """What people said of one fact, the newest word of each field; ``who`` said the last."""

    cause: str | None = None
    action: str | None = None
    note: str | None = None
    person: str | None = None  # who takes it
    disposition: Mapping[str, str] = field(default_factory=dict)
    closed: bool = False
    who: str = ""
    at_ms: int | None = None


NOTHING_SAID = Said()


class WhatWasSaid:
    def __init__(self, records: RecordsReader, room: RoomId | None = None) -> None:
        self._words = Words(records.cases(room))

    def of(self, fact: StoredFact) -> Said:
        one: dict[str, Any] = {"disposition": {}}
        for note in self._words.of(fact):
            said: Mapping[str, Any] = note["said"]
            dispositions = {**one["disposition"], **said.get("disposition", {})}
            one.update(
                {name: said[name] for name in ("cause", "action", "note", "person") if name in said}
            )
            one["closed"] = bool(said.get("closed", one.get("closed", False)))
            one.update(disposition=dispositions, who=str(note["by"]), at_ms=note["recorded_at_ms"])
        return Said(**one)

    def notes(self, fact: StoredFact) -> list[Mapping[str, Any]]:
        """Oldest first."""
        return self._words.of(fact)


def what_was_said(context: Context, room: RoomId | None = None) -> WhatWasSaid:
    return WhatWasSaid(context.records, room)


@dataclass(frozen=True, slots=True)
class Case:
    """A critical fact and what was said of it. Open until somebody closes it."""

    fact: StoredFact
    said: Said

    @property
    def open(self) -> bool:
        return not self.said.closed


def cases(facts: Sequence[StoredFact], said: WhatWasSaid, *, only_open: bool = False) -> list[Case]:
    found = [Case(f, said.of(f)) for f in facts if f.level == "critical"]
    return [case for case in found if case.open or not only_open]


def facts_since(
    context: Context, from_ms: int, room: RoomId | None = None
) -> list[StoredFact] | None:
    """Every fact that was active at or after the instant, newest first; None without facts."""
    return context.sources.facts.ask(
        lambda reader: reader.facts(room, from_ms=from_ms, limit=MOST_FACTS)
    )


def acknowledged(context: Context, fact: StoredFact) -> tuple[int, str] | None:
    """When and by whom, for an acknowledgement in the alarm's time."""
    for action in context.records.actions(fact.room):
        after_end = fact.cleared_at_ms is not None and action.at_ms > fact.cleared_at_ms
        if action.kind == "ack" and action.at_ms >= fact.fired_at_ms and not after_end:
            return action.at_ms, action.by
    return None


def note_cause(context: Context, room: RoomId, cause: str, at_ms: int, by: str) -> None:
    """A cause that came with a reply, after the all-clear, belongs to what had just ended: the
    room's facts that cleared last, as far as nobody named their cause before."""
    said = what_was_said(context, room)
    facts = facts_since(context, at_ms - DAY_MS, room) or ()
    ended = [f for f in facts if f.cleared_at_ms is not None and f.cleared_at_ms <= at_ms]
    if not ended:
        return
    incident_ms = max(ended, key=lambda f: f.cleared_at_ms or 0).began_at_ms
    for fact in ended:
        same = (fact.cleared_at_ms or 0) >= incident_ms
        if same and said.of(fact).cause is None:
            say(context, fact, {"cause": cause}, by)


def say(context: Context, fact: StoredFact, said: Mapping[str, Any], by: str) -> int:
    """The change that holds it. With it stands what the person was then: roles change."""
    now_ms = context.now_ms()
    role = _role(context, fact.room, str(said.get("person") or by))
    words = {**said, **({"role": role} if role else {})}
    return context.records.say_of_case(named(fact, now_ms), words, by=by, now_ms=now_ms)


def _role(context: Context, room: RoomId, person: str) -> str:
    """On the room's ladder; "" for somebody who is not on it."""
    if person == ADMIN:
        return ADMIN
    held = (c.role for c in context.records.contacts(room) if c.person.id == person)
    return next(held, "")
