"""Connections to the files that SQLAlchemy opens: the standard library's SQLite, rollback journal, short lives.

The rollback journal, not WAL: the SQLite of the standard library may be older than the
fix for the race at a WAL's reset. So a reader that lingers holds up every commit;
connections are opened for one transaction and closed after it. A full disk is ``store.errors.Full``.
"""

import sqlite3
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.pool import NullPool

from store.errors import Full

BUSY_TIMEOUT_MS = 5_000
FULL_CODES = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)  # some file systems say the second


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

    if query_only:
        return engine

    @event.listens_for(engine, "handle_error")
    def translate(context: ExceptionContext) -> None:
        error = context.original_exception
        if isinstance(error, sqlite3.Error) and is_full(error):
            raise Full(f"no room on the disk for {path}: {error}") from error

    return engine


def is_full(error: sqlite3.Error) -> bool:
    code: int | None = getattr(error, "sqlite_errorcode", None)  # not every error comes from SQLite
    return code is not None and code & 0xFF in FULL_CODES


def writer_engine(path: Path) -> Engine:
    """Takes the write lock at the start, so that no transaction fails halfway for want of it."""
    return _engine(path, mode="rwc", begin="BEGIN IMMEDIATE", query_only=False)


def reader_engine(path: Path) -> Engine:
    """Never changes a row. Opened for writing all the same: after a crash of the writer,
    the first to read must be able to roll the left-over journal back."""
    return _engine(path, mode="rw", begin="BEGIN", query_only=True)
