"""What people say: sites, rooms, assignments, rules, lots, people, actions; and the changes journal."""

import fcntl
import os
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy.exc import DatabaseError

from store.records import migrations
from store.records.engine import reader_engine, writer_engine
from store.records.errors import AlreadyOpen, NotReady, Refused
from store.records.reader import SqlRecordsReader
from store.records.schema import VERSION
from store.records.writer import SqlRecords

__all__ = [
    "AlreadyOpen",
    "NotReady",
    "Refused",
    "SqlRecords",
    "SqlRecordsReader",
    "open_records",
    "open_records_reader",
]


def open_records(path: Path | str) -> SqlRecords:
    """The one writer: takes the file's lock for life and brings its tables up to date.

    ``AlreadyOpen`` when another process (or this one) has it. The file is made when missing.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise AlreadyOpen(f"{path} has a writer") from error
    try:
        engine = writer_engine(path)
        config = Config()
        config.set_main_option("script_location", str(Path(migrations.__file__).parent))
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
        path.chmod(0o600)  # phone numbers are in it
    except BaseException:
        os.close(lock)
        raise
    return SqlRecords(engine, lambda: os.close(lock))


def open_records_reader(path: Path | str) -> SqlRecordsReader:
    """Waits for nothing. ``NotReady`` when the file is missing or the api has yet to migrate it."""
    path = Path(path)
    if not path.exists():
        raise NotReady(f"{path} does not exist yet")
    engine = reader_engine(path)
    try:
        with engine.connect() as connection:
            found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    except DatabaseError as error:
        raise NotReady(f"{path}: {error.orig}") from error
    if found != VERSION:
        raise NotReady(f"{path} is at version {found}, this program needs {VERSION}")
    return SqlRecordsReader(engine)
