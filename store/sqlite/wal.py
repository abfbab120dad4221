"""The write-ahead log: copied back now and then, cut when readers made it grow."""

import logging
from pathlib import Path

import apsw

from disk.transaction import NO_ROOM
from store.sqlite.schema import BUSY_MS, LONGEST_READ_MS

log = logging.getLogger(__name__)

CHECKPOINT_PAGES = 4_000
TRUNCATE_BYTES = 64 << 20


class WriteAheadLog:
    """Replaces SQLite's own checkpoints on the writer's connection."""

    def __init__(self, db: apsw.Connection, path: Path) -> None:
        self._db = db
        self._file = path.with_name(path.name + "-wal")
        self._pages = 0
        self._tend_at_pages = CHECKPOINT_PAGES
        db.set_wal_hook(self._note)

    def _note(self, _db: apsw.Connection, _name: str, pages: int) -> int:
        if pages < self._pages:  # begun again from its start
            self._tend_at_pages = CHECKPOINT_PAGES
        self._pages = pages
        return apsw.SQLITE_OK

    def tend(self) -> None:
        """After a commit, whose success it never takes back. A cut waits for readers no longer
        than a reader may read, and while one is in the way, or the disk is full, is tried again
        only after the log has grown by as much once more."""
        if self._pages < self._tend_at_pages:
            return
        self._tend_at_pages = self._pages + CHECKPOINT_PAGES
        try:
            self._copy_back()
        except NO_ROOM as error:
            log.warning("no room to copy the log back", extra={"reason": str(error)})

    def _copy_back(self) -> None:
        if self._file.stat().st_size <= TRUNCATE_BYTES:
            self._db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            return
        self._db.set_busy_timeout(LONGEST_READ_MS)
        try:
            self._db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        except apsw.BusyError:
            log.warning("a reader keeps the log from being cut", extra={"pages": self._pages})
        finally:
            self._db.set_busy_timeout(BUSY_MS)
