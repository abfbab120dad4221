"""Roles that are killed come back; a supervisor that is killed takes its roles with it."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from coldtrail.init import init_data
from coldtrail.settings import Installation
from coldtrail.status import status
from coldtrail.supervise import LOG_BYTES, AlreadyUp, Supervisor, is_up
from store.system_alarms import read
from tests.support.servers import free_port_base, require, wait_until
from tests.support.system import coldtrail

pytestmark = [pytest.mark.server, pytest.mark.fault]

ROLES = ["broker", "sms-centre"]


def folder(tmp_path: Path) -> Installation:
    require("nats-server")
    return init_data(tmp_path / "data", port_base=free_port_base())


def pid_of(installation: Installation, role: str) -> int | None:
    try:
        return int((installation.folder / "pids" / f"{role}.pid").read_text())
    except FileNotFoundError:
        return None


def alive(pid: int) -> bool:
    """False also for a process that has ended and was not waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_killed_role_comes_back_with_another_pid(tmp_path: Path) -> None:
    installation = folder(tmp_path)
    with Supervisor(installation, ROLES) as supervisor:
        wait_until(
            lambda: all(s.state == "running" for s in supervisor.states().values()), 20, "running"
        )
        first = pid_of(installation, "broker")
        assert first is not None
        os.kill(first, signal.SIGKILL)
        wait_until(
            lambda: (
                supervisor.states()["broker"].restarts == 1
                and supervisor.states()["broker"].state == "running"
            ),
            20,
            "the broker runs again",
        )

        assert pid_of(installation, "broker") not in (None, first)
        assert supervisor.states()["sms-centre"].restarts == 0


def test_a_role_that_dies_again_and_again_is_told_until_it_lives(tmp_path: Path) -> None:
    installation = folder(tmp_path)
    password = installation.keys / "sms.password"
    kept = password.read_bytes()

    def said() -> list[tuple[str, str]]:
        return [(one.code, one.about) for one in read(str(installation.system), 0)]

    password.unlink()  # without it the role cannot start
    with Supervisor(installation, ROLES):
        wait_until(lambda: said() == [("PART_DIES", "part:sms-centre")], 120, "it is told")
        password.write_bytes(kept)
        wait_until(lambda: said() == [], 120, "it lives, and that is over")


def test_roles_outlive_a_disk_on_which_their_supervisor_can_write_nothing(tmp_path: Path) -> None:
    installation = folder(tmp_path)
    in_the_way = [
        installation.folder / ".status.json.new",
        installation.folder / "pids" / ".broker.pid.new",
    ]
    with Supervisor(installation, ROLES) as supervisor:
        wait_until(lambda: pid_of(installation, "sms-centre"), 20, "started")
        first, other = (supervisor.states()[role].pid for role in ROLES)
        assert first is not None
        assert other is not None
        for path in in_the_way:
            path.mkdir()
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: supervisor.states()["broker"].state == "running", 20, "runs again")
        again = supervisor.states()["broker"].pid

        assert again not in (None, first)
        assert alive(other)
        for path in in_the_way:
            path.rmdir()
        wait_until(lambda: pid_of(installation, "broker") == again, 20, "its pid is told")


def test_after_a_stop_nothing_runs_and_no_pid_file_is_left(tmp_path: Path) -> None:
    installation = folder(tmp_path)
    supervisor = Supervisor(installation, ROLES)
    supervisor.start()
    wait_until(lambda: pid_of(installation, "sms-centre"), 20, "started")
    pids = [s.pid for s in supervisor.states().values() if s.pid is not None]
    supervisor.stop()

    assert not any(alive(pid) for pid in pids)
    assert list((installation.folder / "pids").iterdir()) == []
    assert not is_up(installation.folder)


def test_a_supervisor_begins_however_often_it_is_asked_for(tmp_path: Path) -> None:
    installation = folder(tmp_path)
    with Supervisor(installation, ["broker"]):
        pass
    enough = threading.Event()

    def ask() -> None:
        while not enough.is_set():
            is_up(installation.folder)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        for _ in range(20):
            with Supervisor(installation, ["broker"]):
                assert is_up(installation.folder)
    finally:
        enough.set()
        asking.join()


def test_what_a_supervisor_wrote_ends_with_it(tmp_path: Path) -> None:
    installation = folder(tmp_path)
    path = installation.folder / "status.json"
    with Supervisor(installation, ROLES):
        kept = path.read_bytes()
    assert not path.exists()

    path.write_bytes(kept)  # of one that was killed
    with Supervisor(installation, ["broker"]):
        roles = status(installation)["roles"]
    assert roles["broker"]["pid"] is not None or roles["broker"]["state"] == "starting"
    assert roles["sms-centre"] == {"pid": None, "state": "stopped", "restarts": 0}


def test_a_folder_has_one_supervisor(tmp_path: Path) -> None:
    installation = folder(tmp_path)
    with Supervisor(installation, ["broker"]), pytest.raises(AlreadyUp):
        Supervisor(installation, ["broker"]).start()


def test_roles_end_with_a_supervisor_that_was_killed(tmp_path: Path) -> None:
    installation = folder(tmp_path)
    with (installation.folder / "up.log").open("wb") as log:
        up = subprocess.Popen(
            [sys.executable, "-m", "coldtrail", "up", "--data", str(installation.folder)],
            stdout=log,
            stderr=log,
        )
    try:
        wait_until(
            lambda: pid_of(installation, "sms-centre") or up.poll() is not None, 30, "started"
        )
        assert up.poll() is None, (installation.folder / "up.log").read_text()
        report = json.loads((installation.folder / "status.json").read_text())
        pids = [r["pid"] for r in report["roles"].values() if r["pid"]]
        up.kill()
        up.wait()
        wait_until(lambda: not any(alive(pid) for pid in pids), 20, "the roles have ended")
    finally:
        up.kill()
        up.wait()

    assert pids
    assert not is_up(installation.folder)


def test_a_log_that_grew_large_begins_anew_and_its_past_is_kept_once(tmp_path: Path) -> None:
    installation = folder(tmp_path)
    log = installation.folder / "logs" / "broker.log"
    log.write_bytes(b"x" * (LOG_BYTES + 1))
    with Supervisor(installation, ["broker"]):
        wait_until(lambda: log.with_suffix(".log.1").exists(), 20, "the past is kept")
        wait_until(lambda: 0 < log.stat().st_size < 100_000, 20, "the role writes on")

    assert log.with_suffix(".log.1").stat().st_size > LOG_BYTES


def test_status_answers_in_a_folder_where_nothing_runs(tmp_path: Path) -> None:
    installation = folder(tmp_path)
    status = json.loads(coldtrail("status", "--json", "--data", str(installation.folder)))

    assert not status["up"]
    assert {r["state"] for r in status["roles"].values()} == {"stopped"}
    assert Path(status["edge"]["password_file"]).exists()
    assert Path(status["api"]["token_file"]).exists()
