"""One process a file: who holds its lock is its writer."""

import fcntl
from pathlib import Path
from typing import IO


def lock(path: Path) -> IO[str]:
    """Held until it is closed or the process dies. ``BlockingIOError`` while another holds it, or
    asks (``is_locked``) at this moment."""
    file = path.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        file.close()
        raise
    return file


def is_locked(path: Path) -> bool:
    """Whether a process holds it. Those who ask never answer for each other: they share what they
    take for as long as the question lasts."""
    try:
        file = path.open()
    except FileNotFoundError:
        return False
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
