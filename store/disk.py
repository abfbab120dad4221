"""Room on the server's disk: what readings leave free for all others, and a ballast besides.

Readings are what fills it, and they can wait: the gateways keep them. What people are told,
what they say and what the brokers hold cannot. So readings stop while less than a reserve is
free. When somebody else fills the disk to the last byte, a file that holds some room is
given up for those others, and taken again before readings go on.
"""

import logging
from pathlib import Path

from disk.room import BALLAST_BYTES, Ballast, Full, free_bytes

log = logging.getLogger(__name__)

RESERVE_BYTES = 320 << 20


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
        self._reserve = reserve_bytes
        self._ballast = Ballast(folder / "ballast", ballast_bytes)

    def require(self, more_bytes: int = 0) -> None:
        """``Full`` while readings have to wait: until there is so much more than the reserve. Gives
        the ballast up, or takes it again."""
        free, missing = free_bytes(self._folder), self._ballast.missing()
        if given_up := self._ballast.release_if_needed():
            log.warning("ballast given up", extra={"bytes": given_up})
        if free - missing < self._reserve + more_bytes:
            raise Full(f"{free >> 20} MiB free, readings leave {(self._reserve + missing) >> 20}")
        if not self._ballast.hold():
            raise Full("no room for the ballast")

    def room(self) -> int:
        """Bytes that readings may still take."""
        return free_bytes(self._folder) - self._ballast.missing() - self._reserve
