"""What ingest does while the disk is full."""

from pathlib import Path

from ingest.service import when_there_is_room
from store.errors import Full
from store.system_alarms import Board, read


class FlakyDisk:
    """Full for the first ``outages`` tries."""

    def __init__(self, outages: int) -> None:
        self.outages = outages
        self.tries = 0

    def store(self) -> None:
        self.tries += 1
        if self.tries <= self.outages:
            raise Full("no room")


def test_a_group_is_tried_again_until_there_is_room_and_said_to_wait(tmp_path: Path) -> None:
    disk, board = FlakyDisk(outages=2), Board(str(tmp_path), "ingest", lambda: 1)
    meanwhile: list[list[str]] = []

    def wait(_s: float) -> bool:
        meanwhile.append([one.code for one in read(str(tmp_path), 1)])
        return False

    when_there_is_room(disk.store, wait, board)

    assert disk.tries == 3
    assert meanwhile == [["DISK_FULL"]] * 2
    assert read(str(tmp_path), 1) == []


def test_a_stop_does_not_wait_for_room() -> None:
    disk = FlakyDisk(outages=99)

    when_there_is_room(disk.store, lambda _s: True, Board("", "ingest", lambda: 1))

    assert disk.tries == 1
