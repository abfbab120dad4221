"""What ingest does while the disk is full."""

from ingest.service import when_there_is_room
from store.errors import Full


class FlakyDisk:
    """Full for the first ``outages`` tries."""

    def __init__(self, outages: int) -> None:
        self.outages = outages
        self.tries = 0

    def store(self) -> None:
        self.tries += 1
        if self.tries <= self.outages:
            raise Full("no room")


def test_a_group_is_tried_again_until_there_is_room() -> None:
    disk = FlakyDisk(outages=2)

    when_there_is_room(disk.store, lambda _s: False)

    assert disk.tries == 3


def test_a_stop_does_not_wait_for_room() -> None:
    disk = FlakyDisk(outages=99)

    when_there_is_room(disk.store, lambda _s: True)

    assert disk.tries == 1
