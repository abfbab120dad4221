"""The demo to its first alarm, as a stranger starts it, with one role killed on the way."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.servers import free_port_base, require, wait_until

pytestmark = [pytest.mark.server, pytest.mark.fault]
REPOSITORY = Path(__file__).resolve().parents[2]


class Demo:
    """A running demo and the lines that it has printed."""

    def __init__(self, process: "subprocess.Popen[str]", folder: Path) -> None:
        self.process = process
        self.folder = folder
        self.lines: list[str] = []
        self._reading = threading.Thread(target=self._read)
        self._reading.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def said(self, pattern: str) -> str | None:
        return next((line for line in self.lines if re.search(pattern, line)), None)

    def wait_for(self, pattern: str, timeout_s: float) -> str:
        wait_until(
            lambda: self.said(pattern) or self.process.poll() is not None, timeout_s, pattern
        )
        found = self.said(pattern)
        assert found is not None, "\n".join(self.lines)
        return found

    def ended(self, timeout_s: float) -> int:
        code = self.process.wait(timeout_s)
        self._reading.join()
        return code


@contextmanager
def demo(folder: Path, *more: str) -> Iterator[Demo]:
    process = subprocess.Popen(
        [sys.executable, "-m", "coldtrail", "demo", "--data", str(folder), *more],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'firmware-sim'}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    running = Demo(process, folder)
    try:
        yield running
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(90)
            except subprocess.TimeoutExpired:
                process.kill()
        running.ended(10)
        if process.stdout is not None:
            process.stdout.close()


def test_the_first_alarm_comes_at_minute_2_and_nothing_is_lost_when_ingest_is_killed(
    tmp_path: Path,
) -> None:
    require("nats-server")
    folder = tmp_path / "demo-data"
    with demo(folder, "--port-base", str(free_port_base()), "--minutes", "2.6") as running:
        console = running.wait_for(r"^console: ", 240).removeprefix("console: ")
        assert "= stored" in running.wait_for("Two weeks are in", 300)
        with urllib.request.urlopen(console) as page:  # noqa: S310 - our own address
            assert page.status == 200
        os.kill(int((folder / "pids" / "ingest.pid").read_text()), signal.SIGKILL)

        told = running.wait_for(r"SMS to 林立夏: .*草莓.*7℃", 240)
        code = running.ended(240)

    at_s = int(told.split(":")[0]) * 60 + int(told.split(":")[1][:2])
    assert at_s >= 120
    rung = [line for line in running.lines if "SMS to" in line]
    assert len(rung) == 1, rung
    balance = running.said("^balance: ")
    assert balance is not None
    sent, stored = re.findall(r"(?:sent|stored) ([\d,]+)", balance)
    assert sent == stored
    assert int(sent.replace(",", "")) > 240_000
    assert balance.endswith("lost 0, doubled 0")
    assert code == 0


def test_a_folder_that_holds_an_earlier_demo_is_left_alone_and_named(tmp_path: Path) -> None:
    folder = tmp_path / "demo-data"
    folder.mkdir()
    (folder / "coldtrail.toml").write_text('[[gateway]]\nid = "gw1"\npartition = 1\n')
    (folder / "demo.json").write_text(json.dumps({"made_ms": time.time_ns() // 1_000_000}))

    with demo(folder) as running:
        code = running.ended(60)

    assert code == 2
    assert running.said("--fresh") or running.said("--port-base")  # somebody may use the ports
    assert (folder / "demo.json").exists()


def test_a_folder_that_is_no_demo_is_not_touched(tmp_path: Path) -> None:
    folder = tmp_path / "real"
    folder.mkdir()
    port_base = free_port_base()
    (folder / "coldtrail.toml").write_text(
        f'port_base = {port_base}\n[[gateway]]\nid = "gw1"\npartition = 1\n'
    )

    with demo(folder, "--fresh") as running:
        code = running.ended(60)

    assert code == 2
    assert running.said("not a demo")
    assert (folder / "coldtrail.toml").exists()
