"""One process a file."""

from pathlib import Path

import pytest

from disk.lock import lock


def test_a_lock_is_held_until_it_is_closed(tmp_path: Path) -> None:
    held = lock(tmp_path / "lock")

    with pytest.raises(BlockingIOError):
        lock(tmp_path / "lock")

    held.close()
    lock(tmp_path / "lock").close()
