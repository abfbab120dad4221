"""Connections to the files that SQLAlchemy opens: the standard library's SQLite, rollback journal.

The rollback journal, not WAL: the SQLite of the standard library may be older than the
fix for the race at a WAL's reset. So a transaction that lingers holds up every commit: each is
of one call. Between two of them a connection is kept, which holds nothing up, and a question costs
a third of what it did with the file opened for it; where another file stands by then, it is opened anew.
A full disk is ``disk.room.Full``.
"""

import contextlib
import sqlite3
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from disk.room import Full

BUSY_TIMEOUT_MS = 5_000
FULL_CODES = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)  # some file systems say the second
IDLE_CONNECTIONS = 2
_NO_BOUND = -1


class _Closing(sqlite3.Connection):
    """Closed when nobody holds it any more: an engine that was dropped leaves no file open."""

    def __del__(self) -> None:
        with contextlib.suppress(sqlite3.ProgrammingError):  # never opened at all
            self.close()


def _file(path: Path) -> tuple[int, int] | None:
    """Which file stands there: not the one of before, when a copy was put back in its place."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _engine(path: Path, *, mode: str, begin: str, query_only: bool) -> Engine:
    engine = create_engine(
        f"sqlite+pysqlite:///file:{path.absolute()}?mode={mode}&uri=true",
        poolclass=QueuePool,
        pool_size=IDLE_CONNECTIONS,
        max_overflow=_NO_BOUND,
        connect_args={"check_same_thread": False, "factory": _Closing},
    )

    @event.listens_for(engine, "do_connect")
    def look(_dialect: object, entry: ConnectionPoolEntry, _args: object, _more: object) -> None:
        entry.info["file"] = _file(path)  # before it is opened: at worst it is opened once more

    @event.listens_for(engine, "checkout")
    def the_same(_connection: object, entry: ConnectionPoolEntry, _proxy: object) -> None:
        if entry.info["file"] != _file(path):
            raise DisconnectionError(f"another file stands at {path}")

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


def may_pass(error: BaseException | None) -> bool:
    """A full disk, or somebody who holds the file: nothing is wrong with it, or with us."""
    return isinstance(error, sqlite3.Error) and (is_full(error) or "locked" in str(error))
