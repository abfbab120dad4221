"""Writing ``notices.db``: the ladder's state with its notices, attempts, receipts, replies.

``decide`` writes the new state and the notices that it gave in one transaction, so a crash
leaves both or neither, and a notice's key is written once. A sending is logged after the
carrier took it: a crash in between sends again with the same key.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import stamina
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    Row,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import OperationalError

from domain.system_alarm import Told
from store.notices import schema as t
from store.notices.reader import AWAY, LAST_ALIVE, SqlNoticesReader

TELL_FROM = "tell_from_ms"
PAGE_ROWS = 1_000
PUT_OFF_MS = 3_600_000  # longer than any pause between two tries
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
    """``via``: the channel that has it, since ``via_ms``, and its ``via_tries`` so far."""

    seq: int
    attempts: int
    notice: NewNotice
    via: str = ""
    via_ms: int = 0
    via_tries: int = 0
    refused_by: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Charge:
    """What a carrier counts for one sending."""

    month: str
    organisation: str
    parts: int


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


@dataclass(frozen=True, slots=True)
class GatewayAck:
    """``id`` becomes the recorded action's."""

    id: str
    by: str
    room: str
    at_ms: int


class SqlNoticesStore(SqlNoticesReader):
    """The one writing process; its threads share it."""

    def __init__(self, engine: Engine, release: Callable[[], None]) -> None:
        super().__init__(engine)
        self._release = release

    def close(self) -> None:
        super().close()
        self._release()

    # --- settings of the file itself

    @stamina.retry(on=OperationalError, timeout=60)
    def put_about(self, key: str, value: int, *, keep: bool = False) -> None:
        """``keep``: an earlier value stays."""
        with self._engine.begin() as connection:
            if keep:
                row = upsert(t.about).values(key=key, value=str(value))
                connection.execute(row.on_conflict_do_nothing())
            else:
                _put_about(connection, {key: str(value)})

    @stamina.retry(on=OperationalError, timeout=60)
    def put_away(self, spans: Sequence[tuple[int, int]]) -> None:
        with self._engine.begin() as connection:
            _put_about(connection, {AWAY: msgspec.json.encode(spans).decode()})

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
        told: Sequence[NewNotice] = (),
        alive_ms: int | None = None,
    ) -> None:
        """One transaction. ``links`` None: as they were. ``told``: what gateways have told, with
        the incident and the facts that it turned out to be about. ``alive_ms``: when it was
        decided; who decides is there (``LAST_ALIVE``)."""
        with self._engine.begin() as connection:
            _write_turn(connection, states, notices, incidents)
            if alive_ms is not None:
                _put_about(connection, {LAST_ALIVE: str(alive_ms)})
            for one in told:
                connection.execute(
                    update(t.notices)
                    .where(t.notices.c.key == one.key)
                    .values(incident=one.incident, code=one.code, facts=list(one.facts))
                )
            if links is not None:
                connection.execute(delete(t.links))
                if links:
                    connection.execute(
                        insert(t.links),
                        [
                            {
                                "room": link.room, "probe": link.probe, "quantity": link.quantity,
                                "since_ms": link.since_ms, "level": link.level,
                            }
                            for link in links
                        ],
                    )  # fmt: skip

    def told_system_alarms(self) -> list[Told]:
        """Those that people know of and have not been told the end of."""
        return [
            Told(r.code, r.about, r.since_ms, r.told_ms, r.gone_ms)
            for r in self._rows(select(t.system_alarms))
        ]

    @stamina.retry(on=OperationalError, timeout=60)
    def tell_system_alarms(self, known: Sequence[Told], notices: Sequence[NewNotice]) -> None:
        """What people know of from now on, and what says it to them: one transaction."""
        with self._engine.begin() as connection:
            connection.execute(delete(t.system_alarms))
            for one in known:
                connection.execute(
                    insert(t.system_alarms).values(
                        code=one.code, about=one.about, since_ms=one.since_ms,
                        told_ms=one.told_ms, gone_ms=one.gone_ms,
                    )
                )  # fmt: skip
            _write_turn(connection, {}, notices, [])

    def tell_upkeep(self, notices: Sequence[NewNotice], marks: Mapping[str, int]) -> None:
        """What says it, and up to where that was looked at: one transaction."""
        with self._engine.begin() as connection:
            _put_about(connection, {key: str(value) for key, value in marks.items()})
            _write_turn(connection, {}, notices, [])

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

    def waiting(self, now_ms: int, via: str, limit: int = 50) -> list[WaitingNotice]:
        """Due for an attempt by this channel, oldest first."""
        c = t.notices.c
        due = _due(c.next_try_ms, now_ms)
        query = select(t.notices).where(c.state == "waiting", c.via == via, due)
        return [_waiting(r) for r in self._rows(query.order_by(c.seq).limit(limit))]

    def held_by(self, via: str, limit: int = PAGE_ROWS) -> list[WaitingNotice]:
        """Everything that waits for this channel, due or not; "" for none yet."""
        c = t.notices.c
        query = select(t.notices).where(c.state == "waiting", c.via == via)
        return [_waiting(r) for r in self._rows(query.order_by(c.seq).limit(limit))]

    def waits_for(self) -> set[str]:
        """The channels that have something waiting."""
        c = t.notices.c
        return {r.via for r in self._rows(select(c.via).where(c.state == "waiting").distinct())}

    @stamina.retry(on=OperationalError, timeout=60)
    def give(self, to: Mapping[str, str], now_ms: int, why: str = "") -> None:
        """Notice key to the channel that has it from now on; what was sent meanwhile stays."""
        c = t.notices.c
        with self._engine.begin() as connection:
            for key, via in to.items():
                connection.execute(
                    update(t.notices)
                    .where(c.key == key, c.state == "waiting")
                    .values(via=via, via_ms=now_ms, via_tries=0, next_try_ms=0)
                )
                if why:
                    _log(connection, key, now_ms, "waiting", why, via)

    def later_one(self, one: WaitingNotice) -> bool:
        """Is there a newer notice of its kind to the same person about the same room?"""
        c, notice = t.notices.c, one.notice
        query = select(c.seq).where(
            c.seq > one.seq, c.room == notice.room, c.person == notice.person,
            c.channel == notice.channel, c.kind == notice.kind,
        )  # fmt: skip
        return bool(self._rows(query.limit(1)))

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
        via: str = "",
        next_try_ms: int = 0,
        provider_id: str | None = None,
        refused_by: Sequence[str] | None = None,
        charge: Charge | None = None,
    ) -> None:
        """What became of one attempt by ``via``: sent, waiting (again), failed or dropped. What
        another channel has sent meanwhile stays so; then only the log hears of this one."""
        c = t.notices.c
        values: dict[str, object] = {
            "state": state, "kind": kind, "text": text, "next_try_ms": next_try_ms,
            "attempts": c.attempts + 1,
        }  # fmt: skip
        if via:
            values |= {"via": via, "via_tries": c.via_tries + 1}
        if refused_by is not None:
            values["refused_by"] = list(refused_by)
        mine = (c.key == key) & (c.state == "waiting")
        if state == "sent":
            values |= {"sent_ms": now_ms, "provider_id": provider_id}
        else:
            mine &= (c.via == via) | (c.via == "")
        with self._engine.begin() as connection:
            if provider_id is not None:
                values["state"] = _received(connection, provider_id) or state
            connection.execute(update(t.notices).where(mine).values(values))
            _log(connection, key, now_ms, state, detail, via, provider_id)
            if charge is not None:
                _charge(connection, via, charge)

    @stamina.retry(on=OperationalError, timeout=60)
    def receipt(self, provider_id: str, state: str, now_ms: int) -> WaitingNotice | None:
        """The carrier's word. It may come before the sending is written, or when the process
        died in between: then it waits in the log until the key has been sent again. What comes
        back: the notice that the carrier took and could not deliver."""
        c, s = t.notices.c, t.sendings.c
        with self._engine.begin() as connection:
            sent = connection.execute(
                select(s.key, s.via).where(s.provider_id == provider_id).limit(1)
            ).first() or connection.execute(
                select(c.key, c.via).where(c.provider_id == provider_id).limit(1)
            ).first()  # fmt: skip
            key, via = (sent.key, sent.via) if sent else (_early(provider_id), "")
            told = (c.key == key) & (c.provider_id == provider_id)
            if state in FINAL:
                connection.execute(update(t.notices).where(told).values(state=state))
            _log(connection, key, now_ms, state, "receipt", via)
            if state != "failed":
                return None
            row = connection.execute(select(t.notices).where(told)).first()
            return _waiting(row) if row is not None else None

    @stamina.retry(on=OperationalError, timeout=60)
    def reopen(self, key: str, via: str, refused_by: Sequence[str], now_ms: int) -> None:
        """What was taken and not delivered, for another channel to try."""
        c = t.notices.c
        with self._engine.begin() as connection:
            connection.execute(
                update(t.notices)
                .where(c.key == key, c.state == "failed")
                .values(
                    state="waiting", via=via, via_ms=now_ms, via_tries=0, next_try_ms=0,
                    refused_by=list(refused_by),
                )
            )  # fmt: skip
            _log(connection, key, now_ms, "waiting", "not delivered", via)

    # --- channels

    @stamina.retry(on=OperationalError, timeout=60)
    def channel_fares(
        self,
        name: str,
        *,
        ok_ms: int | None = None,
        failing_ms: int | None = None,
        asked_ms: int | None = None,
        error: str = "",
    ) -> None:
        """``ok_ms``: it works, and fails no longer. What is None stays as it was."""
        values: dict[str, object] = {"error": error[:500]}
        if ok_ms is not None:
            values |= {"ok_ms": ok_ms, "failing_ms": None}
        if failing_ms is not None:
            values["failing_ms"] = failing_ms
        if asked_ms is not None:
            values["asked_ms"] = asked_ms
        with self._engine.begin() as connection:
            connection.execute(
                upsert(t.channels)
                .values(name=name, **values)
                .on_conflict_do_update(index_elements=["name"], set_=values)
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
        return self._replies(t.replies.c.owed & _due(t.replies.c.next_try_ms, now_ms))

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
        alive_ms: int | None = None,
    ) -> None:
        """What a reply was taken for, with the ladder that it stopped and the answer to it: one
        transaction. ``alive_ms`` as in ``decide``."""
        with self._engine.begin() as connection:
            connection.execute(
                update(t.replies)
                .where(t.replies.c.provider_id == provider_id)
                .values(
                    understood=understood, person=person, room=room, detail=dict(detail), owed=owed
                )
            )
            _write_turn(connection, states, answers, incidents)
            if alive_ms is not None:
                _put_about(connection, {LAST_ALIVE: str(alive_ms)})

    # --- gateways

    @stamina.retry(on=OperationalError, timeout=60)
    def take_gateway(
        self, told: Sequence[NewNotice], acks: Sequence[GatewayAck], cursor: str, n: int
    ) -> None:
        """What gateways reported, and how far their reports were read: one transaction."""
        with self._engine.begin() as connection:
            for notice in told:
                row = _row(notice) | {"state": "told", "via": "gateway", "sent_ms": notice.at_ms}
                done = connection.execute(upsert(t.notices).values(row).on_conflict_do_nothing())
                if done.rowcount == 1:
                    _log(connection, notice.key, notice.at_ms, "told", "", "gateway")
            seq = connection.execute(select(func.coalesce(func.max(t.replies.c.seq), 0))).scalar()
            for i, ack in enumerate(acks, (seq or 0) + 1):
                connection.execute(
                    upsert(t.replies)
                    .values(
                        provider_id=ack.id, seq=i, phone="", text="", at_ms=ack.at_ms,
                        understood="ack", person=ack.by, room=ack.room,
                        detail={"channel": "gateway"}, owed=True, next_try_ms=0, attempts=0,
                    )
                    .on_conflict_do_nothing()
                )  # fmt: skip
            _put_about(connection, {cursor: str(n)})

    def told_by_gateway(self, room: str, person: str, limit: int = 50) -> list[NewNotice]:
        """Newest first."""
        c = t.notices.c
        query = select(t.notices).where(c.room == room, c.person == person, c.state == "told")
        return [_notice(r) for r in self._rows(query.order_by(c.seq.desc()).limit(limit))]

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


