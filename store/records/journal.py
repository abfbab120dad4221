"""The changes journal: one entry for each change, numbered without holes."""

from collections.abc import Sequence

from sqlalchemy import Connection, func, insert, select

from domain.reading import RoomId
from store.records import checks
from store.records import schema as t
from store.records.ports import ChangeNo


def record(
    c: Connection,
    kind: str,
    subject: str,
    by: str,
    now_ms: int,
    *,
    rooms: Sequence[RoomId] = (),
    from_ms: int | None = None,
) -> ChangeNo:
    """The next entry, in the caller's transaction. ``rooms``: whose judgement it touches."""
    checks.text("by", by)
    m = ChangeNo(1 + int(c.scalar(select(func.coalesce(func.max(t.changes.c.m), 0))) or 0))
    c.execute(
        insert(t.changes).values(
            m=m,
            kind=kind,
            rooms=list(rooms),
            from_ms=now_ms if from_ms is None else from_ms,
            recorded_at_ms=now_ms,
            by=by,
            subject=subject,
        )
    )
    return m
