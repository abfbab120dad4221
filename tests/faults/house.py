"""A whole Coldtrail in a folder, made to be broken: every role a process that can be killed at will.

The roles are those of ``coldtrail up``, started from the same folder with the same settings. What
``up`` cannot do is done here: kill, stop and restart in any order and at once, a clock of its own
for each role, and a link that can be cut between device and edge broker, gateway and central
broker, ingest and central broker, follower and InfluxDB. The central broker reads a second folder
whose settings differ in one line: it *is* the broker that the others find behind a link.

As root, the gateway's home and the server's folder are small file systems of their own, which can
be filled to the last byte.
"""

import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

from coldtrail import settings
from coldtrail.backup import back_up, put_back, renew
from coldtrail.init import FIRST, NewGateway, init_data
from coldtrail.settings import Edge, Installation
from disk.room import free_bytes
from tests.support.cutting_proxy import CuttingProxy
from tests.support.influx import influxd
from tests.support.lives import ROOT, Lives
from tests.support.servers import POLL_S, free_port, free_port_base
from tests.support.system import System

LINKS = ("device", "uplink", "ingest", "influx")
DISKS = {"gateway": 768, "server": 768}  # folder: megabytes, taken from memory only when used
EARLIER = "d97a1bd"  # the first tables of every file
RATE = 20  # of every role's clock: a backlog's past is judged every 30 s of it
STOP_ORDER = ("alerts", "traceability", "influx", "sms-centre", "gateway", "ingest", "api")
JUDGING = ("alerts", "traceability")  # another version's judgements stay as they were made
EDGE = ("edge-broker", "gateway")
PHONES = "sms-centre.db"
YOUNG_S = 3.0
LONGEST_PAUSE_S = 2.0


@dataclass(slots=True)
class _Role:
    name: str
    pid: int | None = None
    wanted: bool = True
    started_s: float = 0.0
    start_at_s: float = 0.0
    deaths: int = 0  # in a row, young, and not by our hand
    killed: bool = False


@dataclass(frozen=True, slots=True)
class Death:
    """A role that ended although nobody ended it."""

    role: str
    code: int


@dataclass(slots=True)
class Disk:
    """A small file system; ``fill`` takes what is free, again when something was given back."""

    folder: Path

    def fill(self) -> None:
        at = self.folder / "filling"
        with at.open("ab") as file, suppress(OSError):
            size, more = file.tell(), free_bytes(self.folder)
            if more:
                os.posix_fallocate(file.fileno(), 0, size + more)

    def free(self) -> None:
        (self.folder / "filling").unlink(missing_ok=True)


