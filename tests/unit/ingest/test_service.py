"""What ingest does while the disk is full, and before."""

from pathlib import Path

import pytest

from disk.room import Full, free_bytes
from ingest.service import until_there_is_room
from store.disk import Disk
from store.system_alarms import Board, read


class FlakyDisk:
    """Full for the first ``outages`` looks."""

    def __init__(self, outages: int) -> None:
        self.outages = outages
        self.looks = 0

    def require(self) -> None:
        self.looks += 1
        if self.looks <= self.outages:
            raise Full("no room")


def test_a_full_disk_is_said_until_there_is_room(tmp_path: Path) -> None:
    disk, board = FlakyDisk(outages=2), Board(str(tmp_path), "ingest", lambda: 1)
    meanwhile: list[list[str]] = []

    def wait(_s: float) -> bool:
        meanwhile.append([one.code for one in read(str(tmp_path), 1)])
        return False

    until_there_is_room(Full("no room"), disk.require, wait, board)

    assert disk.looks == 3
    assert meanwhile == [["DISK_FULL"]] * 3
    assert read(str(tmp_path), 1) == []


def test_a_stop_does_not_wait_for_room() -> None:
    disk = FlakyDisk(outages=99)

    board = Board("", "ingest", lambda: 1)
    until_there_is_room(Full("no room"), disk.require, lambda _s: True, board)

    assert disk.looks == 0


def test_readings_leave_the_reserve_and_the_ballast_to_others(tmp_path: Path) -> None:
    short = Disk(tmp_path, reserve_bytes=free_bytes(tmp_path) + (1 << 30), ballast_bytes=1 << 20)
    with pytest.raises(Full, match="MiB free"):
        short.require()
    assert not (tmp_path / "ballast").exists()

    roomy = Disk(tmp_path, reserve_bytes=1 << 20, ballast_bytes=1 << 20)
    roomy.require()

    assert (tmp_path / "ballast").stat().st_blocks * 512 >= 1 << 20
