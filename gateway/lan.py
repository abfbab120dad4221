"""The gateway's small HTTP server for its LAN: devices hand in readings, people look.

Standard library alone. A request is bounded in size, in time, and in how many are served at
once; what a handler raises is answered and logged, and ends nothing.
"""

import logging
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

log = logging.getLogger(__name__)

MAX_BODY = 1 << 20
AT_ONCE = 16
TIMEOUT_S = 15
RETRY_S = 5.0


@dataclass(frozen=True, slots=True)
class Request:
    """``path`` is decoded and has no query; ``header`` answers "" for one that is not there."""

    path: str
    query: str
    header: Callable[[str], str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes = b""
    type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Request], Answer]
Routes = Mapping[tuple[str, str], Handler]  # (method, first level of the path)


def serve(host: str, port: int, routes: Routes, stop: threading.Event) -> None:
    """Until ``stop``. A port that is taken is tried again: readings do not depend on it."""
    while not stop.is_set():
        try:
            server = _Server((host, port), routes)
        except OSError as error:
            log.error("not served on the LAN", extra={"port": port, "error": str(error)})  # noqa: TRY400  # the reason is all there is to say
            stop.wait(RETRY_S)
            continue
        with server:
            log.info("served on the LAN", extra={"port": port})
            threading.Thread(
                target=server.serve_forever, args=(0.5,), name="lan-accept", daemon=True
            ).start()
            stop.wait()
            server.shutdown()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], routes: Routes) -> None:
        self.routes = routes
        self._room = threading.BoundedSemaphore(AT_ONCE)
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Without the base class's look-up of the machine's name, which can wait for a DNS."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = self.server_address[0], self.server_address[1]  # type: ignore[assignment]  # of IPv4: text and number

    def process_request(self, request: Any, client_address: Any) -> None:
        """Beyond ``AT_ONCE`` the next caller waits in the socket's queue."""
        self._room.acquire()
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._room.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("a caller went away", extra={"from": str(client_address)})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "Coldtrail"
    sys_version = ""
    timeout = TIMEOUT_S
    server: _Server

    def _any(self) -> None:
        self.close_connection = True
        try:
            answer = self._answer()
        except TimeoutError:
            return
        except Exception:
            log.exception("a request failed", extra={"path": self.path[:200]})
            answer = Answer(500, b"something went wrong here; it is in the gateway's log\n")
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status != 204:  # RFC 9110, 15.3.5: no content, and no length of it
            self.send_header("Content-Type", answer.type)
            self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD" and answer.status != 204:
            self.wfile.write(answer.body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _any

    def _answer(self) -> Answer:
        split = urlsplit(self.path)
        path = unquote(split.path)
        first = path.strip("/").split("/")[0]
        method = "GET" if self.command == "HEAD" else self.command
        handler = self.server.routes.get((method, first))
        if handler is None:
            known = any(level == first for _, level in self.server.routes)
            return Answer(405 if known else 404, b"there is nothing here\n")
        body = self._body()
        if isinstance(body, Answer):
            return body
        return handler(Request(path, split.query, lambda name: self.headers.get(name, ""), body))

    def _body(self) -> bytes | Answer:
        if self.command in ("GET", "HEAD"):
            return b""
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdecimal()):
            return Answer(411, b"say how long it is: Content-Length\n")
        if len(length) > 9 or int(length) > MAX_BODY:
            return Answer(413, b"larger than 1 MiB\n")
        body = self.rfile.read(int(length))
        return body if len(body) == int(length) else Answer(400, b"cut short\n")

    def log_message(self, format: str, *args: Any) -> None:
        log.debug("%s %s", self.address_string(), format % args)
