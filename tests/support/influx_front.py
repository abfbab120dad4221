"""The calls of 2.x and 3 in front of a real InfluxDB 1.6.7, which keeps and answers.

Writing, deleting and refusing are as those are documented; InfluxQL goes through as it is. So what
the project asks of them is tried on a real engine, where theirs cannot be installed.
"""

import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec

from tests.support.servers import serving

PREDICATE = re.compile(r'(\w+)="((?:\\.|[^"\\])*)"')


class _Deletion(msgspec.Struct, forbid_unknown_fields=True):
    start: str
    stop: str
    predicate: str


def statement(body: bytes) -> str:
    """What 1.x calls the deletion that was asked of 2.x."""
    asked = msgspec.json.decode(body, type=_Deletion)
    assert PREDICATE.sub("", asked.predicate).replace(" AND ", "") == "", asked.predicate
    tags = dict(PREDICATE.findall(asked.predicate))
    text = {name: re.sub(r"\\(.)", r"\1", value) for name, value in tags.items()}
    measurement = text.pop("_measurement")
    quoted = {name: value.replace("\\", "\\\\").replace("'", "\\'") for name, value in text.items()}
    where = [f"\"{name}\" = '{value}'" for name, value in quoted.items()]
    where += [f"time >= '{asked.start}'", f"time <= '{asked.stop}'"]
    return f'DELETE FROM "{measurement}" WHERE {" AND ".join(where)}'  # noqa: S608 - quoted


@contextmanager
def in_front_of(influxd_url: str, version: Literal["2", "3"]) -> Iterator[str]:
    """Its URL. The database is there when somebody made it."""

    def ask(path: str, fields: dict[str, str], body: bytes | None = None) -> tuple[int, bytes]:
        try:
            with urllib.request.urlopen(  # noqa: S310 - our own server
                f"{influxd_url}{path}?{urlencode(fields)}", body, timeout=30
            ) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            call = urlsplit(self.path)
            fields = {name: values[0] for name, values in parse_qs(call.query).items()}
            body = self.rfile.read(int(self.headers["Content-Length"]))
            database = {"db": fields.get("bucket", "")}
            if call.path == "/api/v2/write":
                self._answer(*ask("/write", database | {"precision": fields["precision"]}, body))
            elif call.path == "/api/v2/delete" and version == "2":
                status, said = ask("/query", database | {"q": statement(body)}, b"")
                assert b"error" not in said, said
                self._answer(204 if status == 200 else status, b"")
            else:
                self._answer(404, b'{"code":"not found","message":"path not found"}')

        def do_GET(self) -> None:
            call = urlsplit(self.path)
            fields = {name: values[0] for name, values in parse_qs(call.query).items()}
            self._answer(*ask(call.path, fields))

        def _answer(self, status: int, said: bytes) -> None:
            self.send_response(status)
            if status != 204:
                self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            if status != 204:
                self.wfile.write(said)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with serving(http):
        yield f"http://127.0.0.1:{http.server_address[1]}"
