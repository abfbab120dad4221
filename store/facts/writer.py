"""Writing ``facts.db``: judgements in, versions out.

A judgement is the whole of what is true of a room; the store finds what is new against what it
last wrote. Facts, pauses, flags, arrivals of series and the cursor go in one transaction, so a
crash leaves everything of before or everything of after.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import stamina
from sqlalchemy import Connection, Engine, delete, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import OperationalError

from domain.continuity import continued
from domain.judgement import Fact, Flag, Judgement, Pause
from domain.reading import RoomId, Series
from store.facts import schema as t
from store.facts.names import name
from store.facts.reader import SqlFactsReader

CORE = "1"  # version of the rules' code; a new one does not re-judge the past by itself


@dataclass(frozen=True, slots=True)
class JudgedRoom:
    """A room's judgement as known at ``horizon_ms``, with the (n, m) that it rests on.
    ``rule_of`` names the rule in force at an instant."""

    room: RoomId
    judgement: Judgement
    n: int
    m: int
    horizon_ms: int
    rule_of: Callable[[int], str]
    checkpoints: bytes = b""


@dataclass(frozen=True, slots=True)
class _Kept:
    """The newest version of a fact that stands."""

    id: str
    version: int
    fact: Fact
    rule: str


@dataclass(slots=True)
class _Room:
    facts: list[_Kept]
    pauses: "Counter[Pause]"
    flags: set[Flag]


class SqlFactsStore(SqlFactsReader):
    """The one writer."""

    def __init__(self, engine: Engine, release: Callable[[], None]) -> None:
        super().__init__(engine)
        self._release = release
        self._rooms: dict[RoomId, _Room] = {}

    def close(self) -> None:
        super().close()
        self._release()

    @stamina.retry(on=OperationalError, timeout=60)
    def write(
        self,
        judged: Sequence[JudgedRoom],
        *,
        stores: tuple[str, str],
        cursor: tuple[int, int],
        arrived: Mapping[Series, int] | None = None,
        now_ms: int,
    ) -> None:
        """One transaction. ``stores``: ids of readings and records that the cursor counts in."""
        after = {}
        with self._engine.begin() as connection:
            for one in judged:
                known = self._rooms.get(one.room) or self._load(connection, one.room)
                after[one.room] = self._write_room(connection, known, one, now_ms)
            if judged:
                _write_positions(connection, judged)
            if arrived:
                put = upsert(t.arrived)
                connection.execute(
                    put.on_conflict_do_update(
                        index_elements=["probe", "quantity"], set_={"at_ms": put.excluded.at_ms}
                    ),
                    [
                        {"probe": series.probe, "quantity": series.quantity, "at_ms": at_ms}
                        for series, at_ms in arrived.items()
                    ],
                )
            position = {
                "readings_store": stores[0], "records_store": stores[1],
                "n": cursor[0], "m": cursor[1],
            }  # fmt: skip
            connection.execute(
                upsert(t.cursor).values(one=1, **position).on_conflict_do_update(
                    index_elements=["one"], set_=position
                )
            )  # fmt: skip
        self._rooms.update(after)

    def stores(self) -> tuple[str, str] | None:
        """The ids of the readings and records stores that the cursor counts in."""
        rows = self._rows(select(t.cursor.c.readings_store, t.cursor.c.records_store))
        return (rows[0].readings_store, rows[0].records_store) if rows else None

    def checkpoints(self) -> dict[RoomId, tuple[int, bytes]]:
        """Room to (m, checkpoints), to go on where an earlier run stood."""
        rows = self._rows(select(t.rooms.c.room, t.rooms.c.m, t.rooms.c.checkpoints))
        return {RoomId(r.room): (r.m, r.checkpoints) for r in rows}

    def arrived(self) -> dict[Series, int]:
        return {Series(r.probe, r.quantity): r.at_ms for r in self._rows(select(t.arrived))}

    @stamina.retry(on=OperationalError, timeout=60)
    def rewind(self) -> None:
        """Judge everything again: the store of readings or records is another one. Versions stay."""
        with self._engine.begin() as connection:
            connection.execute(delete(t.cursor))
            connection.execute(delete(t.arrived))
            connection.execute(update(t.rooms).values(n=0, m=0, checkpoints=b""))

    def _load(self, connection: Connection, room: RoomId) -> _Room:
        c = t.facts.c
        rows = connection.execute(
            select(t.facts).where(c.room == room, c.newest, ~c.withdrawn)
        ).all()
        kept = [
            _Kept(
                r.id,
                r.version,
                Fact(
                    r.code, r.level, r.began_ms, r.fired_ms, r.cleared_ms, r.peak, r.excess,
                    r.unknown_ms,
                ),
                r.rule,
            )
            for r in rows
        ]  # fmt: skip
        pauses = connection.execute(select(t.pauses).where(t.pauses.c.room == room)).all()
        flags = connection.execute(select(t.flags).where(t.flags.c.room == room)).all()
        return _Room(
            kept,
            Counter(Pause(r.cause, r.from_ms, r.to_ms) for r in pauses),
            {Flag(r.at_ms, r.probe, r.quantity, r.reason) for r in flags},
        )

    def _write_room(
        self, connection: Connection, known: _Room, one: JudgedRoom, now_ms: int
    ) -> _Room:
        kept = self._write_facts(connection, known.facts, one, now_ms)
        pauses = Counter(one.judgement.pauses)
        if pauses != known.pauses:
            self._write_pauses(connection, one.room, known.pauses, pauses)
        flags = set(one.judgement.flags)
        self._write_flags(connection, one.room, known.flags, flags)
        return _Room(kept, pauses, flags)

    def _write_facts(
        self, connection: Connection, before: Sequence[_Kept], one: JudgedRoom, now_ms: int
    ) -> list[_Kept]:
        carried = carry(before, one.judgement.facts)
        kept = []
        for fact, old in carried:
            if old is not None and old.fact == fact:
                kept.append(old)
                continue
            if old is None:
                id, version = self._new_id(connection, one.room, fact)
            else:
                id, version = old.id, old.version + 1
            new = _Kept(id, version, fact, one.rule_of(fact.fired_at_ms))
            self._put(connection, new, one, withdrawn=False)
            if fact.level == "critical":
                connection.execute(
                    upsert(t.cases)
                    .values(
                        fact=id, room=one.room, code=fact.code, opened_ms=now_ms, withdrawn=False
                    )
                    .on_conflict_do_update(index_elements=["fact"], set_={"withdrawn": False})
                )
            kept.append(new)
        ids = {k.id for k in kept}
        for old in before:
            if old.id not in ids:
                self._put(connection, replace(old, version=old.version + 1), one, withdrawn=True)
                connection.execute(
                    update(t.cases).where(t.cases.c.fact == old.id).values(withdrawn=True)
                )
        return kept

    def _new_id(self, connection: Connection, room: RoomId, fact: Fact) -> tuple[str, int]:
        """The same id when the file is built again from the same data. A fact that was withdrawn
        and comes back goes on with its versions."""
        for nth in itertools.count():  # the plain id may be carried by a fact that moved away
            id = name(room, fact.code, fact.fired_at_ms, nth)
            last = connection.execute(
                select(t.facts.c.version, t.facts.c.withdrawn)
                .where(t.facts.c.id == id)
                .order_by(t.facts.c.version.desc())
            ).first()
            if last is None:
                return id, 1
            if last.withdrawn:
                return id, last.version + 1
        raise AssertionError("unreachable")

    @staticmethod
    def _put(connection: Connection, kept: _Kept, one: JudgedRoom, *, withdrawn: bool) -> None:
        f = kept.fact
        connection.execute(update(t.facts).where(t.facts.c.id == kept.id).values(newest=False))
        connection.execute(
            insert(t.facts).values(
                id=kept.id, version=kept.version, newest=True, room=one.room, code=f.code,
                level=f.level, began_ms=f.began_at_ms, fired_ms=f.fired_at_ms,
                cleared_ms=f.cleared_at_ms, peak=f.peak, excess=f.excess_count_ms,
                unknown_ms=f.unknown_ms, rule=kept.rule, withdrawn=withdrawn,
                n=one.n, m=one.m, core=CORE,
            )
        )  # fmt: skip

    @staticmethod
    def _write_pauses(
        connection: Connection, room: RoomId, before: "Counter[Pause]", after: "Counter[Pause]"
    ) -> None:
        for pause in before - after | after - before:
            connection.execute(
                delete(t.pauses).where(
                    t.pauses.c.room == room,
                    t.pauses.c.from_ms == pause.from_ms,
                    t.pauses.c.cause == pause.cause,
                )
            )
        touched = {(p.from_ms, p.cause) for p in before - after | after - before}
        nth: Counter[tuple[int, str]] = Counter()
        for pause in sorted(after.elements(), key=lambda p: (p.from_ms, p.cause, p.to_ms or 0)):
            key = (pause.from_ms, pause.cause)
            if key in touched:
                connection.execute(
                    insert(t.pauses).values(
                        room=room, from_ms=pause.from_ms, cause=pause.cause, nth=nth[key],
                        to_ms=pause.to_ms,
                    )
                )  # fmt: skip
                nth[key] += 1

    @staticmethod
    def _write_flags(
        connection: Connection, room: RoomId, before: set[Flag], after: set[Flag]
    ) -> None:
        c = t.flags.c
        for flag in before - after:
            connection.execute(
                delete(t.flags).where(
                    c.room == room, c.at_ms == flag.at_ms, c.probe == flag.probe,
                    c.quantity == flag.quantity, c.reason == flag.reason,
                )
            )  # fmt: skip
        rows = [
            {
                "room": room, "at_ms": f.at_ms, "probe": f.probe, "quantity": f.quantity,
                "reason": f.reason,
            }
            for f in after - before
        ]  # fmt: skip
        if rows:
            connection.execute(insert(t.flags), rows)


def carry(before: Sequence[_Kept], facts: Sequence[Fact]) -> list[tuple[Fact, _Kept | None]]:
    """Each fact with the version it continues."""
    old_of = continued([(old.id, old.fact) for old in before], facts)
    return [(fact, before[old_of[i]] if i in old_of else None) for i, fact in enumerate(facts)]


def _write_positions(connection: Connection, judged: Sequence[JudgedRoom]) -> None:
    """How far each room is judged, and from where to go on."""
    put = upsert(t.rooms)
    columns = ("n", "m", "horizon_ms", "checkpoints")
    connection.execute(
        put.on_conflict_do_update(
            index_elements=["room"], set_={name: put.excluded[name] for name in columns}
        ),
        [
            {
                "room": one.room, "n": one.n, "m": one.m, "horizon_ms": one.horizon_ms,
                "checkpoints": one.checkpoints,
            }
            for one in judged
        ],
    )  # fmt: skip