@dataclass
class House:
    """Started by ``with``; everything that it started has ended when the block ends.

    ``commands``: words put before ``run ROLE --data DIR`` instead of the program itself, by role.
    ``tell_from``: RFC 3339; what ended before is never told. ``earlier``: the source tree of an
    earlier version, with which all but the followers of facts begin, until ``upgrade``."""

    folder: Path
    tell_from: str
    commands: Mapping[str, Sequence[str]] = field(default_factory=dict)
    seed: int = 0
    earlier: Path | None = None
    gateway: str = FIRST.id
    links: dict[str, CuttingProxy] = field(default_factory=dict)
    disks: dict[str, Disk] = field(default_factory=dict)
    deaths: list[Death] = field(default_factory=list)
    kills: dict[str, int] = field(default_factory=dict)
    _roles: dict[str, _Role] = field(default_factory=dict)
    _stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        try:
            self._open()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._stack:
            if error is None:
                self.end(STOP_ORDER)

    # ---- made --------------------------------------------------------------------------

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def middle(self) -> Path:
        """The folder as the central broker reads it."""
        return self.folder / "middle"

    @property
    def edge(self) -> Edge:
        return self.installation.edges()[0]

    def _open(self) -> None:
        self.data.mkdir(parents=True)
        for name, megabytes in DISKS.items() if can_mount() else ():
            self.disks[name] = Disk(self.data / name)
            self._mount(self.data / name, megabytes)
        base, influx_port = free_port_base(), free_port()
        self.influx_url = f"http://127.0.0.1:{influx_port}"
        self._influx_port = influx_port
        (self.folder / "influxd").mkdir()
        self._begin_influxd()
        self._stack.callback(lambda: self._influxd.close())
        targets = {
            "device": base + settings.EDGE_PORTS, "uplink": base + 1, "ingest": base + 1,
            "influx": influx_port,
        }  # fmt: skip
        for n, (name, port) in enumerate(targets.items()):
            link = CuttingProxy(port, self.seed + n)
            self.links[name] = self._stack.enter_context(link)
        self.installation = self._init(base)
        self.system = System(self.data, base)
        self.roles = ["broker", *self.installation.roles()]
        self._roles = {name: _Role(name) for name in self.roles}
        self._lives = Lives(self.folder / "lives.log", self.earlier or ROOT)
        self._stack.callback(lambda: self._lives.close())
        for name in self.roles:
            if self.earlier and name in JUDGING:
                self._roles[name].wanted = False
            else:
                self._start(self._roles[name])
        self.wait(self._answers if self.earlier else self.system.ready, 240, "the api is ready")

    def _begin_influxd(self) -> None:
        self._influxd = ExitStack()
        self._influxd.enter_context(influxd(self.folder / "influxd", self._influx_port))

    def kill_influxd(self) -> None:
        """-9; it starts again over what it had, and is waited for."""
        self._influxd.close()
        self._begin_influxd()

    def _answers(self) -> bool:
        """It is not ready while nobody judges."""
        try:
            return bool(self.system.http("/healthz"))
        except OSError:
            return False

    def _init(self, base: int) -> Installation:
        uplink = f"mqtt://127.0.0.1:{self.links['uplink'].port}"
        broker = f'broker_url = "mqtt://127.0.0.1:{self.links["ingest"].port}"'
        influx = f"http://127.0.0.1:{self.links['influx'].port}"
        made = init_data(
            self.data,
            port_base=base,
            gateways=[NewGateway(self.gateway, cut_every_s=0.1, uplink_url=uplink)],
            more_toml=f"[network]\n{broker}\n"
            f'[influx]\nurl = "{influx}"\nkind = "1"\n'
            f"[alerts]\ntell_from = {self.tell_from}\n"
            f"[clock]\nrate = {RATE}\n",
        )
        (self.middle / "server").mkdir(parents=True)
        text = (self.data / settings.FILE).read_text()
        (self.middle / settings.FILE).write_text(re.sub("(?m)^broker_url = .*$", "", text))
        (self.middle / "server" / "keys").symlink_to(made.keys)
        (self.middle / "gateway").symlink_to(made.edges()[0].home)
        return made

    def _mount(self, folder: Path, megabytes: int) -> None:
        folder.mkdir(mode=0o700)
        size = f"size={megabytes}m,mode=700"
        subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", folder], check=True)
        self._stack.callback(self._unmount, folder)

    def _unmount(self, folder: Path) -> None:
        """What was on it stays, as a folder: it may be looked at."""
        copy = folder.with_name(f"{folder.name}.kept")
        (folder / "filling").unlink(missing_ok=True)
        for ballast in folder.glob("*.ballast"):
            ballast.unlink()
        shutil.copytree(folder, copy, symlinks=True)
        subprocess.run(["umount", "--lazy", folder], check=True)
        folder.rmdir()
        copy.rename(folder)

    # ---- processes ---------------------------------------------------------------------

    def pid(self, role: str) -> int | None:
        return self._roles[role].pid

    def kill(self, role: str) -> None:
        """-9; it starts again as soon as it is gone."""
        one = self._roles[role]
        if one.pid is not None:
            one.killed = True
            _signal(one.pid, signal.SIGKILL)
            self.kills[role] = self.kills.get(role, 0) + 1

    def send(self, role: str, number: int) -> None:
        if (pid := self._roles[role].pid) is not None:
            _signal(pid, number)

    def end(self, roles: Sequence[str], number: int = signal.SIGTERM) -> None:
        """They end and stay so until ``begin``."""
        for name in roles:
            one = self._roles[name]
            one.wanted = False
            if one.pid is not None:
                one.killed = True
                _signal(one.pid, number)

        def gone() -> bool:
            return all(self._roles[name].pid is None for name in roles)

        self.wait(gone, 30, f"{', '.join(roles)} end")

    def begin(self, roles: Sequence[str]) -> None:
        """In this order, at once."""
        for name in roles:
            one = self._roles[name]
            one.wanted, one.start_at_s = True, 0.0
            if one.pid is None:
                self._start(one)

    def second(self, role: str, data: Path) -> int:
        """One more process of this role, over another folder; its pid. It is not started again."""
        log = self.folder / "logs" / f"{role}-second.log"
        return self._lives.start(role, data, log, self._clock(f"{role}-second"))

    def upgrade(self) -> None:
        """Everything ends and starts from this version, over the data that is there."""
        self.end(self.roles)
        self._lives.close()
        self._lives = Lives(self.folder / "lives.log")
        self.begin(self.roles)

    def back_up(self, out: Path) -> None:
        """While all but alerts runs. What phones received goes with it, although no backup has that:
        else what a restored server tells again could not be told from what it tells twice. So
        nothing may be told between the two copies."""
        self.end(["alerts"], signal.SIGKILL)
        now_ms = self.installation.now_ms()()
        back_up(self.installation, out, now_ms, lambda _file, _done, _all: None)
        phones = self.installation.server / PHONES
        with closing(sqlite3.connect(phones)) as db, closing(sqlite3.connect(out / PHONES)) as copy:
            db.backup(copy)
        self.begin(["alerts"])

    def put_back(self, backup: Path) -> None:
        """The server's disk is lost, all of it, and a backup is put on a new one."""
        roles = [role for role in self.roles if role not in EDGE]
        self.end(roles, signal.SIGKILL)
        server, fresh = self.installation.server, backup.with_name("restored")
        put_back(backup, fresh, self.installation.now_ms()(), replace=False)
        for path in server.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.copytree(fresh / "server", server, dirs_exist_ok=True)
        shutil.copy(backup / PHONES, server)
        shutil.rmtree(fresh)
        self.begin(roles)

    def snapshot(self, out: Path) -> None:
        """The server's machine as it is at one instant, in mid-work."""
        roles = [role for role in self.roles if role not in EDGE]
        self.end(roles, signal.SIGKILL)
        shutil.copytree(self.installation.server, out)
        self.begin(roles)

    def set_back(self, snapshot: Path) -> None:
        """The snapshot in the place of what came after it, and somebody who was told to sign for it."""
        roles = [role for role in self.roles if role not in EDGE]
        self.end(roles, signal.SIGKILL)
        server = self.installation.server
        for path in server.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.copytree(snapshot, server, dirs_exist_ok=True)
        renew(self.installation.folder, self.installation.now_ms()())
        self.begin(roles)

    def set_clock(self, role: str, off_ms: int) -> None:
        """From this instant on its clock shows so much more."""
        path = self._clock(role)
        fresh = path.with_suffix(".new")
        fresh.write_text(str(off_ms))
        fresh.replace(path)

    def tend(self) -> None:
        """Notice who has ended, and start it again."""
        for pid, code in self._lives.ended().items():
            for one in self._roles.values():
                if one.pid == pid:
                    self._ended(one, code)
        now_s = time.monotonic()
        for one in self._roles.values():
            if one.wanted and one.pid is None and now_s >= one.start_at_s:
                self._start(one)

    def wait(self, condition: Callable[[], object], timeout_s: float, what: str) -> None:
        """Tends the roles meanwhile."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline:
                raise Late(f"not within {timeout_s:g} s: {what}")
            self.tend()
            time.sleep(POLL_S)

    def pause(self, seconds: float) -> None:
        until_s = time.monotonic() + seconds
        while (left_s := until_s - time.monotonic()) > 0:
            self.tend()
            time.sleep(min(left_s, POLL_S))

    def _clock(self, role: str) -> Path:
        return self.folder / f"clock-{role}"

    def _start(self, one: _Role) -> None:
        data = self.middle if one.name == "broker" else self.data
        words = list(self.commands.get(one.name, ()))
        if words:
            words += ["run", one.name, "--data", str(data)]
        log = self.folder / "logs" / f"{one.name}.log"
        log.parent.mkdir(exist_ok=True)
        one.pid = self._lives.start(one.name, data, log, self._clock(one.name), words)
        one.started_s, one.killed = time.monotonic(), False
        (data / "pids").mkdir(exist_ok=True)
        (data / "pids" / f"{one.name}.pid").write_text(f"{one.pid}\n")

    def _ended(self, one: _Role, code: int) -> None:
        one.pid = None
        now_s = time.monotonic()
        if one.killed:
            one.deaths = 0
            return
        self.deaths.append(Death(one.name, code))
        one.deaths = one.deaths + 1 if now_s - one.started_s < YOUNG_S else 1
        one.start_at_s = now_s + min(0.2 * 2 ** (one.deaths - 1), LONGEST_PAUSE_S)


class Late(Exception):
    """Something that must happen did not, in a time in which it must."""


def earlier_version(into: Path) -> Path | None:
    """Its source tree; None where the repository's history is not at hand."""
    tree = into / EARLIER
    asked = ["git", "-C", str(ROOT), "archive", "--format=tar", EARLIER]
    try:
        packed = subprocess.run(asked, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    tree.mkdir(parents=True)
    subprocess.run(["tar", "-x", "-C", tree], input=packed, check=True)
    return tree


@cache
def can_mount() -> bool:
    """Root alone may, and in some containers not even root: tried once."""
    if os.geteuid() != 0:
        return False
    with tempfile.TemporaryDirectory() as folder:
        tried = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder],
            capture_output=True,
            check=False,
        )
        if tried.returncode == 0:
            subprocess.run(["umount", folder], check=True)
    return tried.returncode == 0


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):  # it has ended by itself, and nobody has noticed yet
        os.kill(pid, number)


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 0.2).close()
    except OSError:
        return False
    return True
