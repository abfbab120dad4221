"""A store's file copied while it is written, and a copy made a store of its own.

One file, one SQLite library, here as everywhere: the readings through apsw, the others through
the standard library's. A copy is the state of one instant.
"""

import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import apsw

from disk.lock import lock
from store.engine import BUSY_TIMEOUT_MS
from store.errors import AlreadyOpen, Damaged
from store.sqlite.schema import open_reader

STEP_PAGES = 2_048  # 8 MiB between two words of progress

Progress = Callable[[int, int], None]  # pages done, pages in all


def copy_readings(source: Path, target: Path, progress: Progress) -> tuple[str, int]:
    """Store id and last arrival of the copy. Ingest goes on writing: the read transaction only
    keeps its log from being cut meanwhile. ``Damaged`` where SQLite cannot read it."""
    try:
        return _copy_readings(source, target, progress)
    except (apsw.NotADBError, apsw.CorruptError) as error:
        raise Damaged(f"{source}: {error}") from error


def _copy_readings(source: Path, target: Path, progress: Progress) -> tuple[str, int]:
    with closing(open_reader(source)) as reader, closing(apsw.Connection(str(target))) as copy:
        reader.execute("BEGIN")
        [(store_id,)] = reader.execute("SELECT value FROM meta WHERE key = 'store_id'")
        [(n,)] = reader.execute("SELECT ifnull(max(n), 0) FROM arrival")
        with copy.backup("main", reader, "main") as backup:
            while not backup.done:
                backup.step(STEP_PAGES)
                progress(backup.page_count - backup.remaining, backup.page_count)
        copy.pragma("journal_mode", "delete")  # one file, whole
    return str(store_id), int(n)


def copy_records_like(source: Path, target: Path) -> None:
    """A file that SQLAlchemy writes. Its writer waits while it is read, as for any reader.
    ``Damaged`` where SQLite cannot read it."""
    try:
        _copy_records_like(source, target)
    except sqlite3.OperationalError:  # no room, for one: not the file's fault
        raise
    except sqlite3.DatabaseError as error:
        raise Damaged(f"{source}: {error}") from error


def _copy_records_like(source: Path, target: Path) -> None:
    uri = f"file:{source.absolute()}?mode=rw"  # rw: a dead writer's journal may have to be undone
    with (
        closing(sqlite3.connect(uri, uri=True)) as reader,
        closing(sqlite3.connect(target)) as copy,
    ):
        reader.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        reader.backup(copy)


@contextmanager
def nobody_writes(path: Path) -> Iterator[None]:
    """Its writer's lock, for as long as this takes; ``AlreadyOpen`` when a role has it."""
    try:
        held = lock(path.with_name(path.name + ".lock"))
    except BlockingIOError as error:
        raise AlreadyOpen(f"{path} is being written") from error
    with held:
        yield


def store_of_readings(path: Path) -> str:
    with closing(apsw.Connection(str(path))) as readings:
        [(store_id,)] = readings.execute("SELECT value FROM meta WHERE key = 'store_id'")
    return str(store_id)


def store_of_records(path: Path) -> tuple[str, int]:
    """Store id and last change."""
    with closing(sqlite3.connect(path)) as records:
        [(store_id,)] = records.execute("SELECT value FROM about WHERE key = 'store_id'")
        [(m,)] = records.execute("SELECT ifnull(max(m), 0) FROM changes")
    return str(store_id), int(m)


def new_store_id() -> str:
    return secrets.token_hex(8)


def rename_readings(path: Path, store_id: str) -> None:
    """Make the file a store of its own, which nobody has followed."""
    with closing(apsw.Connection(str(path))) as store, store:
        store.execute("UPDATE meta SET value = ? WHERE key = 'store_id'", (store_id,))


def rename_records(path: Path, store_id: str) -> None:
    """The same for what people said."""
    with closing(sqlite3.connect(path)) as records, records:
        records.execute("UPDATE about SET value = ? WHERE key = 'store_id'", (store_id,))
