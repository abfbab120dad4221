"""One process a file."""

import fcntl
from pathlib import Path

import pytest

from disk.lock import is_locked, lock


def test_a_lock_is_held_until_it_is_closed(tmp_path: Path) -> None:
    held = lock(tmp_path / "lock")

    with pytest.raises(BlockingIOError):
        lock(tmp_path / "lock")

    held.close()
    lock(tmp_path / "lock").close()


def test_who_asks_is_told_and_stands_in_nobodys_way_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not is_locked(path)
    assert not path.exists()

    held = lock(path)
    assert is_locked(path)
    assert is_locked(path)

    held.close()
    assert not is_locked(path)
    lock(path).close()


def test_two_who_ask_at_once_do_not_take_each_other_for_a_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    lock(path).close()
    with path.open() as other:
        fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)  # in the middle of asking
        assert not is_locked(path)
