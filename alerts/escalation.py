"""Who is on a room's ladder, and what their replies do to it.

A reply is stored before anything else. What it means is then written together with the ladder
that it stopped and the answer to it; the api hears of it afterwards, as often as it takes.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from alerts.replies import Acknowledges, AsksTemperature, Meaning, Unclear, Unsubscribes, meaning
from domain.incident import DAY_MS, Contact
from domain.reading import RoomId
from store.notices import KeptReply, OpenIncident
from store.records.ports import Person, RecordsReader

log = logging.getLogger(__name__)

CAUSE_WITHIN_MS = 30 * DAY_MS  # a code names its closed incident for so long


class Rosters:
    """Contacts by room, as records have them; ``refresh`` after records changed."""

    def __init__(self, records: RecordsReader) -> None:
        self._records = records
        self._contacts: dict[RoomId, list[Contact]] = {}
        self._people: dict[str, Person] | None = None

    def refresh(self) -> None:
        self._contacts.clear()
        self._people = None

    def of(self, room: RoomId) -> list[Contact]:
        if room not in self._contacts:
            self._contacts[room] = [
                Contact(c.person.id, c.role, c.person.phone, c.person.lang, c.person.quiet_hours)
                for c in self._records.contacts(room)
            ]
        return self._contacts[room]

    def people(self) -> Mapping[str, Person]:
        if self._people is None:
            self._people = {p.id: p for p in self._records.people()}
        return self._people

    def by_phone(self, phone: str) -> Person | None:
        return next((p for p in self.people().values() if _same(p.phone, phone)), None)


def _same(one: str, other: str) -> bool:
    """Carriers leave the plus away."""
    return one.lstrip("+") == other.lstrip("+")


@dataclass(frozen=True, slots=True)
class Understood:
    """``word`` labels it: ack, cause, temperature, which, nothing-open, unclear, unsubscribe,
    stranger. ``answer`` is what to ask or tell back, by word, with the incidents to choose from."""

    word: str
    person: Person | None = None
    room: str = ""
    cause: str = ""
    choices: Sequence[OpenIncident] = ()


def understand(
    reply: KeptReply,
    rosters: Rosters,
    incidents: Sequence[OpenIncident],
    told: Mapping[str, set[str]],
) -> Understood:
    """``incidents``: open and recently closed, newest first. ``told``: of which rooms' open
    incidents each person was told."""
    person = rosters.by_phone(reply.phone)
    if person is None:
        return Understood("stranger")
    said: Meaning = meaning(reply.text)
    match said:
        case Unsubscribes():
            return Understood("unsubscribe", person)
        case AsksTemperature():
            return Understood("temperature", person)
        case Unclear():
            return Understood("unclear", person)
        case Acknowledges():
            return _acknowledged(said, person, rosters, incidents, told)


def _acknowledged(
    said: Acknowledges,
    person: Person,
    rosters: Rosters,
    incidents: Sequence[OpenIncident],
    told: Mapping[str, set[str]],
) -> Understood:
    if not said.code:
        mine = [
            i for i in incidents
            if i.closed_ms is None and i.room in told.get(person.id, set())
        ]  # fmt: skip
        if len(mine) == 1:
            return Understood("ack", person, mine[0].room)
        return Understood("which" if mine else "nothing-open", person, choices=mine)
    named = next((i for i in incidents if i.code == said.code), None)
    if named is None or all(c.id != person.id for c in rosters.of(RoomId(named.room))):
        return Understood("unclear", person)
    if named.closed_ms is None:
        return Understood("ack", person, named.room)
    if said.cause:
        return Understood("cause", person, named.room, said.cause)
    return Understood("nothing-open", person, named.room)
