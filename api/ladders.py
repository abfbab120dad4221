"""A room's ladder: who would be told at an instant and who is on duty, and what comes next."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from api.context import Context
from api.registry import Registry
from domain.incident import Contact as OnTurn
from domain.incident import RoomState, Rung, coming
from domain.reading import RoomId
from domain.roster import ROLES, Calendar, OnLadder, Shift, ladder, on_duty
from store.records.ports import Contact, Person
from store.records.reader import on_ladder


@dataclass(frozen=True, slots=True)
class Standing:
    """One person on one step. ``told``: this step would reach them now; ``instead``: although
    they are not on duty for it, and why (``domain.roster``). ``stopped_ms``: since when no text
    may be sent to them."""

    person: Person
    role: str
    on_duty: bool
    told: bool
    instead: str
    shifts: Sequence[Shift]
    stopped_ms: int | None


@dataclass(frozen=True, slots=True)
class Ladder:
    standings: Sequence[Standing]

    def step(self, role: str) -> list[Standing]:
        return [one for one in self.standings if one.role == role]

    @property
    def reaches(self) -> bool:
        """Somebody would be told of a critical at once."""
        return any(one.told and one.role == ROLES[0] for one in self.standings)

    @property
    def instead(self) -> str:
        """Why somebody else than an operator on duty would be told first; "" when one is."""
        first = [one.instead for one in self.standings if one.told and one.role == ROLES[0]]
        return first[0] if first else ""

    @property
    def on_turn(self) -> list[OnTurn]:
        """As the decision sees them."""
        return [
            OnTurn(one.person.id, one.role, one.person.phone) for one in self.standings if one.told
        ]


def ladder_of(context: Context, room: RoomId, at_ms: int) -> Ladder:
    """At an instant, by the duties, shifts and calendar that are recorded now."""
    return ladders(context, at_ms, [room])[room]


def ladders(
    context: Context, at_ms: int, rooms: Iterable[RoomId] | None = None
) -> dict[RoomId, Ladder]:
    """Of these rooms; None: of all."""
    registry = context.registry()
    duties = context.records.duties()
    people = {one.id: one for one in registry.people.values()}
    calendar = {day.day: day.counts_as for day in context.records.calendar()}
    stopped = {str(who): at for who, at in context.records.texts_stopped().items()}
    gone = {str(p.id) for p in people.values() if p.id in stopped and not _reached(context, p)}
    return {
        room: _ladder(
            on_ladder(duties, people, _scopes(registry, room)), calendar, stopped, gone, at_ms
        )
        for room in (registry.rooms if rooms is None else rooms)
    }


def _reached(context: Context, person: Person) -> bool:
    """By a call or an app, although no message may go to their phone (``alerts.routes``)."""
    settings = context.settings
    named = set(person.channels).intersection(settings.beyond_sms)
    return bool(named) or settings.beyond_sms_by_default


def _scopes(registry: Registry, room: RoomId) -> set[tuple[str, str]]:
    site = registry.sites[registry.rooms[room].site]
    found = {("room", str(room)), ("site", str(site.id))}
    above: str | None = site.region
    while above is not None:
        found.add(("region", above))
        above = registry.regions[above].parent
    return found


def _ladder(
    contacts: Sequence[Contact],
    calendar: Calendar,
    stopped: Mapping[str, int],
    gone: Set[str],
    at_ms: int,
) -> Ladder:
    people: dict[str, Person] = {c.person.id: c.person for c in contacts}
    known = [OnLadder(c.person.id, c.role, c.shifts, c.person.id not in gone) for c in contacts]
    told = {(t.person, t.role): t.instead for t in ladder(known, calendar, at_ms)}
    shifts = {(one.person, one.role): one.shifts for one in known}
    return Ladder(
        [
            Standing(
                people[who],
                role,
                (who, role) in shifts and on_duty(shifts[who, role], calendar, at_ms),
                (who, role) in told,
                told.get((who, role), ""),
                shifts.get((who, role), ()),
                stopped.get(who),
            )
            for who, role in [one for one in told if one not in shifts] + list(shifts)
        ]
    )


def next_rungs(context: Context, subject: str, on_turn: Sequence[OnTurn]) -> list[Rung]:
    """What comes next in a room's open incident if nobody answers."""
    state = state_of(context, subject)
    return coming(state, on_turn) if state else []


def state_of(context: Context, subject: str) -> RoomState | None:
    return context.sources.notices.ask(lambda reader: reader.state(subject))


def unstaffed(context: Context, at_ms: int) -> dict[RoomId, Ladder]:
    """Rooms in which nobody, or somebody else than an operator on duty, would be told first."""
    found = ladders(context, at_ms)
    return {room: one for room, one in found.items() if not one.reaches or one.instead}
