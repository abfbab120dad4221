"""The api as it runs: a real server on a free port, over stores in a folder."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec

from api.service import run
from api.settings import Settings
from coldtrail.init import init_data
from tests.support.console_county import NOW_MS, TOKEN
from tests.support.servers import free_port, wait_until

BEARER = {"Authorization": f"Bearer {TOKEN}"}


@contextmanager
def served(
    settings: Settings, now_ms: int = NOW_MS, *, alone: bool = False
) -> Iterator[httpx.Client]:
    """A client of the api, which stops with the block."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = msgspec.structs.replace(settings, port=port, base_url=url)
    stop = threading.Event()
    failed: list[BaseException] = []

    def serve() -> None:
        try:
            run(settings, now_ms=lambda: now_ms, stop=stop, alone=alone)
        except BaseException as error:  # noqa: BLE001 - raised below, in the test's own thread
            failed.append(error)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with httpx.Client(base_url=url, timeout=20) as client:
            wait_until(lambda: failed or _lives(client), 20, "the api answers")
            yield client
    finally:
        stop.set()
        thread.join(20)
    if failed:
        raise failed[0]


def _lives(client: httpx.Client) -> bool:
    try:
        return client.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False


def empty(folder: Path) -> Settings:
    """Nothing but the token: no other role has run yet."""
    folder.mkdir(parents=True, exist_ok=True)
    token = folder / "admin.token"
    token.write_text(TOKEN)
    files: dict[str, Any] = {
        f"{name}_path": str(folder / f"{name}.db")
        for name in ("readings", "records", "facts", "notices", "trace")
    }
    return Settings(
        port=0,
        admin_token_file=str(token),
        session_key_file=str(folder / "session.key"),
        base_url="https://cold.example",
        channels=["sms", "call"],
        **files,
    )


def data_folder(folder: Path, server: Path) -> Path:
    """For commands: as `init` makes it, with these files of a server in it."""
    init_data(folder, port_base=free_port())
    shutil.copytree(server, folder / "server", dirs_exist_ok=True)
    return folder
