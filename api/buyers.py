"""What buyers did: how often a page was opened, and what they reported.

A file of the api's own beside ``records.db``: nothing here is part of anybody's record. Openings
are counted in memory and written together, at most once in ten seconds: a count may lose a few,
while a commit waits for the disk, and every page behind it waits too. A report is on disk before the buyer is thanked.
"""

import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from disk.room import Full
from store.engine import is_full

MOST_REPORTS_A_LOT = 100
LONGEST_TEXT = 1_000
FLUSH_EVERY_S = 10.0

_TABLES = """
CREATE TABLE IF NOT EXISTS opened (code TEXT PRIMARY KEY, times INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS report (
    id INTEGER PRIMARY KEY, code TEXT NOT NULL, at_ms INTEGER NOT NULL, text TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Report:
    code: str
    at_ms: int
    text: str


class Buyers:
    """``monotonic``: seconds on a clock that never goes back."""

    def __init__(self, path: Path, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.executescript(_TABLES)
        path.chmod(0o600)
        self._opened: Counter[str] = Counter()
        self._monotonic = monotonic
        self._flushed_s = monotonic()

    def opened(self, code: str) -> int:
        """Counts this opening; how often it was opened, this one included."""
        self._opened[code] += 1
        row = self._db.execute("SELECT times FROM opened WHERE code = ?", (code,)).fetchone()
        times = (row[0] if row else 0) + self._opened[code]
        if self._monotonic() - self._flushed_s >= FLUSH_EVERY_S:
            self._flushed_s = self._monotonic()
            with suppress(Full):  # counted on in memory; nobody's page is missing for it
                self._flush()
        return int(times)

    def report(self, code: str, at_ms: int, text: str) -> bool:
        """False when this lot has as many reports as anybody will read."""
        kept = self._db.execute("SELECT count(*) FROM report WHERE code = ?", (code,)).fetchone()
        if kept[0] >= MOST_REPORTS_A_LOT:
            return False
        with self._room():
            self._db.execute(
                "INSERT INTO report (code, at_ms, text) VALUES (?, ?, ?)",
                (code, at_ms, text[:LONGEST_TEXT]),
            )
        return True

    def reports(self, code: str) -> list[Report]:
        """Newest first."""
        rows = self._db.execute(
            "SELECT code, at_ms, text FROM report WHERE code = ? ORDER BY id DESC", (code,)
        )
        return [Report(*row) for row in rows.fetchall()]

    def _flush(self) -> None:
        waiting: Mapping[str, int] = self._opened
        with self._room(), self._db:
            self._db.execute("BEGIN")
            self._db.executemany(
                "INSERT INTO opened VALUES (?, ?) "
                "ON CONFLICT (code) DO UPDATE SET times = times + excluded.times",
                list(waiting.items()),
            )
        self._opened.clear()

    @contextmanager
    def _room(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if is_full(error):
                raise Full(str(error)) from error
            raise

    def close(self) -> None:
        with suppress(Full):
            self._flush()
        self._db.close()
