"""Room on a disk, and some of it held back for the moment when there is no other.

A full SQLite cannot even delete (measured: not one row, and not after reopening), while a
few MB freed elsewhere let it work at once. So a file holds them until they are needed.
"""

import os
from pathlib import Path

BALLAST_BYTES = 32 << 20
NEARLY_NOTHING = 1 << 20


class Full(Exception):
    """There is no room; nothing of the call was kept, and nothing may be acknowledged. It may go
    better later."""


def free_bytes(folder: Path) -> int:
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


class Ballast:
    """One file; one process has it. Taken only where the disk has ``leave_bytes`` besides."""

    def __init__(self, path: Path, size: int = BALLAST_BYTES, *, leave_bytes: int = 0) -> None:
        self._path = path
        self._size = size
        self._leave = leave_bytes

    def hold(self) -> bool:
        """Take the space; True while it is held."""
        if not self.missing():
            return True
        if self.free() < self._size + self._leave:
            return False
        try:
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.posix_fallocate(handle, 0, self._size)
            finally:
                os.close(handle)
        except OSError:
            self.release()
            return False
        return True

    def missing(self) -> int:
        """Bytes that are not held and should be: no room for readings. A process that died while
        it took them left a file that is too short."""
        try:
            return max(self._size - self._path.stat().st_size, 0)
        except FileNotFoundError:
            return self._size

    def release(self) -> None:
        self._path.unlink(missing_ok=True)

    def release_if_needed(self) -> int:
        """Where the disk has nearly nothing left; the bytes that were given up."""
        held = self._size - self.missing()
        if not held or self.free() >= NEARLY_NOTHING:
            return 0
        self.release()
        return held

    def free(self) -> int:
        """Bytes of the disk."""
        return free_bytes(self._path.parent)
