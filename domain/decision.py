"""Whom to tell now, on which channel, and of what; or silence.

``step`` is driven by arrivals and by the timers that ``next_wake_ms`` names, in a replay as in
the live service. Its state is a value: kept together with the notices that it gave, a crash
neither loses nor doubles one.

Here live the things that span rooms: the morning digest, the caps per person, and the one
message for what takes many sites at once. One room's own course: ``domain.incident``.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from domain.incident import (
    DAY_MS,
    HOUR_MS,
    LOCAL_OFFSET_MS,
    MINUTE_MS,
    POWER,
    Contact,
    Known,
    RoomSeen,
    RoomState,
    Say,
    morning,
)  # fmt: skip
from domain.incident import step as room_step

DIGEST_MS = 6 * HOUR_MS + 30 * MINUTE_MS  # local time of day
POWER_WINDOW_MS = 10 * MINUTE_MS
POWER_SITES = 5
AN_HOUR, A_DAY = 6, 20  # text messages to one person
WIDE = ("township", "county")  # whose rooms are many
TOGETHER = frozenset({"escalate", "repeat", "clear"})


@dataclass(frozen=True, slots=True)
class Notice:
    """``room`` empty: it spans rooms. ``incident`` is the room's incident number, 0 for none.
    ``about``: what it tells, by room. ``key`` is the same however often it is derived."""

    key: str
    at_ms: int
    to: str
    channel: str  # sms | voice
    kind: str  # raise | escalate | repeat | clear | past | corrected | digest
    codes: tuple[str, ...]
    room: str
    incident: int
    about: tuple[tuple[str, Known], ...]
    sites: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PersonState:
    """``sent``: instants of the text messages of the last 24 h. ``held``: over the cap."""

    sent: tuple[int, ...] = ()
    held: tuple[tuple[str, Known], ...] = ()
    held_codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Together:
    """Of one kind to one contact: ``told``, when of which site in the last ten minutes; ``held``
    for the one message that is due at ``due_ms``, each with its site."""

    told: tuple[tuple[int, str], ...] = ()
    held: tuple[tuple[str, str, Known], ...] = ()  # site, room, what
    codes: tuple[str, ...] = ()
    due_ms: int | None = None


@dataclass(frozen=True, slots=True)
class State:
    """``power``: by contact, when which of the sites raised POWER_LOSS_WARN. ``together``: by
    kind of notice and contact."""

    rooms: Mapping[str, RoomState] = field(default_factory=dict)
    people: Mapping[str, PersonState] = field(default_factory=dict)
    power: Mapping[str, tuple[tuple[int, str], ...]] = field(default_factory=dict)
    digest_ms: int | None = None
    together: Mapping[str, Together] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Seen:
    """``rooms``: every room in which something changed, and every room that is due.
    ``contacts`` and ``sites``: of those rooms. ``acked``: rooms acknowledged at this moment.
    ``together``: from the fifth site within ten minutes on, township and county hear of the rest
    in one message; a replay tells them of each."""

    rooms: Mapping[str, RoomSeen]
    contacts: Mapping[str, Sequence[Contact]]
    sites: Mapping[str, str]
    acked: frozenset[str] = frozenset()
    together: bool = False


def due(state: State, now_ms: int) -> list[str]:
    """Rooms that must be in ``Seen`` at this moment although nothing arrived for them."""
    return sorted(
        r for r, s in state.rooms.items() if s.wake_ms is not None and s.wake_ms <= now_ms
    )


def next_wake_ms(state: State) -> int | None:
    """The next moment at which something may be due without an arrival."""
    wakes = [s.wake_ms for s in state.rooms.values()]
    wakes.append(state.digest_ms)
    wakes += [raised[0][0] + POWER_WINDOW_MS for raised in state.power.values() if raised]
    wakes += [_free_at(p) for p in state.people.values() if p.held]
    wakes += [one.due_ms for one in state.together.values()]
    return min((w for w in wakes if w is not None), default=None)


def step(state: State, now_ms: int, seen: Seen) -> tuple[State, list[Notice]]:
    """What to tell now. Everything that arrived at ``now_ms`` is in ``seen``; the same call
    again on the state that it returned says nothing."""
    turn = _Turn(
        now_ms, dict(state.rooms), dict(state.people), dict(state.power), dict(state.together)
    )
    _release(turn)  # first: what waited longest is not overtaken for ever by what repeats itself
    for room in sorted(seen.rooms):
        contacts = seen.contacts.get(room, ())
        before = turn.rooms.get(room, RoomState())
        told = room_step(before, now_ms, seen.rooms[room], contacts, acked=room in seen.acked)
        turn.rooms[room] = told.state
        incident = told.state.incident or before.incident
        site = seen.sites.get(room, room)
        near = {c.id for c in contacts if c.role not in WIDE}
        wide = {c.id for c in contacts if seen.together and c.id not in near}
        for say in told.says:
            _address(
                turn, room, incident.number if incident else 0, _apart(turn, say, room, site, wide)
            )
        if told.power_raised:
            for person in sorted({c.id for c in contacts if c.role in WIDE}):
                turn.power[person] = (*turn.power.get(person, ()), (now_ms, site))
    _group_power(turn)
    _tell_together(turn)
    digest_ms = _digest(turn, state.digest_ms)
    _release(turn)
    after = State(turn.rooms, turn.people, turn.power, digest_ms, turn.together)
    return after, sorted(turn.notices, key=lambda n: (n.to, n.channel, n.kind, n.room))


@dataclass(slots=True)
class _Turn:
    now_ms: int
    rooms: dict[str, RoomState]
    people: dict[str, PersonState]
    power: dict[str, tuple[tuple[int, str], ...]]
    together: dict[str, Together]
    notices: list[Notice] = field(default_factory=list)

    def give(self, person: str, channel: str, kind: str, codes: Sequence[str],
             about: Sequence[tuple[str, Known]], room: str = "", incident: int = 0,
             sites: Sequence[str] = ()) -> None:  # fmt: skip
        codes = tuple(codes)
        # The instants tell apart what is found at one moment: two alarms of one code, one of
        # them in a backlog, must not be taken for one notice derived twice.
        fired = (str(known.fired_ms) for _, known in about)
        words = (room, str(incident), kind, str(self.now_ms), person, channel, *codes, *fired)
        key = "/".join(words)
        self.notices.append(
            Notice(
                key, self.now_ms, person, channel, kind, codes, room, incident,
                tuple(about), tuple(sites),
            )
        )  # fmt: skip
        if channel == "sms":
            state = self.people.get(person, PersonState())
            recent = tuple(t for t in state.sent if t > self.now_ms - DAY_MS)
            self.people[person] = replace(state, sent=(*recent, self.now_ms))


def _address(turn: _Turn, room: str, incident: int, say: Say) -> None:
    about = [(room, k) for k in say.about]
    for person in say.to:
        state = turn.people.get(person, PersonState())
        capped = say.channel == "sms" and not say.urgent and _free_at(state) > turn.now_ms
        if capped:
            _hold(turn, person, about, say.codes)
        else:
            turn.give(person, say.channel, say.kind, say.codes, about, room, incident)


def _hold(
    turn: _Turn, person: str, about: Sequence[tuple[str, Known]], codes: Sequence[str]
) -> None:
    state = turn.people.get(person, PersonState())
    held_codes = tuple(sorted({*state.held_codes, *codes}))
    turn.people[person] = replace(state, held=(*state.held, *about), held_codes=held_codes)


def _apart(turn: _Turn, say: Say, room: str, site: str, wide: Set[str]) -> Say:
    """Without those who hear of it in one message for many sites."""
    if say.channel != "sms" or say.kind not in TOGETHER:
        return say
    held = {p for p in say.to if p in wide and _joins(turn, say, p, room, site)}
    return replace(say, to=tuple(p for p in say.to if p not in held)) if held else say


def _joins(turn: _Turn, say: Say, person: str, room: str, site: str) -> bool:
    """Four sites within ten minutes are told of one by one; what follows is held."""
    key = f"{say.kind}/{person}"
    one = turn.together.get(key, Together())
    told = tuple(t for t in one.told if t[0] > turn.now_ms - POWER_WINDOW_MS)
    sites = {s for _, s in told} | {site}
    joins = bool(one.held) or len(sites) >= POWER_SITES
    one = replace(one, told=(*told, (turn.now_ms, site)))
    if joins:
        due_ms = one.told[0][0] + POWER_WINDOW_MS if one.due_ms is None else one.due_ms
        held = (*one.held, *((site, room, known) for known in say.about))
        codes = tuple(sorted({*one.codes, *say.codes}))
        one = replace(one, held=held, codes=codes, due_ms=due_ms)
    turn.together[key] = one
    return joins


def _tell_together(turn: _Turn) -> None:
    for key, one in sorted(turn.together.items()):
        kind, _, person = key.partition("/")
        if one.due_ms is not None and one.due_ms <= turn.now_ms:
            sites = sorted({site for site, _, _ in one.held})
            about = [(room, known) for _, room, known in one.held]
            # A repeat comes again and again: past the caps it would keep what waits for ever.
            if kind == "repeat" and _free_at(turn.people.get(person, PersonState())) > turn.now_ms:
                _hold(turn, person, about, one.codes)
            else:
                turn.give(person, "sms", kind, one.codes, about, sites=sites)
            turn.together[key] = one = Together(one.told)
        if one.due_ms is None and one.told[-1][0] + POWER_WINDOW_MS <= turn.now_ms:
            del turn.together[key]


def _free_at(person: PersonState) -> int:
    """The first moment at which another message is within the caps; 0: any."""
    free = 0
    if len(person.sent) >= AN_HOUR:
        free = person.sent[-AN_HOUR] + HOUR_MS
    if len(person.sent) >= A_DAY:
        free = max(free, person.sent[-A_DAY] + DAY_MS)
    return free


def _release(turn: _Turn) -> None:
    """One digest of what waited, for the morning or for the caps, as soon as these allow it."""
    for person, state in sorted(turn.people.items()):
        if state.held and _free_at(state) <= turn.now_ms:
            turn.people[person] = replace(state, held=(), held_codes=())
            turn.give(person, "sms", "digest", state.held_codes, state.held)


def _group_power(turn: _Turn) -> None:
    for person, raised in sorted(turn.power.items()):
        while raised and raised[0][0] + POWER_WINDOW_MS <= turn.now_ms:
            end = raised[0][0] + POWER_WINDOW_MS
            group = [r for r in raised if r[0] <= end]
            sites = sorted({site for _, site in group})
            if len(sites) >= POWER_SITES:
                turn.give(person, "sms", "raise", (POWER,), (), sites=sites)
                raised = raised[len(group) :]
            else:
                raised = raised[1:]
        if raised:
            turn.power[person] = raised
        else:
            del turn.power[person]


def _digest(turn: _Turn, due_ms: int | None) -> int | None:
    """Hold the morning's digest ready when it is due, to go out as the caps allow; when the next
    one is due."""
    if due_ms is not None and due_ms <= turn.now_ms:
        for room in sorted(turn.rooms):
            turn.rooms[room], waited = morning(turn.rooms[room], turn.now_ms)
            for person, known in waited.items():
                _hold(turn, person, [(room, k) for k in known], [k.code for k in known])
        due_ms = None
    if due_ms is None and any(k.waiting for s in turn.rooms.values() for k in s.known):
        local = turn.now_ms + LOCAL_OFFSET_MS
        today = local - local % DAY_MS + DIGEST_MS
        return (today if local < today else today + DAY_MS) - LOCAL_OFFSET_MS
    return due_ms
