"""Where the readings are, opened."""

from pathlib import Path
from typing import Literal, overload

import apsw

from disk.transaction import NO_ROOM
from store.errors import NotReady
from store.ports import ReadingReader, ReadingStore
from store.sqlite import SqliteReader, SqliteStore
from store.sqlite.schema import VERSION, open_reader, version


@overload
def open_readings(
    path: str | Path,
    *,
    write: Literal[True],
    floor_days: int = ...,
    quarantine_bytes_per_source: int = ...,
) -> ReadingStore: ...
@overload
def open_readings(path: str | Path, *, write: Literal[False]) -> ReadingReader: ...
def open_readings(
    path: str | Path,
    *,
    write: bool,
    floor_days: int = 3_650,
    quarantine_bytes_per_source: int = 64 << 20,
) -> ReadingStore | ReadingReader:
    """The writer makes the file and holds its lock (``store.errors.AlreadyOpen`` when it
    is taken); a reader waits for nothing and raises ``NotReady``."""
    path = Path(path)
    if write:
        return SqliteStore(
            path,
            floor_days=floor_days,
            quarantine_bytes_per_source=quarantine_bytes_per_source,
        )
    _require_version(path)
    return SqliteReader(path)


def _require_version(path: Path) -> None:
    try:
        db = open_reader(path)
    except apsw.CantOpenError as error:
        raise NotReady(f"{path} is not there yet") from error
    try:
        found = version(db)
    except (apsw.CantOpenError, apsw.BusyError) as error:
        raise NotReady(f"{path} is being made") from error
    except (apsw.NotADBError, apsw.CorruptError) as error:
        raise NotReady(f"{path}: {error}") from error
    except NO_ROOM as error:  # the log beside it needs room to be opened
        raise NotReady(f"{path} cannot be opened: is the disk full?") from error
    finally:
        db.close()
    if found != VERSION:
        raise NotReady(f"{path} is of version {found}, this program reads {VERSION}")
