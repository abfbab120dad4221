"""One process a file: who holds its lock is its writer."""

import fcntl
from pathlib import Path
from typing import IO


def lock(path: Path) -> IO[str]:
    """Held until it is closed or the process dies. ``BlockingIOError`` while another holds it."""
    file = path.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        file.close()
        raise
    return file
