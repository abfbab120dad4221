"""A process for each role, started again when it dies, stopped in order.

One thread starts and watches all of them, because children die with the *thread* that
started them. What runs stands in ``status.json`` and ``pids/`` for as long as it runs; a lock on
the folder keeps a second supervisor out. In production systemd or compose does this job.
"""

import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Literal, Self

import msgspec

from coldtrail.process import die_with_parent
from coldtrail.settings import Installation, Wrong
from disk.lock import is_locked, lock
from disk.whole import write_whole
from store.system_alarms import Board, forget_others

log = logging.getLogger(__name__)

State = Literal["starting", "running", "restarting", "stopping", "stopped"]

FIRST_PAUSE_S = 0.2  # before the first restart; doubles while the role keeps dying young
LONGEST_PAUSE_S = 5.0
YOUNG_S = 3.0
STEADY_AGAIN_S = 30.0  # alive for so long: what died before dies no more
ASKED_S = 1.0  # a folder that is held for longer is held by a supervisor
PART = "up"
STEADY_S = 0.5  # alive for so long: "running"
STOP_S = 10.0  # for each phase; then what still runs is killed
STOP_PHASES = (  # who reads stops before who writes, brokers last
    ("alerts", "traceability", "influx", "sms-centre"),
    ("gateway",),
    ("ingest", "api"),
    ("broker", "edge-broker"),
)
DIES_AGAIN, WITHIN_S = 3, 300.0  # so often in so long: told to people
WATCH_S = 0.05
LOG_BYTES = 32 << 20  # then a log begins anew, and the part before is kept once
LOG_WATCH_S = 30.0
LAST_BYTES, LAST_WORDS = 4_096, 300  # of a role that died


class AlreadyUp(Exception):
    """Another supervisor has the folder."""


class RoleState(msgspec.Struct, frozen=True):
    """``restarts`` since this supervisor started."""

    pid: int | None
    state: State
    restarts: int


class Report(msgspec.Struct, frozen=True):
    """``status.json``: replaced as a whole, so a reader never sees half of it."""

    pid: int
    roles: dict[str, RoleState]


@dataclass(slots=True)
class _Child:
    role: str
    process: "subprocess.Popen[bytes] | None" = None
    state: State = "stopped"
    restarts: int = 0
    started_s: float = 0.0
    start_again_s: float = 0.0
    noted: bool = False  # its pid stands in its file
    deaths: int = 0  # in a row, young
    died_s: deque[float] = field(default_factory=lambda: deque(maxlen=DIES_AGAIN))

    def report(self) -> RoleState:
        return RoleState(self.process.pid if self.process else None, self.state, self.restarts)


