"""The board on which each part says what is the matter with it."""

from pathlib import Path

import pytest

from domain.system_alarm import SystemAlarm
from store.system_alarms import BLOCK, CARRIED_MS, Board, forget_others, read


class Clock:
    def __init__(self) -> None:
        self.ms = 1_000_000

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


def said(folder: Path, clock: Clock) -> list[tuple[str, str, int]]:
    return [(one.code, one.about, one.since_ms) for one in read(str(folder), clock())]


def test_what_is_said_stands_there_until_it_is_over(tmp_path: Path, clock: Clock) -> None:
    board = Board(str(tmp_path), "ingest", clock)
    board.say("DISK_FULL", "server", on=True, detail="no room")
    clock.ms += 5
    board.say("DISK_FULL", "server", on=True, detail="still none")

    assert read(str(tmp_path), clock()) == [
        SystemAlarm("DISK_FULL", "server", 1_000_000, "still none", "ingest")
    ]
    board.say("DISK_FULL", "server", on=False)
    assert said(tmp_path, clock) == []


def test_parts_do_not_touch_each_others_words(tmp_path: Path, clock: Clock) -> None:
    ingest, alerts = (Board(str(tmp_path), part, clock) for part in ("ingest", "alerts"))
    ingest.say("BROKER_AWAY", "server", on=True)
    alerts.keep("GATEWAY_FULL", {"gateway:g2": "", "gateway:g1": ""})
    alerts.keep("GATEWAY_FULL", {"gateway:g1": ""})

    assert [s[:2] for s in said(tmp_path, clock)] == [
        ("BROKER_AWAY", "server"),
        ("GATEWAY_FULL", "gateway:g1"),
    ]
    forget_others(str(tmp_path), {"alerts"})
    assert [s[0] for s in said(tmp_path, clock)] == ["GATEWAY_FULL"]


def test_a_restart_forgets_what_was_said_but_not_since_when(tmp_path: Path, clock: Clock) -> None:
    Board(str(tmp_path), "influx", clock).say("INFLUX_AWAY", "part:influx", on=True)
    clock.ms += CARRIED_MS // 2
    board = Board(str(tmp_path), "influx", clock)

    assert said(tmp_path, clock) == []
    board.say("INFLUX_AWAY", "part:influx", on=True)
    assert said(tmp_path, clock) == [("INFLUX_AWAY", "part:influx", 1_000_000)]


def test_what_has_a_time_of_its_own_outlives_a_restart_and_ends_by_itself(
    tmp_path: Path, clock: Clock
) -> None:
    board = Board(str(tmp_path), "ingest", clock)
    board.say("DUPLICATE_GATEWAY", "gateway:g1", on=True, for_ms=100)
    clock.ms += 60
    board = Board(str(tmp_path), "ingest", clock)
    assert len(said(tmp_path, clock)) == 1
    board.say("DUPLICATE_GATEWAY", "gateway:g1", on=True, for_ms=100)
    clock.ms += 60

    assert said(tmp_path, clock) == [("DUPLICATE_GATEWAY", "gateway:g1", 1_000_000)]
    clock.ms += 60
    assert said(tmp_path, clock) == []


def test_where_no_new_file_can_be_made_the_old_one_is_written_over(
    tmp_path: Path, clock: Clock
) -> None:
    """As on a full disk: its blocks are ours already."""
    board = Board(str(tmp_path), "ingest", clock)
    (tmp_path / ".ingest.json.new").mkdir()  # where the new one would have to be made

    board.say("DISK_FULL", "server", on=True)

    assert [s[0] for s in said(tmp_path, clock)] == ["DISK_FULL"]
    assert (tmp_path / "ingest.json").stat().st_size % BLOCK == 0
    board.say("DISK_FULL", "server", on=False)
    assert said(tmp_path, clock) == []


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b'{"alarms":[{"code":1}]}'])
def test_a_file_that_is_being_written_says_nothing(
    tmp_path: Path, clock: Clock, raw: bytes
) -> None:
    (tmp_path / "ingest.json").write_bytes(raw)

    assert said(tmp_path, clock) == []


def test_without_a_folder_nothing_is_written(clock: Clock) -> None:
    board = Board("", "ingest", clock)
    board.say("DISK_FULL", "server", on=True)

    assert read("", clock()) == []
