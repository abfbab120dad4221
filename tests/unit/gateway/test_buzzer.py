"""A command of the operator's own: called once for each change, never waited for."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.buzzer import Buzzer
from gateway.telling import Ring
from tests.support.servers import wait_until

HOT = Ring("CRIT_HIGH", "critical")


def script(folder: Path, after: str = "") -> list[str]:
    path = folder / "siren.sh"
    path.write_text(f'#!/bin/sh\necho "$@" >> {folder}/said\n{after}\n')
    path.chmod(0o755)
    return [str(path)]


def said(folder: Path) -> list[str]:
    path = folder / "said"
    return path.read_text().splitlines() if path.exists() else []


@contextmanager
def running(buzzer: Buzzer) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=buzzer.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)


def test_it_is_called_once_for_on_and_once_for_off(tmp_path: Path) -> None:
    noted: list[dict[str, Ring]] = []
    buzzer = Buzzer(script(tmp_path), {}, noted.append)
    with running(buzzer):
        buzzer.want({"r1": HOT})
        wait_until(lambda: noted == [{"r1": HOT}], 20, "it is on")
        buzzer.want({"r1": HOT})
        buzzer.want({})
        wait_until(lambda: noted == [{"r1": HOT}, {}], 20, "it is off")

    assert said(tmp_path) == ["r1 CRIT_HIGH critical on", "r1 CRIT_HIGH critical off"]


def test_a_command_that_hangs_is_killed_with_its_children_and_tried_again(tmp_path: Path) -> None:
    buzzer = Buzzer(script(tmp_path, "sleep 600"), {}, lambda _r: None, longest_s=0.2, retry_s=0.1)
    with running(buzzer):
        buzzer.want({"r1": HOT})

        wait_until(lambda: len(said(tmp_path)) >= 2, 20, "it is tried again")


def test_a_command_that_fails_or_is_missing_is_tried_again_while_it_is_wanted(
    tmp_path: Path,
) -> None:
    noted: list[dict[str, Ring]] = []
    buzzer = Buzzer([str(tmp_path / "siren.sh")], {}, noted.append, retry_s=0.05)
    with running(buzzer):
        buzzer.want({"r1": HOT})
        script(tmp_path)

        wait_until(lambda: noted == [{"r1": HOT}], 20, "it is on in the end")


def test_what_was_left_on_by_an_earlier_process_is_switched_off(tmp_path: Path) -> None:
    buzzer = Buzzer(script(tmp_path), {"r1": HOT}, lambda _r: None)
    with running(buzzer):
        buzzer.want({})

        wait_until(lambda: said(tmp_path) == ["r1 CRIT_HIGH critical off"], 20, "it is off")


def test_a_room_name_is_an_argument_and_never_a_command(tmp_path: Path) -> None:
    noted: list[dict[str, Ring]] = []
    buzzer = Buzzer(script(tmp_path), {}, noted.append)
    with running(buzzer):
        buzzer.want({"$(touch x); r": HOT})
        wait_until(lambda: noted, 20, "it is on")

    assert said(tmp_path) == ["$(touch x); r CRIT_HIGH critical on"]
