"""The dashboards into a running Grafana, by its HTTP API."""

import json
from pathlib import Path

import urllib3

from dashboards.builder import DASHBOARDS, as_json

TIMEOUT_S = 10.0
FOLDER_UID = "coldtrail"


class Refused(Exception):
    """Grafana's own words, and its status."""


class Unreachable(Exception):
    """Nobody answered at the address."""


def push(url: str, token_file: Path) -> list[str]:
    """Make or replace the folder and each dashboard; their addresses. ``token_file``: a service
    account's token with the right to write dashboards."""
    token = token_file.read_text(encoding="utf-8").strip()
    if not (token and token.isascii() and token.isprintable()):
        raise Refused(f"{token_file} holds no token")
    grafana = urllib3.PoolManager(
        timeout=TIMEOUT_S,
        retries=False,
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    try:
        folder = {"uid": FOLDER_UID, "title": "Coldtrail"}
        _ask(grafana, f"{url.rstrip('/')}/api/folders", folder, there=(409, 412))
        made = []
        for board in DASHBOARDS.values():
            body = {"dashboard": as_json(board), "folderUid": FOLDER_UID, "overwrite": True}
            answer = _ask(grafana, f"{url.rstrip('/')}/api/dashboards/db", body)
            made.append(url.rstrip("/") + str(answer.get("url", "")))
        return made
    finally:
        grafana.clear()


def _ask(
    grafana: urllib3.PoolManager, url: str, body: object, there: tuple[int, ...] = ()
) -> dict[str, object]:
    """``there``: statuses that mean it is there already."""
    try:
        answer = grafana.request("POST", url, body=json.dumps(body).encode())
    except urllib3.exceptions.HTTPError as error:
        raise Unreachable(f"{url}: {error}") from error
    if answer.status in there:
        return {}
    if answer.status >= 300:
        raise Refused(f"{answer.status} {answer.data[:300].decode(errors='replace')}")
    parsed: dict[str, object] = json.loads(answer.data)
    return parsed
