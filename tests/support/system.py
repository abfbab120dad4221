"""A whole Coldtrail in a folder: real processes, real brokers, driven through its public surface only.

It knows what a stranger can know: the command line, ``status --json``, pid files and the API.
"""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

from tests.support.mqtt import stranger
from tests.support.servers import wait_until

ROOT = Path(__file__).resolve().parents[2]


def run_command(
    *args: str, timeout_s: float = 120, cwd: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """One command of the program, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "coldtrail", *args],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def coldtrail(*args: str, timeout_s: float = 120) -> str:
    """What a command printed that must succeed."""
    done = run_command(*args, timeout_s=timeout_s)
    if done.returncode:
        raise AssertionError(f"coldtrail {' '.join(args)}: {done.returncode}\n{done.stderr}")
    return done.stdout


class Answered(Exception):
    """The api answered with an error."""

    def __init__(self, code: int, said: str) -> None:
        super().__init__(said)
        self.code = code


@dataclass
class System:
    """Started by ``with``; everything it started has ended when the block ends."""

    data: Path
    port_base: int
    process: subprocess.Popen[bytes] | None = None
    _browser: urllib.request.OpenerDirector | None = None

    def prepare(self, influx_url: str = "") -> None:
        coldtrail("init", str(self.data), "--port-base", str(self.port_base))
        if influx_url:
            with (self.data / "coldtrail.toml").open("a") as toml:
                toml.write(f'\n[influx]\nurl = "{influx_url}"\nkind = "1"\n')

    def __enter__(self) -> Self:
        log = (self.data / "up.log").open("ab")
        with log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "coldtrail", "up", "--data", str(self.data)],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        try:
            wait_until(self.ready, 180, "every role runs and the api is ready")
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process is None:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("coldtrail up did not stop within 30 s") from error
        finally:
            self.process = None

    def status(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(
            coldtrail("status", "--json", "--data", str(self.data), timeout_s=30)
        )
        return parsed

    def measured(self, readings: list[tuple[int, float]]) -> None:
        """(at_ms, degC) by a device on the first gateway's own broker, acknowledged."""
        edge = self.status()["edge"]
        secret = (self.data / edge["password_file"]).read_text().strip()
        pack = [
            {"n": "temperature", "u": "Cel", "t": at_ms / 1000, "v": v} for at_ms, v in readings
        ]
        with stranger(urlsplit(edge["url"]).port or 0, edge["username"], secret) as device:
            device.publish("devices/p1/readings", json.dumps(pack).encode())

    def phone(self, number: str) -> str:
        """The page of this phone, as its owner sees it."""
        query = urlencode({"phone": number, "lang": "zh"})
        url = f"{self.status()['phone']['url']}?{query}"
        with urllib.request.urlopen(url, timeout=10) as page:  # noqa: S310 - loopback
            html: bytes = page.read()
            return html.decode()

    def ready(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            raise AssertionError((self.data / "up.log").read_text()[-4000:])
        try:
            return self.http("/readyz") is not None
        except (Answered, urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.port_base}"

    def token(self) -> str:
        return (self.data / "server" / "keys" / "admin.token").read_text().strip()

    def http(self, path: str, body: Any = None, **query: Any) -> Any:
        """GET, or POST when there is a body; JSON in, JSON (or text) out."""
        url = path + (f"?{urlencode(query)}" if query else "")
        raw = self._call("GET" if body is None else "POST", url, body)
        try:
            return json.loads(raw)
        except ValueError:
            return raw.decode()

    def _call(self, method: str, path: str, body: Any) -> bytes:
        headers = {"Accept": "application/json"}
        if path not in ("/readyz", "/healthz"):
            headers["Authorization"] = f"Bearer {self.token()}"
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(  # noqa: S310 - loopback
            self.api_url + path, data=data, headers=headers, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:  # noqa: S310 - loopback
                answer: bytes = reply.read()
                return answer
        except urllib.error.HTTPError as error:
            with error:
                said = error.read().decode(errors="replace")
            raise Answered(error.code, f"{method} {path}: {error.code} {said}") from error

    def text(self, path: str, **query: Any) -> str:
        """The answer's bytes as they came."""
        return self._call("GET", path + f"?{urlencode(query)}", None).decode()

    def console(self, path: str) -> str:
        """A page as a signed-in person's browser gets it."""
        if self._browser is None:
            self._browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
            form = urlencode({"token": self.token()}).encode()
            self._browser.open(f"{self.api_url}/signin", form, timeout=30).close()
        with self._browser.open(self.api_url + path, timeout=30) as answer:
            page: bytes = answer.read()
            return page.decode()

    def refused(self, path: str, token: str | None) -> int | None:
        """The status with which a bearer of ``token`` is turned away; None when let in."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        request = urllib.request.Request(self.api_url + path, headers=headers)  # noqa: S310 - loopback
        try:
            urllib.request.urlopen(request, timeout=30).close()  # noqa: S310 - loopback
        except urllib.error.HTTPError as error:
            error.close()
            return error.code
        return None

    def put(self, path: str, body: Any) -> None:
        self._call("PUT", path, body)

    def gateway_id(self) -> str:
        first: str = next(iter(self.status()["edges"]))
        return first

    def readings(self, probe: str, quantity: str) -> Iterator[tuple[int, float]]:
        """(measured_at_ms, value) of a whole series, page by page."""
        cursor = ""
        while True:
            page = self.http(
                "/api/v1/readings", probe=probe, quantity=quantity, limit=5000, cursor=cursor
            )
            yield from zip(page["t"], page["v"], strict=True)
            cursor = page["next"]
            if cursor is None:
                return

    def pipeline(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.http("/api/v1/pipeline")
        return answer

    def pid(self, role: str) -> int | None:
        try:
            return int((self.data / "pids" / f"{role}.pid").read_text())
        except (FileNotFoundError, ValueError):
            return None

    def signal(self, role: str, number: int) -> int | None:
        """The pid that was signalled; None when the role is not up at this instant."""
        pid = self.pid(role)
        if pid is None:
            return None
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return None
        return pid
