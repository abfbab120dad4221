"""From readings and records to facts: follows both journals and judges the rooms they touch.

Work is coalesced per room to the journals' heads. Live readings are judged at once. What comes
on the backlog lane re-judges a room's past at most every 30 s, and a long past in parts, between
which the present of the other rooms has its turn. While backlogs pour in the pasts get no more
than a share of the time: ingest needs the processor more, and more of the same past comes. Facts, pauses, flags and the
cursor are written in one transaction; the cursor stands before whatever is yet to be judged, so
a crash at any instant leaves nothing out.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from alerts.room_watch import RoomWatch
from domain.reading import ProbeId, RoomId, Series
from domain.retelling import SAMPLES
from store.facts import JudgedRoom, SqlFactsStore
from store.ports import Arrival, Latest, ReadingReader
from store.records.ports import Assignment, Change, RecordsReader

log = logging.getLogger(__name__)

PAST_EVERY_MS = 30_000
POURS_MS = 1_000  # after a backlog batch others may be close behind, of whatever room
DRAINED_AFTER_MS = 20_000  # no backlog batch for so long: the room's past is here
ROOMS_A_ROUND = 16
PASTS_A_ROUND = 8
PAST_ROWS_A_ROUND = 6_000  # a tenth of a second or less, for which the present waits
FAR_MS = 1 << 60


@dataclass(slots=True)
class _Owed:
    """What a room must be judged for: not before ``n`` and ``m`` may the cursor go on."""

    n: int | None = None
    m: int | None = None
    live: bool = False
    past: list[tuple[int, int]] = field(default_factory=list)  # touched on the backlog lane


@dataclass(slots=True)
class _UnderWay:
    """A room whose past is judged in parts, and what it is judged for."""

    room: RoomId
    owed: _Owed
    parts: Iterator[int]


class Engine:
    def __init__(
        self, readings: ReadingReader, records: RecordsReader, facts: SqlFactsStore
    ) -> None:
        self._readings, self._records, self._facts = readings, records, facts
        self._stores = (readings.store_id, records.store_id())
        n, m = facts.cursor()
        older = n > readings.last_arrival() or m > records.last_change()  # put back from a copy
        if older or facts.stores() not in (None, self._stores):
            log.warning("another store: judging everything again", extra={"stores": self._stores})
            facts.rewind()
        self._n, self._m = facts.cursor()
        self._head_n = self._n
        self._head_m = records.last_change()
        self.arrived = facts.arrived()
        self._series: dict[ProbeId, list[Series]] = {}
        self._watches: dict[RoomId, RoomWatch] = {}
        self._owed: dict[RoomId, _Owed] = {}
        self._asked_ms = 0
        self._under_way: _UnderWay | None = None
        self._past_judged_ms: dict[RoomId, int] = {}
        self._backlog_ms: dict[RoomId, int] = {}
        self._poured_ms = -FAR_MS
        self._assigned: dict[ProbeId, list[Assignment]] = {}
        self._load()

    def _load(self) -> None:
        for series in self._readings.series():
            self._series.setdefault(series.probe, []).append(series)
        changed = {room for change in self._changes(self._m, self._head_m) for room in change.rooms}
        kept = self._facts.checkpoints()
        for room in self._records.rooms():
            m, checkpoints = kept.get(room.id, (0, b""))
            # Checkpoints rest on the rules and actions of then; a change since makes them void.
            usable = checkpoints if room.id not in changed and m <= self._m else b""
            self._watch(room.id, usable)
            self._owe(room.id, n=self._n, m=self._m).live = True
        self._map_assignments()

    def _watch(self, room: RoomId, checkpoints: bytes = b"") -> RoomWatch:
        watch = self._watches[room] = RoomWatch(
            room, self._records, self._readings, lambda p: self._series.get(p, ()), checkpoints
        )
        return watch

    def _map_assignments(self) -> None:
        self._assigned = {}
        for watch in self._watches.values():
            for a in watch.assigned:
                self._assigned.setdefault(a.probe, []).append(a)

    def _owe(self, room: RoomId, *, n: int | None = None, m: int | None = None) -> _Owed:
        owed = self._owed.setdefault(room, _Owed())
        if n is not None:
            owed.n = n if owed.n is None else min(owed.n, n)
        if m is not None:
            owed.m = m if owed.m is None else min(owed.m, m)
        return owed

    # --- what others ask

    def rooms(self) -> Iterable[RoomId]:
        return self._watches.keys()

    def watch(self, room: RoomId) -> RoomWatch:
        return self._watches[room]

    def catching_up(self, room: RoomId, now_ms: int) -> bool:
        """A backlog of this room drains, or what came with it is yet to be judged."""
        since = self._backlog_ms.get(room)
        draining = since is not None and now_ms - since < DRAINED_AFTER_MS
        owed = self._owed.get(room)
        return draining or bool(owed and owed.past) or self._is_under_way(room)

    def drained_at_ms(self, room: RoomId) -> int | None:
        since = self._backlog_ms.get(room)
        return None if since is None else since + DRAINED_AFTER_MS

    def behind(self) -> bool:
        """Rooms have yet to be judged for what is in the journals."""
        return any(o.live for o in self._owed.values())

    def beginning(self) -> bool:
        """Rooms have yet to be judged for the first time in this life. Unlike ``behind`` it comes
        to an end however fast readings arrive."""
        return any(watch.judged_at_ms is None for watch in self._watches.values())

    def busy(self, now_ms: int) -> bool:
        """``follow`` has something to do: it stopped early so that others get a turn."""
        return self._under_way is not None or any(self._due(now_ms))

    def hurries(self, now_ms: int) -> bool:
        """``busy`` with what does not wait for the next look: a present, or a past while no
        backlog pours in."""
        present, past = self._due(now_ms)
        pours = now_ms - self._poured_ms < POURS_MS
        return bool(present) or (not pours and (self._under_way is not None or bool(past)))

    def links(self, room: RoomId, now_ms: int) -> dict[Series, int]:
        """When something of each sample series that is in the room now last arrived."""
        found = {}
        for a in self._watches[room].assigned:
            if a.from_ms <= now_ms and (a.to_ms is None or a.to_ms > now_ms):
                for series in self._series.get(a.probe, ()):
                    if series.quantity in SAMPLES and series in self.arrived:
                        found[series] = max(self.arrived[series], a.from_ms)
        return found

    def latest_sample(self, room: RoomId) -> Latest | None:
        """Of the probes that are in the room now."""
        series = [
            s
            for a in self._watches[room].assigned
            if a.to_ms is None
            for s in self._series.get(a.probe, ())
            if s.quantity in SAMPLES
        ]
        latest = self._readings.latest(series) if series else []
        return max(latest, key=lambda row: row.at_ms, default=None)

    # --- following

    def follow(self, now_ms: int) -> set[RoomId]:
        """Take what is new in both journals and judge; the rooms that were judged or whose clock
        rules came true. At most some rooms a call, and of the pasts some rows: ``busy`` says that
        there is more."""
        if now_ms < self._asked_ms:
            self._put_back(now_ms)
        self._asked_ms = now_ms
        head_m = self._take_changes()
        head_n, moved = self._take_arrivals(now_ms)
        present, past = self._due(now_ms)
        for room in present:
            owed = self._owed.pop(room, _Owed())
            if owed.past:
                self._owed[room] = _Owed(n=owed.n, past=owed.past)  # the present does not wait
            self._watches[room].judge(now_ms)
        done = [*present, *self._judge_pasts(past, now_ms)]
        judged = [self._as_judged(room, head_n, head_m, now_ms) for room in dict.fromkeys(done)]
        waiting = [*self._owed.values(), *([self._under_way.owed] if self._under_way else ())]
        n = min((o.n for o in waiting if o.n is not None), default=head_n)
        m = min((o.m for o in waiting if o.m is not None), default=head_m)
        if judged or moved or (n, m) != (self._n, self._m):
            self._facts.write(
                judged, stores=self._stores, cursor=(n, m), arrived=moved, now_ms=now_ms
            )
            self._n, self._m = n, m
        return {j.room for j in judged}

    def _judge_pasts(self, due: Sequence[RoomId], now_ms: int) -> list[RoomId]:
        """Goes on where the last round stopped; the rooms that came to their end."""
        done: list[RoomId] = []
        rooms = iter(due)
        rows = 0
        while True:
            if self._under_way is None:
                room = next(rooms, None)
                if room is None:
                    break
                self._begin_past(room, now_ms)
                continue
            if rows >= PAST_ROWS_A_ROUND:
                break
            looked_at = next(self._under_way.parts, None)
            if looked_at is None:
                done.append(self._under_way.room)
                self._under_way = None
            else:
                rows += looked_at
        return done

    def _begin_past(self, room: RoomId, now_ms: int) -> None:
        owed = self._owed.pop(room)
        watch = self._watches[room]
        for first, last in owed.past:
            watch.touch(first, last)
        self._past_judged_ms[room] = now_ms
        self._under_way = _UnderWay(room, owed, watch.judging(now_ms))

    def _give_up(self) -> None:
        """What the room is judged by has changed, or the clock: to be begun again."""
        if self._under_way is not None:
            room, owed = self._under_way.room, self._under_way.owed
            self._under_way = None
            again = self._owe(room, n=owed.n, m=owed.m)
            again.live |= owed.live
            again.past += owed.past

    def _left(self, room: RoomId) -> list[_Owed]:
        """What the room is yet to be judged for."""
        left = [self._owed[room]] if room in self._owed else []
        if self._under_way is not None and self._under_way.room == room:
            left.append(self._under_way.owed)
        return left

    def _is_under_way(self, room: RoomId) -> bool:
        return self._under_way is not None and self._under_way.room == room

    def _as_judged(self, room: RoomId, head_n: int, head_m: int, now_ms: int) -> JudgedRoom:
        watch = self._watches[room]
        n = min((o.n for o in self._left(room) if o.n is not None), default=head_n)
        return JudgedRoom(
            room, watch.known(now_ms), n, head_m, now_ms, watch.rule_of, watch.checkpoints()
        )

    def wake_ms(self) -> int | None:
        """When ``follow`` has something to do although nothing arrives."""
        wakes = [w for watch in self._watches.values() if (w := watch.wake_ms()) is not None]
        wakes += [
            self._past_judged_ms.get(room, 0) + PAST_EVERY_MS
            for room, owed in self._owed.items()
            if owed.past
        ]
        return min(wakes, default=None)

    def _put_back(self, now_ms: int) -> None:
        """The clock was. Whatever it said before, nothing has happened later than now: else a past
        would wait to be judged until the clock has come there again."""
        self._give_up()
        for remembered in (self._past_judged_ms, self._backlog_ms):
            remembered.update({room: min(at_ms, now_ms) for room, at_ms in remembered.items()})
        self._poured_ms = min(self._poured_ms, now_ms)

    def _past_is_due(self, room: RoomId, now_ms: int) -> bool:
        return now_ms - self._past_judged_ms.get(room, -FAR_MS) >= PAST_EVERY_MS

    def _due(self, now_ms: int) -> tuple[list[RoomId], list[RoomId]]:
        """Rooms whose present is to be judged, and rooms whose past is. One whose past is under
        way waits for its end."""
        present = [room for room, owed in self._owed.items() if owed.live]
        live = set(present)
        present += [
            room
            for room, watch in self._watches.items()
            if room not in live and (w := watch.wake_ms()) is not None and w <= now_ms
        ]
        past = [
            room
            for room, owed in self._owed.items()
            if owed.past and self._past_is_due(room, now_ms)
        ]
        if self._under_way is not None:
            present = [room for room in present if not self._is_under_way(room)]
            past = [room for room in past if not self._is_under_way(room)]
        return present[:ROOMS_A_ROUND], past[:PASTS_A_ROUND]

    def _changes(self, after: int, head: int) -> list[Change]:
        found: list[Change] = []
        while after < head:
            page = self._records.changes(after)
            if not page:
                break
            found += page
            after = page[-1].m
        return found

    def _take_changes(self) -> int:
        head = self._records.last_change()
        taken = self._head_m
        if head == taken:
            return head
        rooms = {room for change in self._changes(taken, head) for room in change.rooms}
        known = {room.id for room in self._records.rooms()}
        for room in sorted(rooms.union(known - self._watches.keys())):
            if room not in known:
                continue
            if room in self._watches:
                if self._is_under_way(room):
                    self._give_up()
                self._watches[room].reload()
            else:
                self._watch(room)
            self._owe(room, m=taken).live = True
        self._map_assignments()
        self._head_m = head
        return head

    def _take_arrivals(self, now_ms: int) -> tuple[int, dict[Series, int]]:
        head = self._readings.last_arrival()
        moved: dict[Series, int] = {}
        at = self._head_n
        while at < head:
            page = self._readings.arrivals(at)
            if not page:
                break
            for arrival in page:
                self._take(arrival, now_ms, moved)
            at = page[-1].n
        self._head_n = at
        return at, moved

    def _take(self, arrival: Arrival, now_ms: int, moved: dict[Series, int]) -> None:
        for span in arrival.spans:
            series = span.series
            known = self._series.setdefault(series.probe, [])
            if series not in known:
                known.append(series)
            if series.quantity in SAMPLES:
                at_ms = max(self.arrived.get(series, 0), arrival.stored_at_ms)
                self.arrived[series] = moved[series] = at_ms
            for a in self._assigned.get(series.probe, ()):
                if span.last_ms < a.from_ms or (a.to_ms is not None and span.first_ms >= a.to_ms):
                    continue
                owed = self._owe(a.room, n=arrival.n - 1)
                if arrival.backlog:
                    owed.past.append((span.first_ms, span.last_ms))
                    self._backlog_ms[a.room] = self._poured_ms = now_ms
                else:
                    owed.live = True
                    self._watches[a.room].touch(span.first_ms, span.last_ms)
