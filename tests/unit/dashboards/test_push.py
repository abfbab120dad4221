"""Pushing, against a stand-in that refuses what Grafana's API does not know."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from dashboards.builder import DASHBOARDS
from dashboards.push import Refused, push
from tests.support.servers import serving

FIELDS = {
    "/api/folders": {"uid", "title"},
    "/api/dashboards/db": {"dashboard", "folderUid", "overwrite"},
}


class Grafana(HTTPServer):
    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}
        self.folders: set[str] = set()
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    server: Grafana

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers["Authorization"] != "Bearer sesame":
            self.answer(401, {"message": "Unauthorized"})
        elif set(body) != FIELDS.get(self.path):
            self.answer(400, {"message": "bad request data"})
        elif self.path == "/api/folders":
            known = body["uid"] in self.server.folders
            self.server.folders.add(body["uid"])
            self.answer(412 if known else 200, {"uid": body["uid"]})
        else:
            uid = body["dashboard"]["uid"]
            self.server.kept[uid] = body["dashboard"]
            self.answer(200, {"uid": uid, "url": f"/d/{uid}"})

    def answer(self, status: int, body: object) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


@contextmanager
def grafana() -> Iterator[tuple[Grafana, str]]:
    server = Grafana()
    with serving(server):
        yield server, f"http://127.0.0.1:{server.server_address[1]}"


def token(folder: Path, text: str) -> Path:
    (folder / "token").write_text(text + "\n")
    return folder / "token"


def test_every_dashboard_is_pushed_and_pushing_again_replaces_it(tmp_path: Path) -> None:
    with grafana() as (server, url):
        first = push(url, token(tmp_path, "sesame"))
        second = push(url, token(tmp_path, "sesame"))

    assert set(server.kept) == {board.uid for board in DASHBOARDS.values()}
    assert first == second == [f"{url}/d/{board.uid}" for board in DASHBOARDS.values()]


def test_a_wrong_token_is_reported_in_grafanas_words(tmp_path: Path) -> None:
    with grafana() as (_, url), pytest.raises(Refused, match="401"):
        push(url, token(tmp_path, "guessed"))


@pytest.mark.parametrize("text", ["", "not a token: 二"])
def test_a_file_without_a_token_is_refused_before_anybody_is_asked(
    tmp_path: Path, text: str
) -> None:
    with pytest.raises(Refused, match="holds no token"):
        push("http://127.0.0.1:1", token(tmp_path, text))