def _due(next_try_ms: Column[int], now_ms: int) -> ColumnElement[bool]:
    """Nobody puts a try off for as long as ``PUT_OFF_MS``: the clock has been put back since."""
    return (next_try_ms <= now_ms) | (next_try_ms > now_ms + PUT_OFF_MS)


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


def _put_about(connection: Connection, values: Mapping[str, str]) -> None:
    for key, value in values.items():
        connection.execute(
            upsert(t.about)
            .values(key=key, value=value)
            .on_conflict_do_update(index_elements=["key"], set_={"value": value})
        )


def _write_turn(
    connection: Connection,
    states: Mapping[str, bytes],
    notices: Sequence[NewNotice],
    incidents: Sequence[OpenIncident],
) -> None:
    if states:
        put = upsert(t.states)
        connection.execute(
            put.on_conflict_do_update(index_elements=["room"], set_={"state": put.excluded.state}),
            [{"room": room, "state": state} for room, state in states.items()],
        )
    if notices:
        connection.execute(
            upsert(t.notices).on_conflict_do_nothing(), [_row(notice) for notice in notices]
        )
    if incidents:
        put = upsert(t.incidents)
        connection.execute(
            put.on_conflict_do_update(
                index_elements=["room", "number"], set_={"closed_ms": put.excluded.closed_ms}
            ),
            [
                {
                    "room": i.room, "number": i.number, "code": i.code, "opened_ms": i.opened_ms,
                    "closed_ms": i.closed_ms,
                }
                for i in incidents
            ],
        )  # fmt: skip


