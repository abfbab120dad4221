"""The embedded broker's process, as those see it who depend on it and share its machine.

A store of the NATS server that could not write once, because the disk was full, takes nothing
more until the server is started anew; what it had acknowledged is still there then (2.15.1,
measured). Of retained messages it is worse: each is acknowledged after 5 s, and not retained. Whoever keeps the server running starts it again when it was ended.
"""

import os
import signal
from pathlib import Path

from disk.room import free_bytes

START_BYTES = 8 << 20  # what its store wants before anything is kept in it


def start_anew(pid_file: Path, home: Path) -> None:
    """End it. ``OSError`` when it is not there, or when there is no room at its ``home``: it would
    let nobody in."""
    if free_bytes(home) < START_BYTES:
        raise OSError("the disk is full")
    tell(pid_file, signal.SIGTERM)


def tell(pid_file: Path, number: int) -> None:
    """Send it a signal. ``OSError``."""
    try:
        pid = int(pid_file.read_text())
    except ValueError as error:
        raise ProcessLookupError(f"{pid_file} holds no number") from error
    if b"nats-server" not in Path(f"/proc/{pid}/cmdline").read_bytes():
        raise ProcessLookupError("the broker's pid file names another process")
    os.kill(pid, number)
