"""Many short lives of real processes: each is forked from one that has read the program already.

A start costs some hundredths of a second instead of one or two of reading. A life is a process of
its own in every other way: its own session, log and signals, and it dies with the one it was
forked from. A command instead of a role is executed in the forked process.
"""

import importlib
import json
import os
import select
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = (
    "alerts.service", "api.service", "coldtrail.brokers", "coldtrail.roles",
    "coldtrail.sms_centre.service", "gateway.service", "ingest.influx", "ingest.service",
    "traceability.service",
)  # fmt: skip


class Lives:
    """``start`` gives a pid; ``ended`` the codes of those that have ended since (negative: the
    signal). ``clock``: a file with the milliseconds by which a role's clock is off, read at each
    look at the clock. ``program``: the source tree that is read; another one than this may be
    an earlier version."""

    def __init__(self, log: Path, program: Path = ROOT) -> None:
        first = f"{program}{os.pathsep}{program / 'firmware-sim'}"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(Path(__file__).resolve())],
                cwd=program,
                env={**os.environ, "PYTHONPATH": first},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                start_new_session=True,
            )
        self._started: list[int] = []
        self._ended: dict[int, int] = {}
        self._rest = b""

    def start(
        self,
        role: str,
        folder: Path,
        log: Path,
        clock: Path,
        command: Sequence[str] = (),
        *,
        variant: str = "",
    ) -> int:
        """``variant``: which of ``tests.faults.broken`` it is."""
        wish = {
            "role": role, "folder": str(folder), "log": str(log), "clock": str(clock),
            "command": list(command), "variant": variant,
        }  # fmt: skip
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(wish).encode() + b"\n")
        self._process.stdin.flush()
        while not self._started:
            self._read(60)
        return self._started.pop(0)

    def ended(self, wait_s: float = 0) -> dict[int, int]:
        self._read(wait_s)
        ended, self._ended = self._ended, {}
        return ended

    def close(self) -> None:
        """Whatever still lives is killed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def _read(self, wait_s: float) -> None:
        output = self._process.stdout
        assert output is not None
        if not select.select([output], [], [], wait_s)[0]:
            return
        raw = os.read(output.fileno(), 65_536)
        if not raw:
            raise AssertionError("the process that roles are forked from has ended")
        *lines, self._rest = (self._rest + raw).split(b"\n")
        for line in lines:
            pid, *code = map(int, line.split())
            if code:
                self._ended[pid] = code[0]
            else:
                self._started.append(pid)


def _live() -> None:
    """Read wishes until the input ends; tell every start and every end in a line."""
    import signal

    _read_the_program()
    seen, note = os.pipe2(os.O_NONBLOCK)
    signal.set_wakeup_fd(note)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    rest = b""
    while True:
        ready = select.select([0, seen], [], [])[0]
        if seen in ready:
            os.read(seen, 4096)
            _bury()
        if 0 in ready:
            raw = os.read(0, 65_536)
            if not raw:
                return
            *lines, rest = (rest + raw).split(b"\n")
            for line in lines:
                _tell(_fork(json.loads(line), [seen, note]))


def _read_the_program() -> None:
    for module in PROGRAM:
        with suppress(ModuleNotFoundError):  # an earlier version's is elsewhere: its role finds it
            importlib.import_module(module)


def _fork(wish: dict[str, object], inherited: list[int]) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        _be(wish, inherited)
        code = 0
    except BaseException:  # noqa: BLE001 - a forked process never goes on as its parent
        import traceback

        traceback.print_exc()
        code = 70
    os._exit(code)


def _be(wish: dict[str, object], inherited: list[int]) -> None:
    import signal

    from coldtrail.process import die_with_parent

    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for fd in inherited:
        os.close(fd)
    os.setsid()
    die_with_parent()
    log = os.open(str(wish["log"]), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for fd, to in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(fd, to)
    command = wish["command"]
    assert isinstance(command, list)
    if command:
        os.execv(command[0], command)  # noqa: S606 - the harness's own words
    if wish["variant"]:
        from tests.faults.broken import break_

        break_(str(wish["variant"]))
    _role(str(wish["role"]), Path(str(wish["folder"])), Path(str(wish["clock"])))


def _role(role: str, folder: Path, clock: Path) -> None:
    from coldtrail import roles, settings
    from coldtrail.clock import NowMs
    from coldtrail.settings import Installation

    class Off(Installation):
        """The same folder, seen by somebody whose clock is off."""

        def now_ms(self) -> NowMs:
            right = super().now_ms()
            return lambda: right() + _off_ms(clock)

    installation = settings.load(folder)
    roles.run(Off(installation.folder, installation.file), role)


def _off_ms(clock: Path) -> int:
    try:
        return int(clock.read_text() or 0)
    except FileNotFoundError:
        return 0


def _bury() -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        _tell(pid, os.waitstatus_to_exitcode(status))


def _tell(*numbers: int) -> None:
    os.write(1, " ".join(map(str, numbers)).encode() + b"\n")


if __name__ == "__main__":
    _live()
