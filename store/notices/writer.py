"""Writing ``notices.db``: the ladder's state with its notices, attempts, receipts, replies.

``decide`` writes the new state and the notices that it gave in one transaction, so a crash
leaves both or neither, and a notice's key is written once. A sending is logged after the
carrier took it: a crash in between sends again with the same key.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import stamina
from sqlalchemy import ColumnElement, Connection, Engine, Row, delete, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import OperationalError

from store.notices import schema as t
from store.notices.reader import SqlNoticesReader

TELL_FROM, LAST_ALIVE = "tell_from_ms", "last_alive_ms"
PAGE_ROWS = 1_000
FINAL = ("delivered", "failed")  # receipts after which nothing more is heard


@dataclass(frozen=True, slots=True)
class NewNotice:
    key: str
    at_ms: int
    person: str
    phone: str
    channel: str
    kind: str
    codes: Sequence[str]
    room: str
    incident: int
    code: str
    text: str
    facts: Sequence[str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class WaitingNotice:
    seq: int
    attempts: int
    notice: NewNotice


@dataclass(frozen=True, slots=True)
class OpenIncident:
    """``closed_ms`` None while something in it is active."""

    room: str
    number: int
    code: str
    opened_ms: int
    closed_ms: int | None


@dataclass(frozen=True, slots=True)
class SilentLink:
    room: str
    probe: str
    quantity: str
    since_ms: int
    level: str


@dataclass(frozen=True, slots=True)
class KeptReply:
    provider_id: str
    phone: str
    text: str
    at_ms: int
    understood: str
    person: str
    room: str
    detail: Mapping[str, str]
    attempts: int


class SqlNoticesStore(SqlNoticesReader):
    """The one writing process; its threads share it."""

    def __init__(self, engine: Engine, release: Callable[[], None]) -> None:
        super().__init__(engine)
        self._release = release

    def close(self) -> None:
        super().close()
        self._release()

    # --- settings of the file itself

    def about(self, key: str) -> int | None:
        rows = self._rows(select(t.about.c.value).where(t.about.c.key == key))
        return int(rows[0].value) if rows else None

    @stamina.retry(on=OperationalError, timeout=60)
    def put_about(self, key: str, value: int, *, keep: bool = False) -> None:
        """``keep``: an earlier value stays."""
        row = upsert(t.about).values(key=key, value=str(value))
        with self._engine.begin() as connection:
            if keep:
                connection.execute(row.on_conflict_do_nothing())
            else:
                connection.execute(
                    row.on_conflict_do_update(index_elements=["key"], set_={"value": str(value)})
                )

    # --- deciding

    def states(self) -> dict[str, bytes]:
        return {r.room: r.state for r in self._rows(select(t.states))}

    @stamina.retry(on=OperationalError, timeout=60)
    def decide(
        self,
        states: Mapping[str, bytes],
        notices: Sequence[NewNotice],
        incidents: Sequence[OpenIncident] = (),
        links: Sequence[SilentLink] | None = None,
    ) -> None:
        """One transaction. ``links`` None: as they were."""
        with self._engine.begin() as connection:
            _write_turn(connection, states, notices, incidents)
            if links is not None:
                connection.execute(delete(t.links))
                for link in links:
                    connection.execute(
                        insert(t.links).values(
                            room=link.room, probe=link.probe, quantity=link.quantity,
                            since_ms=link.since_ms, level=link.level,
                        )
                    )  # fmt: skip

    def incidents(self, closed_after_ms: int) -> list[OpenIncident]:
        """Open ones, and those closed since; newest first."""
        c = t.incidents.c
        query = (
            select(t.incidents)
            .where(c.closed_ms.is_(None) | (c.closed_ms > closed_after_ms))
            .order_by(c.opened_ms.desc())
            .limit(PAGE_ROWS)
        )
        return [
            OpenIncident(r.room, r.number, r.code, r.opened_ms, r.closed_ms)
            for r in self._rows(query)
        ]

    # --- sending

    def waiting(self, now_ms: int, limit: int = 50) -> list[WaitingNotice]:
        """Due for an attempt, oldest first."""
        c = t.notices.c
        query = select(t.notices).where(c.state == "waiting", c.next_try_ms <= now_ms)
        return [
            WaitingNotice(r.seq, r.attempts, _notice(r))
            for r in self._rows(query.order_by(c.seq).limit(limit))
        ]

    def next_try_ms(self) -> int | None:
        c = t.notices.c
        rows = self._rows(select(func.min(c.next_try_ms)).where(c.state == "waiting"))
        found: int | None = rows[0][0]
        return found

    @stamina.retry(on=OperationalError, timeout=60)
    def attempted(
        self,
        key: str,
        now_ms: int,
        state: str,
        detail: str,
        *,
        kind: str,
        text: str,
        next_try_ms: int = 0,
        provider_id: str | None = None,
    ) -> None:
        """What became of one attempt: sent, waiting (again), failed or dropped."""
        values: dict[str, object] = {
            "state": state, "kind": kind, "text": text, "next_try_ms": next_try_ms,
            "attempts": t.notices.c.attempts + 1,
        }  # fmt: skip
        if state == "sent":
            values |= {"sent_ms": now_ms, "provider_id": provider_id}
        with self._engine.begin() as connection:
            if provider_id is not None:
                values["state"] = _received(connection, provider_id) or state
            connection.execute(update(t.notices).where(t.notices.c.key == key).values(values))
            connection.execute(
                insert(t.sendings).values(key=key, at_ms=now_ms, outcome=state, detail=detail)
            )

    @stamina.retry(on=OperationalError, timeout=60)
    def receipt(self, provider_id: str, state: str, now_ms: int) -> None:
        """The carrier's word. It may come before the sending is written, or when the process
        died in between: then it waits in the log until the key has been sent again."""
        c = t.notices.c
        with self._engine.begin() as connection:
            key = connection.execute(
                select(c.key).where(c.provider_id == provider_id)
            ).scalar_one_or_none()
            if key is not None and state in FINAL:
                connection.execute(update(t.notices).where(c.key == key).values(state=state))
            connection.execute(
                insert(t.sendings).values(
                    key=key or _early(provider_id), at_ms=now_ms, outcome=state, detail="receipt"
                )
            )

    # --- replies

    @stamina.retry(on=OperationalError, timeout=60)
    def keep_reply(self, provider_id: str, phone: str, text: str, at_ms: int) -> bool:
        """Stored before anything is done about it; False when it was there."""
        with self._engine.begin() as connection:
            seq = connection.execute(select(func.coalesce(func.max(t.replies.c.seq), 0))).scalar()
            done = connection.execute(
                upsert(t.replies)
                .values(
                    provider_id=provider_id, seq=(seq or 0) + 1, phone=phone, text=text[:1000],
                    at_ms=at_ms, understood="", person="", room="", detail={}, owed=False,
                    next_try_ms=0, attempts=0,
                )
                .on_conflict_do_nothing()
            )  # fmt: skip
        return done.rowcount == 1

    def unread(self) -> list[KeptReply]:
        return self._replies(t.replies.c.understood == "")

    def owed(self, now_ms: int) -> list[KeptReply]:
        """Replies that the api has yet to hear of, due now."""
        return self._replies(t.replies.c.owed & (t.replies.c.next_try_ms <= now_ms))

    def _replies(self, which: ColumnElement[bool]) -> list[KeptReply]:
        query = select(t.replies).where(which).order_by(t.replies.c.seq).limit(PAGE_ROWS)
        return [
            KeptReply(
                r.provider_id, r.phone, r.text, r.at_ms, r.understood, r.person, r.room,
                r.detail, r.attempts,
            )
            for r in self._rows(query)
        ]  # fmt: skip

    @stamina.retry(on=OperationalError, timeout=60)
    def read_reply(
        self,
        provider_id: str,
        understood: str,
        person: str,
        room: str,
        detail: Mapping[str, str],
        *,
        owed: bool,
        states: Mapping[str, bytes],
        answers: Sequence[NewNotice],
        incidents: Sequence[OpenIncident] = (),
    ) -> None:
        """What a reply was taken for, with the ladder that it stopped and the answer to it: one
        transaction."""
        with self._engine.begin() as connection:
            connection.execute(
                update(t.replies)
                .where(t.replies.c.provider_id == provider_id)
                .values(
                    understood=understood, person=person, room=room, detail=dict(detail), owed=owed
                )
            )
            _write_turn(connection, states, answers, incidents)

    @stamina.retry(on=OperationalError, timeout=60)
    def posted(self, provider_id: str, *, owed: bool, next_try_ms: int = 0) -> None:
        with self._engine.begin() as connection:
            connection.execute(
                update(t.replies)
                .where(t.replies.c.provider_id == provider_id)
                .values(
                    owed=owed, next_try_ms=next_try_ms, attempts=t.replies.c.attempts + 1
                )
            )  # fmt: skip


def _early(provider_id: str) -> str:
    return f"provider:{provider_id}"


def _received(connection: Connection, provider_id: str) -> str | None:
    """What a receipt that came early said."""
    c = t.sendings.c
    found: str | None = connection.execute(
        select(c.outcome)
        .where(c.key == _early(provider_id), c.outcome.in_(FINAL))
        .order_by(c.seq.desc())
    ).scalar()
    return found


def _write_turn(
    connection: Connection,
    states: Mapping[str, bytes],
    notices: Sequence[NewNotice],
    incidents: Sequence[OpenIncident],
) -> None:
    for room, state in states.items():
        connection.execute(
            upsert(t.states)
            .values(room=room, state=state)
            .on_conflict_do_update(index_elements=["room"], set_={"state": state})
        )
    for notice in notices:
        connection.execute(upsert(t.notices).values(_row(notice)).on_conflict_do_nothing())
    for i in incidents:
        connection.execute(
            upsert(t.incidents)
            .values(
                room=i.room, number=i.number, code=i.code, opened_ms=i.opened_ms,
                closed_ms=i.closed_ms,
            )
            .on_conflict_do_update(
                index_elements=["room", "number"], set_={"closed_ms": i.closed_ms}
            )
        )  # fmt: skip


def _row(notice: NewNotice) -> dict[str, object]:
    return {
        "key": notice.key, "at_ms": notice.at_ms, "person": notice.person,
        "phone": notice.phone, "channel": notice.channel, "kind": notice.kind,
        "codes": list(notice.codes), "room": notice.room, "incident": notice.incident,
        "code": notice.code, "text": notice.text, "facts": list(notice.facts),
        "body": notice.body, "state": "waiting", "attempts": 0, "next_try_ms": 0,
    }  # fmt: skip


def _notice(r: Row[Any]) -> NewNotice:
    return NewNotice(
        r.key, r.at_ms, r.person, r.phone, r.channel, r.kind, r.codes, r.room, r.incident,
        r.code, r.text, r.facts, r.body,
    )  # fmt: skip
