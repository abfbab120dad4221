"""The default home of readings: one SQLite file, one writing process, many readers."""

from store.sqlite.reader import SqliteReader
from store.sqlite.writer import SqliteStore

__all__ = ["SqliteReader", "SqliteStore"]
