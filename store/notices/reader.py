"""Reading ``notices.db``: what was told to whom, what they answered, which links are silent."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Engine, Row, Select, select

from domain.decision import Notice
from domain.incident import RoomState
from domain.reading import RoomId
from store.notices import schema as t

PAGE_ROWS = 1_000
LAST_ALIVE = "last_alive_ms"  # when alerts last said that it judges
AWAY = "away"  # JSON: spans in which it did not


class SqlNoticesReader:
    """Each call opens, reads and closes; safe to share between threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def close(self) -> None:
        self._engine.dispose()

    def _rows(self, query: Select[Any]) -> Sequence[Row[Any]]:
        with self._engine.connect() as connection:
            return connection.execute(query).all()

    def about(self, key: str) -> int | None:
        rows = self._rows(select(t.about.c.value).where(t.about.c.key == key))
        return int(rows[0].value) if rows else None

    def away(self) -> list[tuple[int, int]]:
        """Spans in which alerts did not run, oldest first."""
        rows = self._rows(select(t.about.c.value).where(t.about.c.key == AWAY))
        return msgspec.json.decode(rows[0].value, type=list[tuple[int, int]]) if rows else []

    def notices(
        self, room: RoomId | None = None, limit: int = 200
    ) -> Sequence[Mapping[str, object]]:
        """Newest first. ``state``: waiting | sent | delivered | failed; ``code``: 4 characters."""
        c = t.notices.c
        query = select(t.notices)
        if room is not None:
            query = query.where(c.room == room)
        rows = self._rows(query.order_by(c.seq.desc()).limit(min(limit, PAGE_ROWS)))
        return [_notice(r) for r in rows]

    def about_alarm(
        self, room: RoomId, code: str, from_ms: int, to_ms: int
    ) -> Sequence[Mapping[str, object]]:
        """Those of ``notices`` that told of this code of the room, as ringing within [from, to)."""
        c = t.notices.c
        query = select(t.notices).where(c.room == room).order_by(c.seq.desc()).limit(PAGE_ROWS)
        return [_notice(r) for r in self._rows(query) if _tells_of(r, room, code, from_ms, to_ms)]

    def replies(self, limit: int = 200) -> Sequence[Mapping[str, object]]:
        """Newest first."""
        c = t.replies.c
        query = select(t.replies).order_by(c.seq.desc()).limit(min(limit, PAGE_ROWS))
        return [
            {
                "provider_id": r.provider_id, "from": r.phone, "person": r.person,
                "text": r.text, "at_ms": r.at_ms, "understood": r.understood, "room": r.room,
                "posted": not r.owed,
            }
            for r in self._rows(query)
        ]  # fmt: skip

    def usage(self, months: int = 12) -> Sequence[Mapping[str, object]]:
        """Messages and parts carried, by month (newest first), organisation and channel."""
        c = t.usage.c
        newest = select(c.month).distinct().order_by(c.month.desc()).limit(months)
        query = select(t.usage).where(c.month.in_(newest))
        rows = self._rows(query.order_by(c.month.desc(), c.organisation, c.via).limit(PAGE_ROWS))
        return [
            {
                "month": r.month, "organisation": r.organisation, "channel": r.via,
                "messages": r.messages, "parts": r.parts,
            }
            for r in rows
        ]  # fmt: skip

    def channels(self) -> Sequence[Mapping[str, Any]]:
        """How each channel fares: when it last worked, since when it does not, and why."""
        rows = self._rows(select(t.channels).order_by(t.channels.c.name))
        return [
            {
                "name": r.name, "ok_ms": r.ok_ms, "failing_ms": r.failing_ms, "error": r.error,
                "asked_ms": r.asked_ms,
            }
            for r in rows
        ]  # fmt: skip

    def unreached(self, after_ms: int) -> Mapping[str, str]:
        """People whose newest message since then went by no channel, and what the last one said
        to it; waiting ones say nothing yet."""
        c, s = t.notices.c, t.sendings.c
        query = select(c.key, c.person, c.state).where(
            c.at_ms > after_ms, c.state.in_(("sent", "delivered", "failed"))
        )
        newest = {
            r.person: r for r in self._rows(query.order_by(c.seq.desc()).limit(PAGE_ROWS))[::-1]
        }
        found = {}
        for person, row in newest.items():
            if row.state == "failed":
                said = select(s.detail).where(s.key == row.key, s.detail != "")
                last = self._rows(said.order_by(s.seq.desc()).limit(1))
                found[person] = str(last[0].detail) if last else ""
        return found

    def sendings(self, keys: Sequence[str]) -> dict[str, list[tuple[int, str, str]]]:
        """Every attempt and receipt of these notices, oldest first: when, outcome, detail."""
        c = t.sendings.c
        query = select(t.sendings).where(c.key.in_(keys)).order_by(c.seq).limit(PAGE_ROWS)
        found: dict[str, list[tuple[int, str, str]]] = {}
        for r in self._rows(query):
            found.setdefault(r.key, []).append((r.at_ms, r.outcome, r.detail))
        return found

    def state(self, room: str) -> RoomState | None:
        """Where the ladder of a room stands; None when it was never looked at."""
        rows = self._rows(select(t.states.c.state).where(t.states.c.room == room))
        return msgspec.json.decode(rows[0].state, type=RoomState) if rows else None

    def links(self) -> Sequence[Mapping[str, object]]:
        """Series that are silent now by the server's clock."""
        c = t.links.c
        return [
            {
                "room": r.room, "probe": r.probe, "quantity": r.quantity,
                "since_ms": r.since_ms, "level": r.level,
            }
            for r in self._rows(select(t.links).order_by(c.room, c.probe).limit(PAGE_ROWS))
        ]  # fmt: skip


def _notice(r: Row[Any]) -> Mapping[str, object]:
    return {
        "key": r.key, "at_ms": r.at_ms, "to": r.person, "phone": r.phone,
        "channel": r.channel, "kind": r.kind, "codes": r.codes, "room": r.room,
        "text": r.text, "code": r.code, "state": r.state, "sent_at_ms": r.sent_ms,
        "attempts": r.attempts, "fact_ids": r.facts, "via": r.via,
    }  # fmt: skip


def _tells_of(r: Row[Any], room: RoomId, code: str, from_ms: int, to_ms: int) -> bool:
    """By time, not by ids: those are others in facts that were made anew."""
    about = msgspec.json.decode(r.body, type=Notice).about if r.body else ()
    return any(
        where == room
        and known.code == code
        and known.fired_ms < to_ms
        and (known.seen_ms if known.cleared_ms is None else known.cleared_ms) >= from_ms
        for where, known in about
    )
