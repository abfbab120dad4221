"""What people said of alarms, and which alarms those are by now.

Facts are derived: late data moves them, and a file that is made anew gives them other ids. What
somebody said stays. So it names the alarm by what it was: its code, its room, and the time in
which it rang as far as was known when they spoke. It belongs to every alarm of that code in that
room that shares time with it, in whatever order the data came. Two alarms of one code in one
room never share time, so nobody's word slips over to another; of an alarm that falls into
two, both parts have it.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from domain.span import FOREVER
from store.facts_ports import StoredFact
from store.records.ports import NamedAlarm


def named(fact: StoredFact, now_ms: int) -> NamedAlarm:
    """As it is known now."""
    end_ms = now_ms if fact.cleared_at_ms is None else fact.cleared_at_ms
    to_ms = max(end_ms, fact.fired_at_ms + 1)
    return NamedAlarm(fact.id, fact.room, fact.code, fact.fired_at_ms, to_ms)


def is_of(note: Mapping[str, Any], fact: StoredFact) -> bool:
    """``note``: a row of ``RecordsReader.cases``."""
    if note["code"] is None:  # of a time before notes named their alarm, and not yet settled
        return bool(note["fact_id"] == fact.id)
    if (note["room"], note["code"]) != (fact.room, fact.code):
        return False
    end_ms = FOREVER if fact.cleared_at_ms is None else fact.cleared_at_ms
    shared = min(note["to_ms"], max(end_ms, fact.fired_at_ms + 1))
    return bool(shared > max(note["from_ms"], fact.fired_at_ms))


class Words:
    """All that was said, to be asked alarm by alarm."""

    def __init__(self, notes: Iterable[Mapping[str, Any]]) -> None:
        """Newest first, as ``RecordsReader.cases`` gives them."""
        self._notes: dict[tuple[str, str | None], list[Mapping[str, Any]]] = {}
        for note in notes:
            self._notes.setdefault((note["room"], note["code"]), []).append(note)

    def of(self, fact: StoredFact) -> list[Mapping[str, Any]]:
        """Oldest first."""
        near = [
            note
            for code in (fact.code, None)
            for note in self._notes.get((fact.room, code), ())
            if is_of(note, fact)
        ]
        return sorted(near, key=lambda note: int(note["m"]))
