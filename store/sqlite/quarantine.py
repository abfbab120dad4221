"""Bytes that were not admitted: each once a source, within the source's bytes.

Every function runs inside the caller's transaction.
"""

import hashlib

import apsw

MOST_SOURCES = 1_000
ELSEWHERE = "*"  # source of what comes from yet another sender when there are too many


def known(db: apsw.Connection, source: str, payload: bytes) -> bool:
    """Counted before, and kept unless the source had no room."""
    return bool(
        db.execute(
            "SELECT 1 FROM quarantine WHERE source = ? AND digest = ?", (source, _digest(payload))
        ).fetchall()
    )


def keep(
    db: apsw.Connection,
    most_bytes: int,
    source: str,
    topic: str,
    reason: str,
    payload: bytes,
    received_at_ms: int,
) -> bool:
    """False when the source's bytes are used up: then it is only counted."""
    no_room = db.execute(
        "SELECT bytes + ? > ? FROM quarantine_source WHERE source = ?",
        (len(payload), most_bytes, source),
    ).fetchall()[0][0]
    if no_room:
        db.execute(
            "UPDATE quarantine_source SET turned_away = turned_away + 1 WHERE source = ?",
            (source,),
        )
        return False
    db.execute(
        "UPDATE quarantine_source SET bytes = bytes + ? WHERE source = ?", (len(payload), source)
    )
    db.execute(
        "INSERT INTO quarantine(source, digest, topic, reason, payload, received_at, state) "
        "VALUES(?, ?, ?, ?, ?, ?, 'held')",
        (source, _digest(payload), topic, reason, payload, received_at_ms),
    )
    return True


def account(db: apsw.Connection, source: str) -> str:
    """The source with its account opened; senders beyond a number share one."""
    if db.execute("SELECT 1 FROM quarantine_source WHERE source = ?", (source,)).fetchall():
        return source
    too_many = db.execute("SELECT count(*) >= ? FROM quarantine_source", (MOST_SOURCES,))
    if too_many.fetchall()[0][0]:
        source = ELSEWHERE
    db.execute("INSERT OR IGNORE INTO quarantine_source VALUES(?, 0, 0)", (source,))
    return source


def retried(db: apsw.Connection, id_: int) -> None:
    """Its bytes count no more; doing it again changes nothing."""
    db.execute(
        "UPDATE quarantine_source SET bytes = bytes - q.size FROM "
        "(SELECT source, length(payload) AS size FROM quarantine "
        "WHERE id = ? AND state = 'held') q WHERE quarantine_source.source = q.source",
        (id_,),
    )
    db.execute("UPDATE quarantine SET state = 'retried' WHERE id = ?", (id_,))


def _digest(payload: bytes) -> bytes:
    return hashlib.blake2b(payload, digest_size=16).digest()
