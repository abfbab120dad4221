"""The alerts role as a process of its own that can be killed, with a clock of its own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from alerts.settings import Settings
from tests.support.alert_house import House
from tests.support.sms import Centre

ROOT = Path(__file__).parents[2]
LIVES = """
import os, sys, threading, time
from pathlib import Path
import msgspec
from alerts.service import run
from alerts.settings import Settings

clock = Path(sys.argv[1])


def now_ms():
    anchor, rate = map(float, clock.read_text().split())
    return round((anchor + (time.time() - anchor) * rate) * 1000)


while sys.stdin.readline():
    pid = os.fork()
    if not pid:
        run(msgspec.json.decode(sys.argv[2], type=Settings), now_ms=now_ms, stop=threading.Event())
        os._exit(1)
    print(pid, flush=True)
    os.waitpid(pid, 0)
    print("dead", flush=True)
"""


class AlertsProcess:
    """The story begins now and runs ``rate`` times as fast, whoever lives meanwhile; with rate 0
    it stands until ``set``."""

    def __init__(self, house: House, centre: Centre, rate: int) -> None:
        self.house, self.centre, self._rate = house, centre, rate
        self._anchor_s = time.time()
        self._clock = house.folder / "clock"
        self._lives: subprocess.Popen[str] | None = None
        self._pid = 0
        self._write()

    def now_ms(self) -> int:
        return round((self._anchor_s + (time.time() - self._anchor_s) * self._rate) * 1000)

    def set(self, now_ms: int) -> None:
        self._anchor_s = now_ms / 1000
        self._write()

    def _write(self) -> None:
        fresh = self._clock.with_suffix(".new")
        fresh.write_text(f"{self._anchor_s!r} {self._rate}")
        fresh.replace(self._clock)

    def start(self) -> None:
        """One more life. Each is a process of its own, forked from one that has read the program."""
        lives = self._lives = self._lives or self._begin()
        assert lives.stdin is not None
        assert lives.stdout is not None
        lives.stdin.write("\n")
        lives.stdin.flush()
        self._pid = int(lives.stdout.readline())

    def kill(self) -> None:
        """-9, and wait until it is gone."""
        if not self._pid or self._lives is None:
            return
        assert self._lives.stdout is not None
        os.kill(self._pid, signal.SIGKILL)
        assert self._lives.stdout.readline() == "dead\n"
        self._pid = 0

    def end(self) -> None:
        self.kill()
        if self._lives is not None:
            self._lives.communicate()

    def _begin(self) -> "subprocess.Popen[str]":
        house, centre = self.house, self.centre.settings
        settings = Settings(
            readings_path=house.path("readings.db"),
            records_path=house.path("records.db"),
            facts_path=house.path("facts.db"),
            notices_path=house.path("notices.db"),
            sms_url=f"smpp://coldtrail@127.0.0.1:{centre.smpp_port}?from=10690001",
            sms_password_file=centre.password_file,
            api_url="http://127.0.0.1:9",
            api_token_file=house.path("token"),
            tell_from_ms=0,
        )
        told = msgspec.json.encode(settings).decode()
        command = [sys.executable, "-c", LIVES, str(self._clock), told]
        return subprocess.Popen(
            command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
