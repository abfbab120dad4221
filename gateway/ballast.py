"""Space held back for the moment when the disk is full.

A full SQLite cannot even delete (measured: not one row, and not after reopening), while a
few MB freed elsewhere let it work at once. So a file holds them until they are needed.
"""

import os
from pathlib import Path

SIZE = 32 << 20
NEARLY_NOTHING = 1 << 20


class Ballast:
    """One file beside the outbox."""

    def __init__(self, path: Path, size: int = SIZE) -> None:
        self._path = path
        self._size = size

    def hold(self) -> bool:
        """Take the space, where the disk has it twice; True while it is held."""
        if not self.missing():
            return True
        if self.free() < 2 * self._size:
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

    def release_if_needed(self) -> None:
        """Before a file is opened, which needs a little room itself."""
        if self.free() < NEARLY_NOTHING:
            self.release()

    def free(self) -> int:
        """Bytes of the disk."""
        disk = os.statvfs(self._path.parent)
        return disk.f_bavail * disk.f_frsize