def _row(notice: NewNotice) -> dict[str, object]:
    return {
        "key": notice.key, "at_ms": notice.at_ms, "person": notice.person,
        "phone": notice.phone, "channel": notice.channel, "kind": notice.kind,
        "codes": list(notice.codes), "room": notice.room, "incident": notice.incident,
        "code": notice.code, "text": notice.text, "facts": list(notice.facts),
        "body": notice.body, "state": "waiting", "attempts": 0, "next_try_ms": 0,
    }  # fmt: skip


def _log(
    connection: Connection,
    key: str,
    now_ms: int,
    outcome: str,
    detail: str,
    via: str,
    provider_id: str | None = None,
) -> None:
    connection.execute(
        insert(t.sendings).values(
            key=key, at_ms=now_ms, outcome=outcome, detail=detail, via=via,
            provider_id=provider_id,
        )
    )  # fmt: skip


def _charge(connection: Connection, via: str, charge: Charge) -> None:
    c = t.usage.c
    connection.execute(
        upsert(t.usage)
        .values(
            month=charge.month, organisation=charge.organisation, via=via,
            messages=1, parts=charge.parts,
        )
        .on_conflict_do_update(
            index_elements=["month", "organisation", "via"],
            set_={"messages": c.messages + 1, "parts": c.parts + charge.parts},
        )
    )  # fmt: skip


def _waiting(r: Row[Any]) -> WaitingNotice:
    return WaitingNotice(
        r.seq, r.attempts, _notice(r), r.via, r.via_ms, r.via_tries, tuple(r.refused_by)
    )


def _notice(r: Row[Any]) -> NewNotice:
    return NewNotice(
        r.key, r.at_ms, r.person, r.phone, r.channel, r.kind, r.codes, r.room, r.incident,
        r.code, r.text, r.facts, r.body,
    )  # fmt: skip