class Supervisor:
    """``start`` returns at once; ``stop`` when every role has ended. Also a context manager."""

    def __init__(self, installation: Installation, roles: Sequence[str] | None = None) -> None:
        self._installation = installation
        self._folder = installation.folder
        self._children = [_Child(role) for role in roles or installation.roles()]
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="supervisor")
        self._reported: Report | None = None
        self._trim_logs_s = 0.0
        self._cannot_write = False

    def start(self) -> None:
        """``AlreadyUp`` when the folder has a supervisor; ``settings.Wrong`` when a role could
        not start for want of its keys, however often."""
        self._has_keys()
        for name in ("pids", "logs"):
            (self._folder / name).mkdir(exist_ok=True)
        self._lock = _folder_lock(self._folder)
        report_path(self._folder).unlink(missing_ok=True)  # of one that was killed
        for child in self._children:
            child.state = "starting"
        system = str(self._installation.system)
        forget_others(system, {PART, *(child.role for child in self._children)})
        self._board = Board(system, PART, self._installation.now_ms())
        self._report()
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def wait(self, timeout_s: float | None = None) -> bool:
        """True when everything has ended."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def states(self) -> dict[str, RoleState]:
        return {child.role: child.report() for child in self._children}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                for child in self._children:
                    self._tend(child)
                self._board.keep("PART_DIES", self._dying())
                self._report()
                self._trim_logs()
                self._stopping.wait(WATCH_S)
            for phase in STOP_PHASES:
                self._end([c for c in self._children if _kind(c.role) in phase])
        finally:
            report_path(self._folder).unlink(missing_ok=True)
            self._lock.close()

    def _tend(self, child: _Child) -> None:
        now_s = time.monotonic()
        if child.process is None:
            if now_s >= child.start_again_s:
                self._try_to_spawn(child)
            return
        if not child.noted:
            child.noted = self._note(self._pid_file(child.role), b"%d\n" % child.process.pid)
        code = child.process.poll()
        if code is None:
            if child.state == "starting" and now_s - child.started_s > STEADY_S:
                child.state = "running"
            return
        child.deaths = min(child.deaths + 1, 10) if now_s - child.started_s < YOUNG_S else 0
        pause_s = min(FIRST_PAUSE_S * 2.0 ** max(child.deaths - 1, 0), LONGEST_PAUSE_S)
        log.warning(
            "role died",
            extra={
                "died": child.role,
                "pid": child.process.pid,
                "code": code,
                "last_words": self._last_words(child.role),
                "retry_in_s": pause_s,
            },
        )
        child.died_s.append(now_s)
        child.process = None
        child.state = "restarting"
        child.restarts += 1
        child.start_again_s = now_s + pause_s
        self._pid_file(child.role).unlink(missing_ok=True)

    def _last_words(self, role: str) -> str:
        """The end of its log: why it died, if it said so."""
        try:
            with self._log_file(role).open("rb") as file:
                file.seek(max(file.seek(0, os.SEEK_END) - LAST_BYTES, 0))
                lines = file.read().decode(errors="replace").rstrip().splitlines()
        except OSError:  # every role would end with this thread
            return ""
        return lines[-1][:LAST_WORDS] if lines else ""

    def _dying(self) -> dict[str, str]:
        now_s = time.monotonic()
        return {
            f"part:{child.role}": f"{child.restarts} restarts"
            for child in self._children
            if len(child.died_s) == DIES_AGAIN
            and now_s - child.died_s[0] < WITHIN_S
            and (child.process is None or now_s - child.started_s < STEADY_AGAIN_S)
        }

    def _try_to_spawn(self, child: _Child) -> None:
        try:
            self._spawn(child)
        except OSError as error:
            log.error("role not started", extra={"kept": child.role, "reason": str(error)})  # noqa: TRY400  # the reason says it all
            child.start_again_s = time.monotonic() + LONGEST_PAUSE_S

    def _spawn(self, child: _Child) -> None:
        with self._log_file(child.role).open("ab") as output:
            child.process = subprocess.Popen(
                command(child.role, self._folder),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is for the supervisor, which stops in order
                preexec_fn=die_with_parent,
            )
        child.started_s = time.monotonic()
        child.state = "starting"
        child.noted = self._note(self._pid_file(child.role), b"%d\n" % child.process.pid)

    def _end(self, children: Sequence[_Child]) -> None:
        """Tell them all, then wait for each."""
        for child in children:
            if child.process is not None:
                child.state = "stopping"
                child.process.send_signal(signal.SIGTERM)
        self._report()
        deadline_s = time.monotonic() + STOP_S
        for child in children:
            if child.process is not None:
                if not _ended(child.process, max(deadline_s - time.monotonic(), 0.1)):
                    log.error("role did not stop", extra={"killed": child.role})
                    child.process.kill()
                    child.process.wait()
                child.process = None
            child.state = "stopped"
            self._pid_file(child.role).unlink(missing_ok=True)

    def _report(self) -> None:
        report = Report(os.getpid(), self.states())
        if report != self._reported and self._note(
            report_path(self._folder), msgspec.json.encode(report)
        ):
            self._reported = report

    def _note(self, path: Path, raw: bytes) -> bool:
        """False when it could not be written. Every role would end with this thread, so a full
        disk may not end it; the caller tries again."""
        try:
            write_whole(path, raw, sync=False)
        except OSError as error:
            if not self._cannot_write:
                log.error("cannot write", extra={"path": str(path), "reason": str(error)})  # noqa: TRY400  # the reason says it all
            self._cannot_write = True
            return False
        self._cannot_write = False
        return True

    def _trim_logs(self) -> None:
        """A role keeps its log open to append, so the file is emptied, not moved."""
        if time.monotonic() < self._trim_logs_s:
            return
        self._trim_logs_s = time.monotonic() + LOG_WATCH_S
        for path in (self._folder / "logs").glob("*.log"):
            if path.stat().st_size > LOG_BYTES:
                try:
                    shutil.copyfile(path, path.with_suffix(".log.1"))
                except OSError as error:  # no room for its past: then without
                    log.error("log not kept", extra={"path": str(path), "reason": str(error)})  # noqa: TRY400  # the reason says it all
                os.truncate(path, 0)

    def _has_keys(self) -> None:
        roles = self.states()
        for edge in self._installation.keyless():
            if edge.role in roles or edge.broker_role in roles:
                id = edge.gateway.id
                raise Wrong(
                    f"gateway {id} has no keys here: `coldtrail gateway add {id}` makes them for a new"
                    " one; one that runs on another machine has `elsewhere = true` in its table"
                )
        password = Path(self._installation.alerts_settings().sms_password_file)
        if "alerts" in roles and not password.exists():
            raise Wrong(f"`alerts.sms_password_file`: {password} does not exist")

    def _log_file(self, role: str) -> Path:
        return self._folder / "logs" / f"{role}.log"

    def _pid_file(self, role: str) -> Path:
        return self._folder / "pids" / f"{role}.pid"


def _kind(role: str) -> str:
    """``gateway-lixia`` is a ``gateway``."""
    kinds = (kind for phase in STOP_PHASES for kind in phase)
    return next(kind for kind in kinds if role == kind or role.startswith(f"{kind}-"))


def command(role: str, folder: Path) -> list[str]:
    return [sys.executable, "-m", "coldtrail.roles", role, "--data", str(folder)]


def lock_path(folder: Path) -> Path:
    return folder / "up.lock"


def report_path(folder: Path) -> Path:
    return folder / "status.json"


def is_up(folder: Path) -> bool:
    """True while a supervisor holds the folder."""
    return is_locked(lock_path(folder))


def _folder_lock(folder: Path) -> IO[str]:
    """Somebody who asks whether it is held stands in the way for a moment."""
    deadline_s = time.monotonic() + ASKED_S
    while True:
        try:
            return lock(lock_path(folder))
        except BlockingIOError as error:
            if time.monotonic() > deadline_s:
                raise AlreadyUp(f"{folder} is up already") from error
            time.sleep(0.01)


def until_signal(stop: Callable[[], None]) -> None:
    """Call ``stop`` at the first SIGINT or SIGTERM; a second one ends this process at once, and
    the roles with it."""
    came = threading.Event()

    def note(_number: int, _frame: object) -> None:
        if came.is_set():
            os._exit(130)
        came.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, note)
    came.wait()
    stop()


def _ended(process: "subprocess.Popen[bytes]", timeout_s: float) -> bool:
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        return False
    return True
