"""Room on the server's disk: what readings leave free for all others, and a ballast besides.

Readings are what fills it, and they can wait: the gateways keep them. What people are told,
what they say and what the brokers hold cannot. So readings stop while less than a reserve is
free. When somebody else fills the disk to the last byte, a file that holds some room is
given up for those others, and taken again before readings go on.
"""

import logging
import os
from pathlib import Path

from store.errors import Full

log = logging.getLogger(__name__)

RESERVE_BYTES = 320 << 20
BALLAST_BYTES = 32 << 20
NEARLY_NOTHING = 1 << 20


def free_bytes(folder: Path) -> int:
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


class Disk:
    """Of the file system of a folder; ``ballast`` is the name of a file in it. One process has it."""

    def __init__(
        self,
        folder: Path,
        *,
        reserve_bytes: int = RESERVE_BYTES,
        ballast_bytes: int = BALLAST_BYTES,
    ) -> None:
        self._folder = folder
        self._reserve, self._size = reserve_bytes, ballast_bytes
        self._ballast = folder / "ballast"

    def require(self, more_bytes: int = 0) -> None:
        """``Full`` while readings have to wait: until there is so much more than the reserve. Gives
        the ballast up, or takes it again."""
        free, missing = free_bytes(self._folder), self._missing()
        if free < NEARLY_NOTHING and missing < self._size:
            self._ballast.unlink(missing_ok=True)
            log.warning("ballast given up", extra={"bytes": self._size - missing})
        if free - missing < self._reserve + more_bytes:
            raise Full(f"{free >> 20} MiB free, readings leave {(self._reserve + missing) >> 20}")
        if missing:
            self._hold()

    def room(self) -> int:
        """Bytes that readings may still take."""
        return free_bytes(self._folder) - self._missing() - self._reserve

    def _missing(self) -> int:
        """Of the ballast; a death while it was taken leaves a part."""
        try:
            return max(self._size - self._ballast.stat().st_size, 0)
        except FileNotFoundError:
            return self._size

    def _hold(self) -> None:
        try:
            handle = os.open(self._ballast, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.posix_fallocate(handle, 0, self._size)
            finally:
                os.close(handle)
        except OSError as error:
            self._ballast.unlink(missing_ok=True)
            raise Full(str(error)) from error
