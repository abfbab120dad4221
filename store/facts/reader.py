"""Reading ``facts.db``: a connection for each page of at most 1,000 rows."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Engine, Row, Select, or_, select, tuple_

from domain.reading import RoomId
from store.facts import schema as t
from store.facts.names import parse
from store.facts_ports import StoredFact, StoredFlag, StoredPause

PAGE_ROWS = 1_000
NEAR_MS = 24 * 3_600_000  # late data moves an alarm's edges by hours
MINUTE_MS = 60_000

# The newest minute first, as people read times; in a minute what needs somebody now.
_NEEDED_FIRST = (
    (t.facts.c.fired_ms // MINUTE_MS).desc(),
    t.facts.c.cleared_ms.is_not(None),
    t.facts.c.level != "critical",
    t.facts.c.fired_ms.desc(),
    t.facts.c.seq.desc(),
)


class SqlFactsReader:
    """``store.facts_ports.FactsReader``; safe to share between threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def close(self) -> None:
        self._engine.dispose()

    def _rows(self, query: Select[Any]) -> Sequence[Row[Any]]:
        with self._engine.connect() as connection:
            return connection.execute(query).all()

    def facts(
        self,
        room: RoomId | None = None,
        *,
        active: bool | None = None,
        from_ms: int | None = None,
        to_ms: int | None = None,
        limit: int = 1000,
    ) -> list[StoredFact]:
        query = select(t.facts).where(t.facts.c.newest, ~t.facts.c.withdrawn)
        if room is not None:
            query = query.where(t.facts.c.room == room)
        if active is not None:
            query = query.where(
                t.facts.c.cleared_ms.is_(None) if active else t.facts.c.cleared_ms.is_not(None)
            )
        if from_ms is not None:
            query = query.where(or_(t.facts.c.cleared_ms.is_(None), t.facts.c.cleared_ms > from_ms))
        if to_ms is not None:
            query = query.where(t.facts.c.began_ms < to_ms)
        query = query.order_by(*_NEEDED_FIRST)
        return [stored(r) for r in self._rows(query.limit(min(limit, PAGE_ROWS)))]

    def fired(self, from_ms: int, to_ms: int, room: RoomId | None = None) -> list[StoredFact]:
        """Newest version of each fact not withdrawn that fired in [from, to), oldest first; all
        of them, page after page."""
        c = t.facts.c
        query = select(t.facts).where(
            c.newest, ~c.withdrawn, c.fired_ms >= from_ms, c.fired_ms < to_ms
        )
        if room is not None:
            query = query.where(c.room == room)
        query = query.order_by(c.fired_ms, c.seq).limit(PAGE_ROWS)
        found: list[StoredFact] = []
        page = self._rows(query)
        while page:
            found += map(stored, page)
            last = (page[-1].fired_ms, page[-1].seq)
            page = self._rows(query.where(tuple_(c.fired_ms, c.seq) > last))
        return found

    def fact(self, id: str) -> list[StoredFact]:
        query = select(t.facts).where(t.facts.c.id == id).order_by(t.facts.c.version)
        found = [stored(r) for r in self._rows(query.limit(PAGE_ROWS))]
        if found or (meant := self._meant(id)) is None:
            return found
        return self.fact(meant)

    def _meant(self, id: str) -> str | None:
        """The id by which a file that was made anew knows an alarm of the old one."""
        if (named := parse(id)) is None:
            return None
        room, code, at_ms = named
        c = t.facts.c
        query = (
            select(t.facts)
            .where(c.room == room, c.newest, ~c.withdrawn, c.code == code)
            .where(c.began_ms < at_ms + NEAR_MS)
            .where(or_(c.cleared_ms.is_(None), c.cleared_ms > at_ms - NEAR_MS))
        )
        rows = self._rows(query.limit(PAGE_ROWS))
        near = min(rows, key=lambda r: (_away_ms(r, at_ms), r.fired_ms), default=None)
        return None if near is None else str(near.id)

    def versions_after(self, seq: int, limit: int = 500) -> list[StoredFact]:
        query = select(t.facts).where(t.facts.c.seq > seq).order_by(t.facts.c.seq)
        return [stored(r) for r in self._rows(query.limit(min(limit, PAGE_ROWS)))]

    def pauses(self, room: RoomId, from_ms: int, to_ms: int) -> list[StoredPause]:
        c = t.pauses.c
        query = (
            select(t.pauses)
            .where(c.room == room, c.from_ms < to_ms, or_(c.to_ms.is_(None), c.to_ms > from_ms))
            .order_by(c.from_ms, c.cause, c.nth)
            .limit(PAGE_ROWS)
        )
        return [StoredPause(RoomId(r.room), r.cause, r.from_ms, r.to_ms) for r in self._rows(query)]

    def flags(self, room: RoomId, from_ms: int, to_ms: int) -> list[StoredFlag]:
        c = t.flags.c
        query = (
            select(t.flags)
            .where(c.room == room, c.at_ms >= from_ms, c.at_ms < to_ms)
            .order_by(c.at_ms, c.probe, c.quantity, c.reason)
            .limit(PAGE_ROWS)
        )
        return [
            StoredFlag(r.at_ms, RoomId(r.room), r.probe, r.quantity, r.reason)
            for r in self._rows(query)
        ]

    def judged(self) -> Mapping[RoomId, tuple[int, int, int]]:
        c = t.rooms.c
        return {
            RoomId(r.room): (r.n, r.m, r.horizon_ms)
            for r in self._rows(select(c.room, c.n, c.m, c.horizon_ms))
        }

    def kept(self, room: RoomId) -> tuple[int, int, bytes] | None:
        """(n, m, checkpoints) that the room's newest judgement rests on."""
        c = t.rooms.c
        rows = self._rows(select(c.n, c.m, c.checkpoints).where(c.room == room))
        return (rows[0].n, rows[0].m, rows[0].checkpoints) if rows else None

    def cursor(self) -> tuple[int, int]:
        rows = self._rows(select(t.cursor.c.n, t.cursor.c.m))
        return (rows[0].n, rows[0].m) if rows else (0, 0)

    def cases(self, room: RoomId | None = None, limit: int = 200) -> list[Mapping[str, object]]:
        """Cases opened by critical facts, newest first: fact, room, code, opened_ms."""
        query = select(t.cases).where(~t.cases.c.withdrawn)
        if room is not None:
            query = query.where(t.cases.c.room == room)
        query = query.order_by(t.cases.c.opened_ms.desc()).limit(min(limit, PAGE_ROWS))
        return [
            {"fact": r.fact, "room": r.room, "code": r.code, "opened_ms": r.opened_ms}
            for r in self._rows(query)
        ]


def _away_ms(row: Row[Any], at_ms: int) -> int:
    """How far the instant lies outside the time in which the alarm rang."""
    end_ms = at_ms if row.cleared_ms is None else row.cleared_ms
    return int(max(row.fired_ms - at_ms, at_ms - end_ms, 0))


def stored(row: Row[Any]) -> StoredFact:
    return StoredFact(
        id=row.id,
        version=row.version,
        room=RoomId(row.room),
        code=row.code,
        level=row.level,
        began_at_ms=row.began_ms,
        fired_at_ms=row.fired_ms,
        cleared_at_ms=row.cleared_ms,
        peak=None if row.peak is None else row.peak / 100,
        degree_minutes=round(row.excess / 6_000_000, 2),
        minutes_unknown=round(row.unknown_ms / 60_000, 2),
        rule=row.rule,
        withdrawn=bool(row.withdrawn),
        n=row.n,
        m=row.m,
        core=row.core,
        seq=row.seq,
    )
