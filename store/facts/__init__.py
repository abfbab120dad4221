"""What was judged: ``facts.db``, derived from readings and records, written by alerts alone."""

from pathlib import Path

from store.facts import migrations
from store.facts.reader import SqlFactsReader
from store.facts.schema import VERSION
from store.facts.writer import CORE, JudgedRoom, SqlFactsStore
from store.migrate import open_reader, open_writer

__all__ = [
    "CORE",
    "JudgedRoom",
    "SqlFactsReader",
    "SqlFactsStore",
    "open_facts",
    "open_facts_reader",
]


def open_facts(path: Path | str) -> SqlFactsStore:
    """The one writer; ``store.errors.AlreadyOpen`` when another process has the file."""
    return SqlFactsStore(*open_writer(path, Path(migrations.__file__).parent, VERSION))


def open_facts_reader(path: Path | str) -> SqlFactsReader:
    """Waits for nothing; ``store.errors.NotReady`` when the file or its version is missing."""
    return SqlFactsReader(open_reader(path, VERSION))
