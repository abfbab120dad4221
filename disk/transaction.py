"""A transaction of a SQLite file that apsw writes: the commit before every acknowledgement."""

from collections.abc import Iterator
from contextlib import contextmanager

import apsw

from disk.room import Full

NO_ROOM = (apsw.FullError, apsw.IOError)  # some file systems say the second


@contextmanager
def transaction(db: apsw.Connection) -> Iterator[None]:
    """On disk when the block has ended. On any exception nothing of it is, and the exception goes
    on to the caller, who then acknowledges nothing; a disk without room is ``Full``, whether it
    was noticed at the beginning, in the block or at the commit.

    In place of apsw's ``with db``: where a full disk has made SQLite roll back by itself, that
    one's own rollback fails, and says so instead of ``FullError`` (measured with apsw 3.54). It
    also takes a transaction within a transaction, which here is a mistake that stops the process.
    """
    try:
        db.execute("BEGIN IMMEDIATE")
        yield
        db.execute("COMMIT")
    except BaseException as error:
        if db.in_transaction:
            db.execute("ROLLBACK")
        if isinstance(error, NO_ROOM):
            raise Full(f"no room on the disk for {db.filename}: {error}") from error
        raise
