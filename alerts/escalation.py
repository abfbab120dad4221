"""Who is on a room's ladder, and what their replies do to it.

A reply is stored before anything else. What it means is then written together with the ladder
that it stopped and the answer to it; the api hears of it afterwards, as often as it takes.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from alerts.routes import ONE, SMS, Routes
from alerts.subjects import is_room, rooms_behind
from domain.incident import DAY_MS, Contact
from domain.reading import PersonId, RoomId
from domain.replies import (
    Acknowledges,
    AsksTemperature,
    Meaning,
    Resumes,
    Unclear,
    Unsubscribes,
    meaning,
)
from domain.roster import ROLES, OnLadder, ladder
from store.notices import KeptReply, OpenIncident
from store.records.ports import Contact as Everyone
from store.records.ports import Person, RecordsReader

log = logging.getLogger(__name__)

ANSWER = "answer"  # kind of a notice: to a reply
CAUSE_WITHIN_MS = 30 * DAY_MS  # a code names its closed incident for so long


class Rosters:
    """Contacts by room (or gateway, or drill), as records have them; ``refresh`` after records
    changed. Whoever unsubscribed is on the ladder as long as something else reaches them."""

    def __init__(self, records: RecordsReader, routes: Routes = ONE) -> None:
        self._records, self._routes = records, routes
        self._everyone: dict[str, list[Everyone]] = {}
        self._people: dict[str, Person] | None = None
        self._calendar: dict[str, str] = {}
        self._stopped: frozenset[str] = frozenset()

    def refresh(self) -> None:
        self._everyone.clear()
        self._people = None

    def leave_out(self, channel: str) -> None:
        """Nobody is reached by it."""
        self._routes = self._routes.without(channel)

    def of(self, subject: str, now_ms: int) -> list[Contact]:
        """Whom the ladder tells at this instant."""
        everyone = self.everyone(subject)
        people = {c.person.id: c.person for c in everyone}
        standing = [
            OnLadder(c.person.id, c.role, c.shifts, self._reachable(c.person)) for c in everyone
        ]
        return [
            Contact(t.person, t.role, p.phone, p.lang, p.quiet_hours, t.instead)
            for t in ladder(standing, self._calendar, now_ms)
            for p in (people[PersonId(t.person)],)
        ]

    def everyone(self, subject: str) -> list[Everyone]:
        """On duty or not."""
        self.people()
        if subject not in self._everyone:
            found: dict[tuple[str, str], Everyone] = {}
            for room in rooms_behind(self._records, subject):
                for c in self._records.contacts(room):
                    found.setdefault((c.person.id, c.role), c)
            self._everyone[subject] = list(found.values())
        return self._everyone[subject]

    def people(self) -> Mapping[str, Person]:
        if self._people is None:
            self._people = {p.id: p for p in self._records.people()}
            self._calendar = {d.day: d.counts_as for d in self._records.calendar()}
            self._stopped = frozenset(self._records.texts_stopped())
        return self._people

    def reached(self, person: str) -> Person | None:
        """None: there is nobody of that name any more, or nothing reaches them."""
        found = self.people().get(person)
        return found if found is not None and self._reachable(found) else None

    def hears(self, person: str, channel: str, kind: str, codes: Iterable[str]) -> Person | None:
        """``reached``, by something that carries this notice."""
        found = self.reached(person)
        return found if found is not None and self.route(found, channel, kind, codes) else None

    def route(self, person: Person, channel: str, kind: str, codes: Iterable[str]) -> list[str]:
        """The names of the channels to try, in order. Answers go back the way they came."""
        gone = person.id in self._stopped and kind != ANSWER
        return self._routes.of(channel, kind, codes, person.channels, unsubscribed=gone)

    def _reachable(self, person: Person) -> bool:
        return person.id not in self._stopped or bool(self._routes.beyond_sms(person.channels))

    def refuses(self, person: str, via: str, kind: str) -> bool:
        """They unsubscribed, and this channel sends to their number."""
        gone = person in self.people() and person in self._stopped and kind != ANSWER
        return gone and self._routes.ways[via].carries == SMS

    def forsaken(self) -> dict[RoomId, str]:
        """Rooms with operators of whom none can be told, because they unsubscribed, and who."""
        self.people()
        if not self._stopped:
            return {}
        found = {}
        for room in self._records.rooms():
            operators = [c.person for c in self.everyone(room.id) if c.role == ROLES[0]]
            if operators and not any(map(self._reachable, operators)):
                found[room.id] = ", ".join(sorted({p.id for p in operators}))
        return found

    def with_role(self, role: str) -> list[str]:
        """Ids of the people who have it anywhere."""
        return sorted({d.person for d in self._records.duties() if d.role == role})

    def runs_the_platform(self, owners: Sequence[str]) -> list[Person]:
        """Whom to tell of the system itself: the owners; without any, whoever can be reached with
        the highest role that anybody has."""
        for ids in (owners, *(self.with_role(role) for role in reversed(ROLES))):
            if found := [p for id in ids if (p := self.reached(id)) is not None]:
                return found
        return []

    def by_phone(self, phone: str) -> Person | None:
        return next((p for p in self.people().values() if _same(p.phone, phone)), None)


def _same(one: str, other: str) -> bool:
    """Carriers leave the plus away."""
    return one.lstrip("+") == other.lstrip("+")


@dataclass(frozen=True, slots=True)
class Understood:
    """``word`` labels it: ack, cause, temperature, which, over, wrong-code, nothing-open,
    unclear, unsubscribe, resume, stranger. ``choices``: the incidents to choose from. ``code``:
    of the one that is over."""

    word: str
    person: Person | None = None
    room: str = ""
    cause: str = ""
    code: str = ""
    choices: Sequence[OpenIncident] = ()


def understand(
    reply: KeptReply,
    rosters: Rosters,
    incidents: Sequence[OpenIncident],
    told: Mapping[str, set[str]],
    acked: Set[str] = frozenset(),
) -> Understood:
    """``incidents``: open and recently closed, newest first. ``told``: of which rooms' open
    incidents each person was told; ``acked``: those of them that somebody has acknowledged."""
    person = rosters.by_phone(reply.phone)
    if person is None:
        return Understood("stranger")
    said: Meaning = meaning(reply.text)
    mine = [i for i in incidents if i.closed_ms is None and i.room in told.get(person.id, ())]
    waiting = [i for i in mine if i.room not in acked]
    match said:
        case Unsubscribes():
            return Understood("unsubscribe", person)
        case Resumes():
            return Understood("resume", person)
        case AsksTemperature():
            return Understood("temperature", person)
        case Unclear():
            return Understood("unclear", person, choices=waiting)
        case Acknowledges(code=""):
            # One that was acknowledged asks for nothing: the digit means the other.
            meant = waiting or mine
            if len(meant) == 1:
                return Understood("ack", person, meant[0].room)
            return Understood("which" if waiting else "nothing-open", person, choices=waiting)
        case Acknowledges():
            return _by_code(said, person, rosters, incidents, waiting)


def _by_code(
    said: Acknowledges,
    person: Person,
    rosters: Rosters,
    incidents: Sequence[OpenIncident],
    waiting: Sequence[OpenIncident],
) -> Understood:
    named = next((i for i in incidents if i.code == said.code), None)
    if named is None or all(c.person.id != person.id for c in rosters.everyone(named.room)):
        return Understood("wrong-code", person, choices=waiting)
    if named.closed_ms is None:
        return Understood("ack", person, named.room)
    if said.cause and is_room(named.room):
        return Understood("cause", person, named.room, said.cause)
    return Understood("over", person, named.room, code=named.code)
