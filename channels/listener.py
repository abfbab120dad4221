"""Where providers push replies and receipts: a small HTTP server, for those who push.

Providers sign nothing, so the path holds a secret: ``POST /{channel}/{token}``. It listens on
loopback; a reverse proxy with TLS stands in front of it. A push is answered with 200 only after
it has been kept, and every provider pushes again what was not.
"""

import logging
import os
import secrets
from collections.abc import Mapping
from hmac import compare_digest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from channels.ports import Hears, TryLater

log = logging.getLogger(__name__)

LONGEST_BODY = 1024 * 1024
IDLE_S = 20.0


def token_in(path: Path) -> str:
    """The secret of the path; made, for the owner alone, when there is none yet."""
    try:
        made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(made, "w") as file:
        file.write(f"{secrets.token_urlsafe(24)}\n")
    return path.read_text().strip()


class Listener:
    """Listens until ``close``."""

    def __init__(self, port: int, token: str, channels: Mapping[str, Hears]) -> None:
        class Handler(_Handler):
            hears = channels
            secret = token

        self._server = _Server(("127.0.0.1", port), Handler)
        self._thread = Thread(target=self._server.serve_forever, name="pushes", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """It is pushed again. What is printed by default would end us where the disk is full."""
        log.warning("a push ended early", exc_info=True)  # noqa: LOG014 - called while it is handled


class _Handler(BaseHTTPRequestHandler):
    hears: Mapping[str, Hears]
    secret: str
    timeout = IDLE_S

    def do_POST(self) -> None:
        _, name, *rest = [*self.path.split("?")[0].split("/"), ""]
        channel = self.hears.get(name)
        given = rest[0] if rest else ""
        if channel is None or not compare_digest(given.encode(), self.secret.encode()):
            self._answer(404, b"")
            return
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or len(length) > 9 or int(length) > LONGEST_BODY:
            self._answer(413, b"")
            return
        try:
            said = channel.heard(self.rfile.read(int(length)))
        except ValueError as error:
            log.warning("a push was not understood", extra={"channel": name, "why": str(error)})
            self._answer(400, b"")
        except TryLater as error:
            log.warning("a push could not be kept", extra={"channel": name, "why": str(error)})
            self._answer(503, b"")
        else:
            self._answer(200, said)

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """The path holds the secret: nothing of it is logged."""
