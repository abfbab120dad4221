"""The writer of records killed with -9, at any moment: what was said is whole or not there."""

import os
import random
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from store.records import open_records_reader
from tests.support.lots import county

WRITER = """
import sys
from pathlib import Path
from store.records import open_records
from tests.support.lots import HOUR_MS, NOON_MS, OTHER_ROOM, ROOM, move

records = open_records(Path(sys.argv[1]))
for i in range(int(sys.argv[2]), 10**9):
    room = ROOM if i % 2 else OTHER_ROOM
    m = records.capture([move("put_in", NOON_MS + i, room)], by="u1", now_ms=NOON_MS)
    print(m[0], flush=True)
"""


@pytest.mark.fault
def test_killed_while_writing_the_journal_stays_whole_and_keeps_what_was_answered(
    tmp_path: Path,
) -> None:
    county(tmp_path).close()
    seeded = random.Random(20260601)  # noqa: S311 (not for secrets)
    path = tmp_path / "records.db"
    answered = 0
    for start in range(0, 12_000, 1_000):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(start)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        ) as writer:
            assert writer.stdout is not None
            for _ in range(seeded.randrange(1, 12)):
                answered = int(writer.stdout.readline())
            writer.send_signal(signal.SIGKILL)
            answered = int(([str(answered), *writer.stdout.read().splitlines()])[-1])

        reader = open_records_reader(path)
        changes = reader.changes(0, 100_000)
        assert [change.m for change in changes] == list(range(1, len(changes) + 1))
        assert changes[-1].m >= answered
        captured = [change.subject for change in changes if change.kind == "epcis"]
        assert [event.event_id for event in reader.epcis_events(0, 1_000)] == captured
        rooms = [event.body["bizLocation"]["id"] for event in reader.epcis_events(0, 1_000)]
        moves = sum(one != other for one, other in pairwise(rooms))
        actions = [change for change in changes if change.kind == "action"]
        assert len(actions) == 1 + 2 * moves  # into the first room; out of one, into the other
