"""Tells whoever looks after a room of what needs care and is no alarm (``domain.upkeep``).

By day a probe that a check found off; with the morning's digest what runs out and which door was
busy. What was told so far is two marks in ``notices.db``: a change of the records, and a morning.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b

import msgspec

from alerts.escalation import Rosters
from alerts.places import Places
from domain.incident import MINUTE_MS, by_day
from domain.reading import NOT_VALID, ProbeId, RoomId, Series
from domain.roster import ROLES
from domain.upkeep import (
    BUSY_DOOR,
    Busy,
    Note,
    busiest_hour,
    due_since,
    last_morning_ms,
    message,
    off_now,
    yesterday,
)
from store.notices import NewNotice, SqlNoticesStore
from store.ports import ReadingReader
from store.records.ports import Assignment, RecordsReader

UPKEEP = "upkeep:"  # in the place of a room; a room's id holds no colon
CHECKS_SEEN, MORNING_SEEN = "upkeep_checks_m", "upkeep_morning_ms"
LOOK_MS = MINUTE_MS


class Upkeep:
    """``turn`` is cheap and may be called as often as one likes."""

    def __init__(
        self,
        readings: ReadingReader,
        records: RecordsReader,
        store: SqlNoticesStore,
        rosters: Rosters,
    ) -> None:
        self._readings, self._records, self._store = readings, records, store
        self._rosters, self._places = rosters, Places(records)
        self._look_ms = 0
        # What was checked before this was ever told of is on the console, and no news.
        store.put_about(CHECKS_SEEN, records.last_change(), keep=True)

    def turn(self, now_ms: int) -> int:
        """How many notices were written."""
        if abs(now_ms - self._look_ms) < LOOK_MS or not by_day(now_ms):
            return 0
        self._look_ms = now_ms
        m, told_ms = self._store.about(CHECKS_SEEN) or 0, self._store.about(MORNING_SEEN) or 0
        head, morning_ms = self._records.last_change(), last_morning_ms(now_ms)
        found: dict[RoomId, list[Note]] = {}
        if head != m and any(c.m > m for c in self._records.checks()):
            for room, held in self._held().items():
                found.setdefault(room, []).extend(self._off(held, m))
        if morning_ms > told_ms:
            for room, held in self._held().items():
                found.setdefault(room, []).extend(self._due(held, told_ms, morning_ms))
                found[room] += self._busy(held, morning_ms)
        fresh = self._notices(found, now_ms) if any(found.values()) else []
        if (head, max(morning_ms, told_ms)) != (m, told_ms):
            marks = {CHECKS_SEEN: head, MORNING_SEEN: max(morning_ms, told_ms)}
            self._store.tell_upkeep(fresh, marks)
        return len(fresh)

    def _held(self) -> dict[RoomId, list[Assignment]]:
        """Probes by the room in which they are now."""
        held: dict[RoomId, list[Assignment]] = {}
        for one in self._records.assignments():
            if one.to_ms is None:
                held.setdefault(one.room, []).append(one)
        return held

    def _off(self, held: Sequence[Assignment], after_m: int) -> list[Note]:
        found = []
        for one in held:
            checks = self._records.checks(one.probe)
            if checks and checks[-1].m > after_m:
                said = [c.check for c in checks]
                found.append(off_now(self._records.papers(one.probe), said))
        return [note for note in found if note is not None]

    def _due(self, held: Sequence[Assignment], after_ms: int, now_ms: int) -> list[Note]:
        papers = (self._records.papers(one.probe) for one in held)
        found = [due_since(p, after_ms, now_ms) for p in papers if p]
        return [note for note in found if note is not None]

    def _busy(self, held: Sequence[Assignment], now_ms: int) -> list[Note]:
        most = max((self._openings(one.probe, now_ms) for one in held), default=0)
        return [Busy(most)] if most > BUSY_DOOR else []

    def _openings(self, probe: ProbeId, now_ms: int) -> int:
        rows = self._readings.between(Series(probe, "door"), *yesterday(now_ms))
        was, openings = 0, []
        for at_ms, count, bits in rows:
            if bits & NOT_VALID:
                continue
            if count and not was:
                openings.append(at_ms)
            was = count
        return busiest_hour(openings)

    def _notices(self, found: Mapping[RoomId, Sequence[Note]], now_ms: int) -> list[NewNotice]:
        self._rosters.refresh()
        self._places.refresh()
        of_person: dict[str, list[tuple[RoomId, Note]]] = {}
        for room, notes in sorted(found.items()):
            for c in {c.id for c in self._rosters.of(room, now_ms) if c.role == ROLES[0]}:
                of_person.setdefault(c, []).extend((room, note) for note in notes)
        told = []
        for id, mine in sorted(of_person.items()):
            codes = tuple(sorted({note.code for _, note in mine}))
            person = self._rosters.hears(id, "sms", "digest", codes)
            if person is None:
                continue
            zh = person.lang != "en"
            placed = [(self._places.name(room, zh), note) for room, note in mine]
            text, filled = message(placed, person.lang)
            seed = f"upkeep/{now_ms // MINUTE_MS}/{id}/{text}".encode()
            told.append(
                NewNotice(
                    blake2b(seed, digest_size=16).hexdigest(), now_ms, id, person.phone, "sms",
                    "digest", codes, UPKEEP, 0, "", text, (), msgspec.json.encode(filled),
                )
            )  # fmt: skip
        return told
