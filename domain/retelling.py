"""What would have been told, had a whole case happened: notices in order of arrival.

The readings and actions of a case are given with the moment at which each arrived. Those with
the same moment are one step: facts are judged after all of them, then ``domain.decision`` says
what to tell. Between arrivals its timers run, and clock rules come true at their own second.
"""

from array import array
from bisect import bisect_left, insort
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from domain.decision import Notice, Seen, State, due, next_wake_ms, step
from domain.engine import RoomEngine
from domain.incident import Contact, RoomSeen
from domain.judgement import Action, Judgement, Rule
from domain.message import Place, compose, reply_code
from domain.reading import Columns, Series, winner

SAMPLES = frozenset({"temperature", "product_temperature"})


@dataclass(frozen=True, slots=True)
class ToldRoom:
    """``rules``: the room's rules, given the actions that have arrived, by (at, order)."""

    site: str
    place: Place
    rules: Callable[[Sequence[Action]], Sequence[Rule]]


@dataclass(frozen=True, slots=True)
class Arrived:
    """Readings that were set aside (CLOCK_SKEW) are not among them."""

    arrived_ms: int
    room: str
    series: Series
    at_ms: int
    count: int
    quality: int = 0


@dataclass(frozen=True, slots=True)
class Acted:
    arrived_ms: int
    room: str
    action: Action


@dataclass(frozen=True, slots=True)
class Addressee:
    """``rooms`` None: all of them."""

    contact: Contact
    rooms: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Told:
    notice: Notice
    text: str


def retell(
    rooms: Mapping[str, ToldRoom],
    events: Sequence[Arrived | Acted],
    addressees: Sequence[Addressee],
    until_ms: int,
) -> list[Told]:
    """``events`` in order of arrival. Notices by (at, to, channel, kind)."""
    if not addressees:
        return []
    contacts = {
        room: [a.contact for a in addressees if a.rooms is None or room in a.rooms]
        for room in rooms
    }
    sites = {room: told.site for room, told in rooms.items()}
    tracks = {room: _Track(told, until_ms) for room, told in rooms.items()}
    state = State()
    notices: list[Notice] = []

    def advance(now_ms: int, touched: set[str], acked: frozenset[str] = frozenset()) -> None:
        nonlocal state
        concerned = touched.union(due(state, now_ms))
        seen = Seen({r: tracks[r].seen(now_ms) for r in concerned}, contacts, sites, acked)
        state, more = step(state, now_ms, seen)
        notices.extend(more)

    for at_ms, group in groupby(events, key=lambda e: e.arrived_ms):
        while (wake_ms := next_wake_ms(state)) is not None and wake_ms < at_ms:
            advance(wake_ms, set())
        together = [e for e in group if e.room in tracks]
        for room in {e.room for e in together}:
            tracks[room].take([e for e in together if e.room == room])
        acks = {e.room for e in together if isinstance(e, Acted) and e.action.kind == "ack"}
        advance(at_ms, {e.room for e in together}, frozenset(acks))
    while (wake_ms := next_wake_ms(state)) is not None and wake_ms <= until_ms:
        advance(wake_ms, set())

    languages = {a.contact.id: a.contact.lang for a in addressees}
    places = {room: told.place for room, told in rooms.items()}
    return [
        Told(n, compose(n, places, languages[n.to], reply_code(n.room, n.incident)))
        for n in sorted(notices, key=lambda n: (n.at_ms, n.to, n.channel, n.kind))
    ]


@dataclass(slots=True)
class _Track:
    """One room as far as its readings and actions have arrived."""

    room: ToldRoom
    until_ms: int
    rows: dict[Series, dict[int, tuple[int, int]]] = field(default_factory=dict)
    times: dict[Series, list[int]] = field(default_factory=dict)  # of the rows, sorted
    actions: list[Action] = field(default_factory=list)
    arrived_ms: dict[Series, int] = field(default_factory=dict)
    newest_ms: int = 0
    newest_sample_ms: int | None = None
    judgement: Judgement = field(default_factory=lambda: Judgement((), (), ()))
    engine: RoomEngine | None = None

    def take(self, events: Sequence[Arrived | Acted]) -> None:
        """Everything that arrived for the room at one moment; then judge."""
        readings = [e for e in events if isinstance(e, Arrived)]
        acted = [e.action for e in events if isinstance(e, Acted)]
        if self.engine is None:
            self.engine = RoomEngine(self.room.rules(()), ())
        if acted:
            self.actions = sorted([*self.actions, *acted], key=lambda a: a.at_ms)
            self.engine.govern(self.room.rules(self.actions))
            self.engine.note(self.actions)
        for e in readings:
            row = (e.quality, e.count)
            rows = self.rows.setdefault(e.series, {})
            if e.at_ms not in rows:
                insort(self.times.setdefault(e.series, []), e.at_ms)
            rows[e.at_ms] = winner(rows[e.at_ms], row) if e.at_ms in rows else row
            self.engine.touch(e.at_ms, e.at_ms)
            self.newest_ms = max(self.newest_ms, e.at_ms)
            if e.series.quantity in SAMPLES:
                self.newest_sample_ms = max(self.newest_sample_ms or 0, e.at_ms)
        # Judged ahead, so that the moments at which clock rules come true are known.
        self.judgement = self.engine.judge(self.until_ms, self._read)
        self._links(readings)

    def _links(self, readings: Sequence[Arrived]) -> None:
        flagged = {(f.probe, f.quantity, f.at_ms) for f in self.judgement.flags}
        for e in readings:
            valid = (e.series.probe, e.series.quantity, e.at_ms) not in flagged
            if e.series.quantity in SAMPLES and valid:
                self.arrived_ms[e.series] = e.arrived_ms
        for action in self.actions:  # what still comes from before a removal starts nothing
            if action.kind != "probe_removed":
                continue
            for series in [s for s in self.arrived_ms if s.probe == action.detail.get("probe")]:
                if self.times[series][-1] <= action.at_ms:
                    del self.arrived_ms[series]

    def _read(self, from_ms: int, to_ms: int) -> dict[Series, Columns]:
        found = {}
        for series, rows in self.rows.items():
            known = self.times[series]
            times = known[bisect_left(known, from_ms) : bisect_left(known, to_ms)]
            if times:
                found[series] = Columns(
                    array("q", times),
                    array("q", [rows[t][1] for t in times]),
                    array("H", [rows[t][0] for t in times]),
                )
        return found

    def seen(self, now_ms: int) -> RoomSeen:
        rules = self.room.rules(self.actions)
        return RoomSeen(
            facts=self.judgement.facts,
            upto_ms=max(now_ms, self.newest_ms),
            interval_s=rules[-1].interval_s,
            newest_sample_ms=self.newest_sample_ms,
            arrived_ms=dict(self.arrived_ms),
            maintenance=[
                (p.from_ms, p.to_ms)
                for p in self.judgement.pauses
                if p.cause == "maintenance" and p.to_ms is not None
            ],
        )
