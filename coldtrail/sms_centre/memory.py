"""What the SMS centre has accepted, on disk before it says so."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw

from coldtrail.sms_centre.pdu import Submit
from disk.room import Full
from disk.transaction import NO_ROOM, transaction

SCHEMA = """
CREATE TABLE IF NOT EXISTS message (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    phone TEXT NOT NULL, number TEXT NOT NULL,
    mine INTEGER NOT NULL,          -- 1: typed on the phone
    reference INTEGER, total INTEGER NOT NULL, at_ms INTEGER NOT NULL,
    handed_on INTEGER NOT NULL DEFAULT 0  -- a reply that the client has taken
) STRICT;
CREATE TABLE IF NOT EXISTS part (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT UNIQUE,                -- null for what was typed on the phone
    message INTEGER NOT NULL REFERENCES message, place INTEGER NOT NULL,
    text TEXT NOT NULL, receipt INTEGER NOT NULL DEFAULT 0, -- 1 wanted, 2 taken
    UNIQUE (message, place)
) STRICT;
CREATE INDEX IF NOT EXISTS part_receipt ON part (receipt) WHERE receipt = 1;
"""


@dataclass(frozen=True, slots=True)
class Shown:
    """A message as the phone shows it; ``text`` None while parts are missing."""

    id: int
    mine: bool
    text: str | None
    at_ms: int
    handed_on: bool


@dataclass(frozen=True, slots=True)
class Outbound:
    """To the client: a reply (``text``) or a receipt for a part, the oldest first."""

    id: int
    receipt: bool
    phone: str
    number: str
    text: str
    at_ms: int


class Memory:
    """Threads may share it. ``changed`` is notified after each write. ``Full`` from one that found
    no room: nothing of it was kept."""

    def __init__(self, path: Path, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._lock = threading.RLock()
        self.changed = threading.Condition(self._lock)
        try:
            self._db = _open(path)
        except (*NO_ROOM, apsw.CantOpenError) as error:
            raise Full(f"{path} cannot be opened: {error}") from error
        self._revision = 1

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @property
    def revision(self) -> int:
        """Grows with each change, within this process."""
        with self._lock:
            return self._revision

    def accept(self, part: Submit) -> int:
        """The part's id, on disk. The same key again gets the same id and changes nothing."""
        with self._lock:
            known = self._one("SELECT id FROM part WHERE key = ?", part.key)
            return int(known) if known is not None else self._add(part)

    def _add(self, part: Submit) -> int:
        with transaction(self._db):
            message = self._message_for(part)
            self._db.execute(
                "INSERT INTO part (key, message, place, text, receipt) VALUES (?, ?, ?, ?, ?)",
                (part.key, message, part.number, part.text, int(part.receipt)),
            )
            id = self._db.last_insert_rowid()
            self._touch()
        return id

    def type_reply(self, phone: str, text: str) -> None:
        """A person answers the number that last wrote to them."""
        with self._lock, transaction(self._db):
            number = self._one(
                "SELECT number FROM message WHERE phone = ? AND NOT mine ORDER BY id DESC LIMIT 1",
                phone,
            )
            self._db.execute(
                "INSERT INTO message (phone, number, mine, total, at_ms) VALUES (?, ?, 1, 1, ?)",
                (phone, number or "", self._now_ms()),
            )
            self._db.execute(
                "INSERT INTO part (message, place, text) VALUES (?, 1, ?)",
                (self._db.last_insert_rowid(), text),
            )
            self._touch()

    def next_outbound(self) -> Outbound | None:
        with self._lock:
            rows = list(
                self._db.execute(
                    "SELECT p.id, p.receipt, m.phone, m.number, p.text, m.at_ms"
                    " FROM part p JOIN message m ON m.id = p.message"
                    " WHERE p.receipt = 1 OR (m.mine AND NOT m.handed_on) ORDER BY p.id LIMIT 1"
                )
            )
        if not rows:
            return None
        id, receipt, phone, number, text, at_ms = rows[0]
        return Outbound(id, bool(receipt), phone, number, text, at_ms)

    def taken(self, outbound: Outbound) -> None:
        """The client has answered it: not handed on again."""
        with self._lock, transaction(self._db):
            if outbound.receipt:
                self._db.execute("UPDATE part SET receipt = 2 WHERE id = ?", (outbound.id,))
            else:
                self._db.execute(
                    "UPDATE message SET handed_on = 1"
                    " WHERE id = (SELECT message FROM part WHERE id = ?)",
                    (outbound.id,),
                )
            self._touch()

    def phones(self) -> list[tuple[str, int]]:
        """(phone, messages received), the last written to first."""
        with self._lock:
            return [
                (str(phone), int(n))
                for phone, n in self._db.execute(
                    "SELECT phone, sum(NOT mine) FROM message GROUP BY phone"
                    " ORDER BY max(CASE WHEN mine THEN 0 ELSE id END) DESC"
                )
            ]

    def inbox(self, phone: str, limit: int = 100) -> list[Shown]:
        """The newest ``limit``, oldest of them first."""
        with self._lock:
            newest = list(
                self._db.execute(
                    "SELECT id, mine, total, at_ms, handed_on FROM message"
                    " WHERE phone = ? ORDER BY id DESC LIMIT ?",
                    (phone, limit),
                )
            )
            shown = []
            for id, mine, total, at_ms, handed_on in reversed(newest):
                texts = [
                    t
                    for (t,) in self._db.execute(
                        "SELECT text FROM part WHERE message = ? ORDER BY place", (id,)
                    )
                ]
                text = "".join(texts) if len(texts) == total else None
                shown.append(Shown(id, bool(mine), text, at_ms, bool(handed_on)))
        return shown

    def _message_for(self, part: Submit) -> int:
        """As a phone joins parts: same sender, reference and total, and this place is free."""
        if part.reference is not None:
            found = self._one(
                "SELECT id FROM message m WHERE phone = ? AND number = ? AND reference = ?"
                " AND total = ? AND NOT EXISTS"
                " (SELECT 1 FROM part WHERE message = m.id AND place = ?)"
                " ORDER BY id DESC LIMIT 1",
                part.to, part.source, part.reference, part.total, part.number,
            )  # fmt: skip
            if found is not None:
                return int(found)
        self._db.execute(
            "INSERT INTO message (phone, number, mine, reference, total, at_ms)"
            " VALUES (?, ?, 0, ?, ?, ?)",
            (part.to, part.source, part.reference, part.total, self._now_ms()),
        )
        return self._db.last_insert_rowid()

    def _one(self, sql: str, *values: str | int) -> Any:
        row = self._db.execute(sql, values).fetchone()
        return None if row is None else row[0]

    def _touch(self) -> None:
        self._revision += 1
        self.changed.notify_all()


def _open(path: Path) -> apsw.Connection:
    db = apsw.Connection(str(path))
    db.set_busy_timeout(5000)
    db.pragma("journal_mode", "wal")
    db.pragma("synchronous", "full")
    db.execute(SCHEMA)
    return db
