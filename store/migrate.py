"""A derived or primary SQLite file with one writer: its lock, its tables, its engine.

SQLAlchemy speaks through the standard library's SQLite with the rollback journal; see
``store.engine`` for why. Each file has a folder of Alembic migrations of its own.
"""

import fcntl
import os
import threading
from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine
from sqlalchemy.exc import DatabaseError

from store.engine import reader_engine, writer_engine
from store.errors import AlreadyOpen, NotReady

# Alembic speaks to its scripts through one module-wide context: one migration at a time.
_MIGRATING = threading.Lock()


def open_writer(path: Path | str, migrations: Path) -> tuple[Engine, Callable[[], None]]:
    """The engine of the one writer, and what gives its lock back. ``AlreadyOpen`` when another
    process has it. The file is made when missing, and its tables brought up to date."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyOpen(f"{path} has a writer") from error
        engine = writer_engine(path)
        config = Config()
        config.set_main_option("script_location", str(migrations))
        with _MIGRATING, engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
        path.chmod(0o600)
    except BaseException:
        os.close(lock)
        raise
    return engine, lambda: os.close(lock)


def open_reader(path: Path | str, version: str) -> Engine:
    """Waits for nothing. ``NotReady`` when the file or its version is missing."""
    path = Path(path)
    if not path.exists():
        raise NotReady(f"{path} does not exist yet")
    engine = reader_engine(path)
    try:
        with engine.connect() as connection:
            found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    except DatabaseError as error:
        raise NotReady(f"{path}: {error.orig}") from error
    if found != version:
        raise NotReady(f"{path} is at version {found}, this program needs {version}")
    return engine
