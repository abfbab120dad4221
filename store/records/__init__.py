"""What people say: sites, rooms, assignments, rules, lots, people, actions; and the changes journal."""

from pathlib import Path

from store.errors import AlreadyOpen, NotReady
from store.migrate import open_reader, open_writer
from store.records import migrations
from store.records.errors import Refused
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
    return SqlRecords(*open_writer(path, Path(migrations.__file__).parent, VERSION))


def open_records_reader(path: Path | str) -> SqlRecordsReader:
    """Waits for nothing. ``NotReady`` when the file is missing or the api has yet to migrate it."""
    return SqlRecordsReader(open_reader(path, VERSION))
