"""Writing ``trace.db``: what has been followed, folded, made and issued. One writer."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Row, delete, insert, select, update

from domain.lot import LotEvent, ObjectId, lot_event, lot_object
from domain.reading import LotId, RoomId
from domain.stay import Folded, Stay, fold
from store.migrate import open_writer
from store.records.ports import ChangeNo, EpcisEvent
from traceability import migrations
from traceability import tables as t
from traceability.lot_record import LotRecord

MOST_RELATED = 10_000  # events of one lot's graph


@dataclass(frozen=True, slots=True)
class Cursor:
    readings_store: str
    n: int
    records_store: str
    m: int


@dataclass(frozen=True, slots=True)
class Due:
    lot: LotId
    since_ms: int
    not_before_ms: int
    n: int
    m: int


@dataclass(frozen=True, slots=True)
class Issued:
    """The newest certificate of a lot."""

    version: int
    until_ms: int
    content_sha256: str
    data: bytes


class TraceDatabase:
    def __init__(self, engine: Engine, release: Callable[[], None]) -> None:
        self._engine = engine
        self._release = release

    def close(self) -> None:
        self._engine.dispose()
        self._release()

    def cursor(self) -> Cursor:
        with self._engine.connect() as c:
            row = c.execute(select(t.cursor)).first()
        if row is None:
            return Cursor("", 0, "", 0)
        return Cursor(row.readings_store, row.n, row.records_store, row.m)

    def stays(self) -> list[Stay]:
        """Of our lots; oldest first."""
        s = t.stays.c
        with self._engine.connect() as c:
            rows = c.execute(
                select(t.stays).where(s.object.startswith("lot:")).order_by(s.from_ms)
            ).all()
        return [
            Stay(ObjectId(r.object), RoomId(r.room), r.from_ms, r.to_ms, r.came_by, r.left_by)
            for r in rows
        ]

    def forget_records(self, cursor: Cursor) -> None:
        """Another records store: everything folded from the one before goes."""
        with self._engine.begin() as c:
            for table in (t.events, t.objects, t.stays, t.misfits, t.due, t.exposures):
                c.execute(delete(table))
            _move(c, cursor)

    def fold(self, events: Sequence[EpcisEvent]) -> set[LotId]:
        """Keep the events and fold what they are connected with; the lots that this touches.
        Repeating it changes nothing, so the cursor may move later."""
        moved: set[LotId] = set()
        with self._engine.begin() as c:
            for event in events:
                _keep(c, event)
            for event in events:
                moved |= _fold_again(c, lot_event(event.body).everything)
        return moved

    def advance(self, cursor: Cursor, due: Iterable[Due]) -> None:
        """What was read of the journals and whom it makes due, in one transaction."""
        with self._engine.begin() as c:
            for one in due:
                _mark(c, one)
            _move(c, cursor)

    def mark(self, due: Iterable[Due]) -> None:
        with self._engine.begin() as c:
            for one in due:
                _mark(c, one)

    def due(self, now_ms: int, limit: int = 20) -> list[Due]:
        d = t.due.c
        query = select(t.due).where(d.not_before_ms <= now_ms).order_by(d.since_ms, d.lot)
        with self._engine.connect() as c:
            rows = c.execute(query.limit(limit)).all()
        return [Due(LotId(r.lot), r.since_ms, r.not_before_ms, r.n, r.m) for r in rows]

    def marked(self) -> dict[LotId, Due]:
        with self._engine.connect() as c:
            rows = c.execute(select(t.due)).all()
        return {
            LotId(r.lot): Due(LotId(r.lot), r.since_ms, r.not_before_ms, r.n, r.m) for r in rows
        }

    def journey(self, lot: LotId) -> tuple[list[EpcisEvent], Folded]:
        """The events of the lot and of what it was packed with or made from; and their fold."""
        with self._engine.connect() as c:
            rows = _related(c, [lot_object(lot)])
        return [_event(row) for row in rows], fold(lot_event(row.body) for row in rows)

    def issued(self, lot: LotId) -> Issued | None:
        x = t.certificates.c
        query = select(t.certificates).where(x.lot == lot).order_by(x.version.desc()).limit(1)
        with self._engine.connect() as c:
            row = c.execute(query).first()
        if row is None:
            return None
        return Issued(row.version, row.until_ms, row.content_sha256, bytes(row.bytes))

    def settle(
        self,
        lot: LotId,
        code: str,
        record: LotRecord | None,
        certificate: Mapping[str, Any] | None,
        again: Due | None,
        now_ms: int,
    ) -> None:
        """The lot's record (None: it never was in a room), a new certificate if one was
        issued, and when to look again; in one transaction."""
        with self._engine.begin() as c:
            c.execute(delete(t.exposures).where(t.exposures.c.lot == lot))
            c.execute(delete(t.due).where(t.due.c.lot == lot))
            if record is not None:
                c.execute(
                    insert(t.exposures).values(
                        lot=lot,
                        code=code,
                        made_at_ms=now_ms,
                        until_ms=record.until_ms,
                        open=record.open,
                        verdict=record.body["verdict"]["verdict"],
                        body=record.body,
                    )
                )
            if certificate is not None:
                c.execute(insert(t.certificates).values(lot=lot, **certificate))
            if again is not None:
                _mark(c, again)


def open_trace(path: Path | str) -> TraceDatabase:
    """The one writer; ``store.errors.AlreadyOpen`` when another process has the file."""
    return TraceDatabase(*open_writer(path, Path(migrations.__file__).parent, t.VERSION))


def _move(c: Connection, cursor: Cursor) -> None:
    values = {
        "readings_store": cursor.readings_store,
        "n": cursor.n,
        "records_store": cursor.records_store,
        "m": cursor.m,
    }
    if c.execute(update(t.cursor).values(values)).rowcount == 0:
        c.execute(insert(t.cursor).values(id=1, **values))


def _keep(c: Connection, event: EpcisEvent) -> None:
    if c.scalar(select(t.events.c.m).where(t.events.c.m == event.m)) is not None:
        return
    c.execute(
        insert(t.events).values(
            m=event.m,
            event_id=event.event_id,
            record_time_ms=event.record_time_ms,
            body=dict(event.body),
        )
    )
    named = lot_event(event.body).everything
    if named:
        c.execute(insert(t.objects), [{"object": o, "m": event.m} for o in named])


def _related(c: Connection, objects: Iterable[ObjectId]) -> list[Row[Any]]:
    known: set[str] = set()
    waiting: set[str] = set(objects)
    found: dict[int, Row[Any]] = {}
    while waiting and len(found) < MOST_RELATED:
        known |= waiting
        wanted = select(t.objects.c.m).where(t.objects.c.object.in_(waiting))
        rows = c.execute(select(t.events).where(t.events.c.m.in_(wanted))).all()
        found |= {row.m: row for row in rows}
        waiting = {str(o) for row in rows for o in lot_event(row.body).everything} - known
    return [found[m] for m in sorted(found)]


def _event(row: Row[Any]) -> EpcisEvent:
    happened: LotEvent = lot_event(row.body)
    return EpcisEvent(row.event_id, happened.at_ms, row.record_time_ms, row.body, ChangeNo(row.m))


def _fold_again(c: Connection, objects: Iterable[ObjectId]) -> set[LotId]:
    """Stays and misfits of everything connected with the objects, as they are now."""
    events = [lot_event(row.body) for row in _related(c, objects)]
    folded = fold(events)
    named = sorted({o for event in events for o in event.everything})
    c.execute(delete(t.stays).where(t.stays.c.object.in_(named)))
    c.execute(delete(t.misfits).where(t.misfits.c.object.in_(named)))
    if folded.stays:
        c.execute(
            insert(t.stays),
            [
                {
                    "object": stay.object,
                    "room": stay.room,
                    "from_ms": stay.from_ms,
                    "to_ms": stay.to_ms,
                    "came_by": stay.came_by,
                    "left_by": stay.left_by,
                }
                for stay in folded.stays
            ],
        )
    misfits = dict.fromkeys((x.event, x.object, x.reason) for x in folded.misfits)
    if misfits:
        c.execute(
            insert(t.misfits),
            [{"event_id": e, "object": o, "reason": r} for e, o, r in misfits],
        )
    return {LotId(o.removeprefix("lot:")) for o in named if o.startswith("lot:")}


def _mark(c: Connection, due: Due) -> None:
    c.execute(delete(t.due).where(t.due.c.lot == due.lot))
    c.execute(
        insert(t.due).values(
            lot=due.lot,
            since_ms=due.since_ms,
            not_before_ms=due.not_before_ms,
            n=due.n,
            m=due.m,
        )
    )
