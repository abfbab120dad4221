"""The changes journal: one entry for each change, numbered without holes."""

from collections.abc import Mapping, Sequence
from typing import Any

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


def record_action(
    c: Connection,
    id: str,
    room: RoomId,
    kind: str,
    at_ms: int,
    detail: Mapping[str, Any],
    *,
    by: str,
    now_ms: int,
) -> ChangeNo:
    """The action and its entry. Its id is new."""
    m = record(c, "action", id, by, now_ms, rooms=(room,), from_ms=at_ms)
    c.execute(
        insert(t.actions).values(
            id=id,
            room=room,
            kind=kind,
            at_ms=at_ms,
            by=by,
            recorded_at_ms=now_ms,
            detail=dict(detail),
            m=m,
        )
    )
    return m
