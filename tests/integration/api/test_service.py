"""The role: it takes its port and its file, gives both back, and keeps nobody waiting."""

import socket
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import msgspec
import pytest

from api.service import CannotListen, run
from store.records import AlreadyOpen, open_records
from tests.integration.api.county import BEARER, empty, served
from tests.support.console_county import NOW_MS


def test_an_open_page_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    settings = empty(tmp_path / "data")
    with served(settings) as client, client.stream("GET", "/events", headers=BEARER) as stream:
        lines = stream.iter_lines()
        assert next(lines) == "retry: 3000"
    # ``served`` waits for the end of the role and raises what went wrong in it.

    open_records(settings.records_path).close()


def test_a_taken_port_is_said(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = empty(tmp_path / "data")
        settings = msgspec.structs.replace(settings, port=taken.getsockname()[1])

        with pytest.raises(CannotListen):
            run(settings, now_ms=lambda: NOW_MS, stop=threading.Event())


def test_records_have_one_writer(tmp_path: Path) -> None:
    settings = empty(tmp_path / "data")
    records = open_records(settings.records_path)
    try:
        with pytest.raises(AlreadyOpen):
            run(settings, now_ms=lambda: NOW_MS, stop=threading.Event())
    finally:
        records.close()


def test_a_page_is_told_when_somebody_records_something(tmp_path: Path) -> None:
    with (
        served(empty(tmp_path / "data")) as client,
        client.stream("GET", "/events", headers=BEARER) as stream,
    ):
        lines = stream.iter_lines()
        next(lines)
        body = {"kind": "county", "name_zh": "县", "name_en": "County"}
        with httpx.Client(base_url=client.base_url) as other:
            other.put("/api/v1/regions/c", json=body, headers=BEARER).raise_for_status()

        assert next(line for line in lines if line.startswith("event")) == "event: changed"


def test_no_answer_waits_while_what_was_loaded_at_the_start_is_looked_through(
    tmp_path: Path,
) -> None:
    looked_through, passed_over = map(int, in_a_process_of_its_own(tmp_path).split())

    assert looked_through < passed_over


def in_a_process_of_its_own(folder: Path) -> str:
    """What the garbage collector looks through, and what it passes over, once the api answers."""
    code = """
import gc, sys
from pathlib import Path
from tests.integration.api.county import empty, served

with served(empty(Path(sys.argv[1])), alone=True):
    print(len(gc.get_objects()), gc.get_freeze_count())
"""
    return subprocess.run(
        [sys.executable, "-c", code, str(folder / "data")],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
