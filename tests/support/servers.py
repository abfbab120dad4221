"""Real servers for tests: found or named as missing, on free ports of the loopback."""

import os
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socketserver import BaseServer

import pytest

from disk.room import free_bytes

POLL_S = 0.02


def require(name: str) -> Path:
    """The executable of a server. Not on this machine: the test is skipped and says which
    one it lacks, or fails when ``COLDTRAIL_REQUIRE_SERVERS=1``."""
    beside_python = Path(sys.executable).parent
    found = shutil.which(name, path=f"{beside_python}:{os.environ.get('PATH', '')}:/usr/sbin")
    if found:
        return Path(found)
    missing = f"{name} is not on this machine"
    if os.environ.get("COLDTRAIL_REQUIRE_SERVERS") == "1":
        pytest.fail(missing)
    pytest.skip(missing)


@contextmanager
def serving(server: BaseServer) -> Iterator[None]:
    """Our own stand-in for one, on a thread; closed when the block ends."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A file system of this size at ``folder``, in memory. Only root may mount one."""
    if os.geteuid() != 0:
        pytest.skip("root is needed to mount a small file system")
    folder.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", folder],
        check=True,
    )
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder: Path, leave_bytes: int = 0) -> Path:
    """Somebody else's file, which leaves so much free on the folder's file system, at one instant
    at least: who gives room back meanwhile has it again."""
    path = folder / "somebody-elses"
    with path.open("ab") as file:
        while (more := free_bytes(folder) - leave_bytes) > 0:
            with suppress(OSError):  # somebody was faster: look again
                os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), more)
    return path


def free_port() -> int:
    """A loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def free_port_base(width: int = 40) -> int:
    """The first of ``width`` neighbouring ports that nobody listens on at this moment. Below the
    ports that Linux gives to outgoing connections, so that none of those takes one meanwhile."""
    while True:
        base = random.randrange(12_000, 32_000 - width, width)  # noqa: S311 - no secret
        if all(_is_free(port) for port in range(base, base + width)):
            return base


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def wait_until(condition: Callable[[], object], timeout_s: float, what: str) -> None:
    """Poll until the condition is true; fails with ``what`` at the deadline."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s:g} s: {what}")
        time.sleep(POLL_S)
