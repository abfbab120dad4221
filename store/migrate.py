"""A derived or primary SQLite file with one writer: its lock, its tables, its engine.

SQLAlchemy speaks through the standard library's SQLite with the rollback journal; see
``store.engine`` for why. Each file has a folder of Alembic migrations of its own.
"""

import threading
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DatabaseError, OperationalError

from disk.lock import lock
from store.engine import reader_engine, writer_engine
from store.errors import AlreadyOpen, NotReady, newer

# Alembic speaks to its scripts through one module-wide context: one migration at a time.
_MIGRATING = threading.Lock()


def open_writer(
    path: Path | str, migrations: Path, version: str
) -> tuple[Engine, Callable[[], None]]:
    """The engine of the one writer, and what gives its lock back. ``AlreadyOpen`` when another
    process has it, ``NotReady`` when a newer program wrote it. The file is made when missing, and
    its tables brought up to ``version``, the newest of the migrations."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        held = lock(path.with_name(path.name + ".lock"))
    except BlockingIOError as error:
        raise AlreadyOpen(f"{path} has a writer") from error
    try:
        engine = writer_engine(path)
        with engine.begin() as connection:
            standing = _standing(connection)
            _require_older(path, standing, version)
            if standing != version:
                _migrate(connection, migrations)
        path.chmod(0o600)
    except BaseException:
        held.close()
        raise
    return engine, held.close


def _standing(connection: Connection) -> str | None:
    try:
        found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    except OperationalError:  # no such table: nobody has made anything yet
        return None
    return None if found is None else str(found)


def _require_older(path: Path, standing: str | None, version: str) -> None:
    if standing is not None and standing > version:
        raise NotReady(newer(path, standing, version))


def _migrate(connection: Connection, migrations: Path) -> None:
    # Alembic and what it brings are a quarter of what a role loads: only where it has work.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations))
    config.attributes["connection"] = connection
    with _MIGRATING:
        command.upgrade(config, "head")


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
