"""InfluxDB does not answer, or not with this token: said as it is, and over when it works again."""

import threading
from pathlib import Path
from typing import cast

from ingest.influx import Follower, follow
from ingest.influx_server import NoRights, Unavailable
from store.system_alarms import Board, read


class Following:
    """Rounds that end as they are told to; sees what the board says before each."""

    def __init__(self, folder: str, ends: list[Exception | None], stop: threading.Event) -> None:
        self._folder, self._ends, self._stop = folder, ends, stop
        self.seen: list[list[str]] = []

    def step(self) -> bool:
        self.seen.append([one.code for one in read(self._folder, 1)])
        if not self._ends:
            self._stop.set()
            return True
        end = self._ends.pop(0)
        if end is not None:
            raise end
        return True


def test_a_server_that_is_away_and_a_token_that_is_refused_are_two_things(tmp_path: Path) -> None:
    stop = threading.Event()
    ends: list[Exception | None] = [Unavailable("503"), NoRights("401 unauthorized"), None]
    following = Following(str(tmp_path), ends, stop)

    follow(cast(Follower, following), stop, Board(str(tmp_path), "influx", lambda: 1))

    assert following.seen == [[], ["INFLUX_AWAY"], ["INFLUX_TOKEN"], []]
