"""Stands where InfluxDB 2.x or 3 stands, and answers as they are documented to.

Strict: a call, parameter, header or line that it does not know is an error of the test. What it
keeps is by (series, time), as there.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from tests.support.servers import serving

LINE = re.compile(r"(?P<series>\S(?:\\.|[^\s\\])*) (?P<fields>\S+) (?P<at_ms>\d+)")


@dataclass
class StandIn:
    """``bad``: lines with this text cannot be read (400); ``other_type``: are of another type;
    ``kept_from_ms``: older points are outside the retention."""

    version: Literal["2", "3"]
    url: str = ""
    token: str = "secret"  # noqa: S105 - of a test
    buckets: set[str] = field(default_factory=lambda: {"coldtrail"})
    bad: str = ""
    other_type: str = ""
    kept_from_ms: int = 0
    largest: int = 1 << 20  # bytes of a body
    points: dict[tuple[str, int], str] = field(default_factory=dict)
    writes: list[int] = field(default_factory=list)  # lines of each
    statuses: list[int] = field(default_factory=list)

    def write(self, query: str, headers: "dict[str, str]", body: bytes) -> tuple[int, bytes]:
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        assert asked.keys() == {"org", "bucket", "precision"}, asked
        assert asked["precision"] == "ms"
        if headers.get("Authorization") != f"Token {self.token}":
            return 401, _said("unauthorized", "unauthorized access")
        if asked["bucket"] not in self.buckets:
            return 404, _said("not found", f'bucket "{asked["bucket"]}" not found')
        if len(body) > self.largest:
            return 413, _said("request too large", "cannot read data: points batch is too large")
        lines = body.decode().split("\n")
        self.writes.append(len(lines))
        return self._write_3(lines) if self.version == "3" else self._write_2(lines)

    def _write_2(self, lines: list[str]) -> tuple[int, bytes]:
        for line in lines:
            if self._is(self.bad, line):
                return 400, _said("invalid", f"unable to parse '{line}': invalid number")
        old = [line for line in lines if self._at_ms(line) < self.kept_from_ms]
        other = [line for line in lines if self._is(self.other_type, line) and line not in old]
        self._keep(line for line in lines if line not in old and line not in other)
        if other:
            why = 'field type conflict: input field "value" on measurement "temperature" is type float'
            return 422, _partly(f"{why}, already exists as type string", len(other))
        if old:
            return 422, _partly("points beyond retention policy", len(old))
        return 204, b""

    def _write_3(self, lines: list[str]) -> tuple[int, bytes]:
        refused = [
            {"error_message": "invalid column type", "line_number": i, "original_line": line}
            for i, line in enumerate(lines, 1)
            if self._is(self.bad, line) or self._is(self.other_type, line)
        ]
        wrong = {one["original_line"] for one in refused}
        self._keep(line for line in lines if line not in wrong)
        if refused:
            said = {"error": "partial write of line protocol occurred", "data": refused}
            return 400, json.dumps(said).encode()
        return 204, b""

    def _keep(self, lines: Iterator[str]) -> None:
        for line in lines:
            match = LINE.fullmatch(line)
            assert match, line
            self.points[match["series"], int(match["at_ms"])] = match["fields"]

    @staticmethod
    def _is(mark: str, line: str) -> bool:
        return bool(mark) and mark in line

    @staticmethod
    def _at_ms(line: str) -> int:
        return int(line.rpartition(" ")[2])

    def of(self, measurement: str) -> dict[int, str]:
        return {
            at_ms: fields
            for (series, at_ms), fields in self.points.items()
            if series.startswith(f"{measurement},")
        }


def _said(code: str, message: str) -> bytes:
    return json.dumps({"code": code, "message": message}).encode()


def _partly(why: str, dropped: int) -> bytes:
    text = f"failure writing points to database: partial write: {why} dropped={dropped}"
    return _said("unprocessable entity", text)


@contextmanager
def stand_in(version: Literal["2", "3"]) -> Iterator[StandIn]:
    server = StandIn(version)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            call = urlsplit(self.path)
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if call.path == "/api/v2/write":
                status, said = server.write(call.query, dict(self.headers), body)
            elif call.path == "/api/v2/delete" and server.version == "2":
                status, said = 204, b""
            else:
                status, said = 404, b'{"code":"not found","message":"path not found"}'
            server.statuses.append(status)
            self._answer(status, said)

        def do_GET(self) -> None:
            self._answer(404, b"404 page not found\n")

        def _answer(self, status: int, said: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{http.server_address[1]}"
    with serving(http):
        yield server
