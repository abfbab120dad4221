"""Whether a file of the store is one that this program may write: asked before it starts.

An older file is brought up to date by its writer, so only a damaged one and a newer one are named.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

import apsw

from store.engine import BUSY_TIMEOUT_MS
from store.errors import newer
from store.sqlite.schema import VERSION, open_reader, version


def readings_unfit(path: Path) -> str | None:
    """Why not; ``None`` for a file that is fit, or not made yet."""
    if not path.exists():
        return None
    try:
        with closing(open_reader(path)) as db:
            found = version(db)
    except (apsw.NotADBError, apsw.CorruptError) as error:
        return f"{path}: {error}"
    except apsw.Error:  # being made, or no room for its log: not for us to say
        return None
    return newer(path, found, VERSION) if found > VERSION else None


def records_unfit(path: Path, newest: str) -> str | None:
    """The same for a file that SQLAlchemy writes; ``newest``: the last of its migrations."""
    if not path.exists():
        return None
    try:
        with closing(sqlite3.connect(f"file:{path.absolute()}?mode=rw", uri=True)) as db:
            db.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
            found = db.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError:  # no such table: nobody has made anything yet
        return None
    except sqlite3.DatabaseError as error:
        return f"{path}: {error}"
    return newer(path, found[0], newest) if found and found[0] > newest else None
