"""alerts killed with -9 again and again while a room gets warm and cold: each thing told once.

A real process, a real SMS centre, and a clock that runs 240 times as fast, so that the ladder
climbs between two deaths.
"""

import os
import random
import sqlite3
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from domain.judgement import Asked, Rule
from domain.reading import RoomId
from domain.room import judge
from store.errors import NotReady
from store.facts import open_facts_reader
from store.notices import open_notices_reader
from tests.support.alert_house import MINUTE_MS, House
from tests.support.alerts_process import AlertsProcess
from tests.support.servers import wait_until
from tests.support.sms import Centre

RATE = 240
DEATHS = int(os.environ.get("COLDTRAIL_DEATHS", "8"))


@pytest.mark.fault
def test_killed_at_any_moment_it_tells_each_thing_once_and_its_facts_come_out_right(
    tmp_path: Path,
) -> None:
    rng = random.Random(5)  # noqa: S311 - reproducible, not secret
    centre = Centre.at(tmp_path)
    (tmp_path / "token").write_text("none\n")
    with House(tmp_path) as house, centre.running():
        alerts = AlertsProcess(house, centre, RATE)
        now_ms = alerts.now_ms
        house.room("r1", "mqtt:g1:p1", from_ms=now_ms() - 120 * MINUTE_MS)
        house.person("op", "operator", "+8613800000001", quiet_hours=False)
        house.person("second", "second", "+8613800000002", quiet_hours=False)
        next_ms = now_ms() - 25 * MINUTE_MS

        def feed(celsius: float) -> None:
            nonlocal next_ms
            while next_ms <= now_ms():
                house.arrive([(next_ms, celsius)], at_ms=now_ms())
                next_ms += 5 * MINUTE_MS

        def live(seconds: float, celsius: float) -> None:
            alerts.start()
            end = time.time() + seconds
            while time.time() < end:
                feed(celsius)
                time.sleep(0.05)  # the rhythm of the feed, not a wait
            alerts.kill()

        for _ in range(DEATHS):
            live(rng.uniform(0.3, 3.0), 8.0)
        alerts.start()
        try:

            def told(kind: str) -> Counter[str]:
                try:
                    reader = open_notices_reader(house.path("notices.db"))
                except NotReady:  # on a slow machine none of its lives came so far
                    return Counter()
                with closing(reader):
                    return Counter(
                        f"{n['to']} {n['channel']}"
                        for n in reader.notices()
                        if n["kind"] == kind and n["state"] in ("sent", "delivered")
                    )

            def climbed() -> bool:
                feed(8.0)
                return len(told("escalate")) == 2

            wait_until(climbed, 40, "the ladder has climbed")

            def over() -> bool:
                feed(2.0)
                return len(told("clear")) == 2

            wait_until(over, 40, "the all-clear was delivered")
            cut_ms = next_ms - 1
            readings = {s: house.readings.between(s, 0, cut_ms) for s in house.readings.series()}
            rule = Rule("1", 0, "SB", ("strawberry",), 300, {})
            expected = {
                (f.code, f.began_at_ms, f.fired_at_ms, f.cleared_at_ms)
                for f in judge(Asked((rule,), readings, ()), cut_ms).facts
                if f.cleared_at_ms is not None
            }

            def right() -> bool:
                with closing(open_facts_reader(house.path("facts.db"))) as reader:
                    facts = reader.facts(RoomId("r1"), active=False)
                return {
                    (f.code, f.began_at_ms, f.fired_at_ms, f.cleared_at_ms) for f in facts
                } == expected

            wait_until(right, 20, "the facts are those of the specification")
        finally:
            alerts.end()

        assert told("raise") == {"op sms": 1}
        assert told("escalate") == {"op voice": 1, "second sms": 1}
        assert told("clear") == {"op sms": 1, "second sms": 1}
        with closing(open_notices_reader(house.path("notices.db"))) as reader:
            sent = [n for n in reader.notices() if n["state"] in ("sent", "delivered")]
        with closing(sqlite3.connect(centre.settings.path)) as db:
            (on_the_phones,) = db.execute("SELECT count(*) FROM message WHERE mine = 0").fetchone()
        assert on_the_phones == len(sent)
