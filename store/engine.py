"""Connections to the files that SQLAlchemy opens: the standard library's SQLite, rollback journal, short lives.

The rollback journal, not WAL: the SQLite of the standard library may be older than the
fix for the race at a WAL's reset. So a reader that lingers holds up every commit;
connections are opened for one transaction and closed after it.
"""

import sqlite3
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool

BUSY_TIMEOUT_MS = 5_000


def _engine(path: Path, *, mode: str, begin: str, query_only: bool) -> Engine:
    engine = create_engine(
        f"sqlite+pysqlite:///file:{path.absolute()}?mode={mode}&uri=true",
        poolclass=NullPool,
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        # SQLAlchemy begins the transactions; the module's own rules would begin them late.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        connection.execute("PRAGMA foreign_keys = ON")
        if query_only:
            connection.execute("PRAGMA query_only = ON")
        else:
            connection.execute("PRAGMA synchronous = FULL")

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def writer_engine(path: Path) -> Engine:
    """Takes the write lock at the start, so that no transaction fails halfway for want of it."""
    return _engine(path, mode="rwc", begin="BEGIN IMMEDIATE", query_only=False)


def reader_engine(path: Path) -> Engine:
    """Never changes a row. Opened for writing all the same: after a crash of the writer,
    the first to read must be able to roll the left-over journal back."""
    return _engine(path, mode="rw", begin="BEGIN", query_only=True)
