"""The commit before every acknowledgement."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from disk.room import Full
from disk.transaction import transaction


@pytest.fixture
def db(tmp_path: Path) -> Iterator[apsw.Connection]:
    with closing(apsw.Connection(str(tmp_path / "kept.db"))) as db:
        db.execute("CREATE TABLE kept (n INTEGER PRIMARY KEY, body)")
        db.execute("INSERT INTO kept VALUES (1, 'before')")
        yield db


def rows(db: apsw.Connection) -> list[int]:
    """What another connection sees: what is committed, and no more."""
    with closing(apsw.Connection(db.filename, flags=apsw.SQLITE_OPEN_READONLY)) as other:
        return [n for (n,) in other.execute("SELECT n FROM kept ORDER BY n")]


def write(db: apsw.Connection, *steps: str | type[BaseException]) -> None:
    with transaction(db):
        for step in steps:
            if not isinstance(step, str):
                raise step
            db.execute(step)


def no_more_room(db: apsw.Connection) -> None:
    """SQLite rolls back by itself when it finds no room for a page."""
    db.pragma("max_page_count", db.pragma("page_count"))


SECOND = "INSERT INTO kept VALUES (2, '')"
LARGE = "INSERT INTO kept VALUES (3, zeroblob(1000000))"


def test_what_was_written_is_committed_when_the_block_has_ended(db: apsw.Connection) -> None:
    with transaction(db):
        db.execute(SECOND)
        assert rows(db) == [1]

    assert rows(db) == [1, 2]


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt])
def test_any_exception_goes_on_and_nothing_is_kept(
    error: type[BaseException], db: apsw.Connection
) -> None:
    with pytest.raises(error):
        write(db, SECOND, error)

    assert (rows(db), db.in_transaction) == ([1], False)


def test_a_disk_without_room_is_full_and_nothing_is_kept(db: apsw.Connection) -> None:
    no_more_room(db)

    with pytest.raises(Full, match=r"kept\.db") as raised:
        write(db, SECOND, LARGE)

    assert isinstance(raised.value.__cause__, apsw.FullError)
    assert (rows(db), db.in_transaction) == ([1], False)


def test_what_found_no_room_may_be_written_when_there_is_some(db: apsw.Connection) -> None:
    no_more_room(db)
    with pytest.raises(Full):
        write(db, LARGE)
    db.pragma("max_page_count", 1 << 30)

    write(db, LARGE)

    assert rows(db) == [1, 3]


def test_a_commit_that_fails_raises_and_keeps_nothing(db: apsw.Connection) -> None:
    db.pragma("foreign_keys", True)
    db.execute("CREATE TABLE part (n REFERENCES kept DEFERRABLE INITIALLY DEFERRED)")

    with pytest.raises(apsw.ConstraintError):
        write(db, SECOND, "INSERT INTO part VALUES (99)")  # found out at the commit

    assert (rows(db), db.in_transaction) == ([1], False)


def test_another_error_of_sqlite_is_not_taken_for_a_full_disk(db: apsw.Connection) -> None:
    with pytest.raises(apsw.ConstraintError):
        write(db, "INSERT INTO kept VALUES (1, 'again')")

    assert rows(db) == [1]


def test_a_transaction_within_a_transaction_is_refused(db: apsw.Connection) -> None:
    db.execute("BEGIN")

    with pytest.raises(apsw.SQLError, match="within a transaction"):
        write(db, SECOND)

    assert rows(db) == [1]
