"""Calibrations, drifting probes and busy doors, from the records to an operator's phone."""

from contextlib import closing
from datetime import date
from pathlib import Path

from alerts.escalation import Rosters
from alerts.places import Places
from alerts.sending import Sender
from alerts.upkeep import Upkeep
from domain.calibration import Check, Papers
from domain.reading import ProbeId
from store.facts import open_facts
from store.notices import open_notices
from tests.support.alert_house import DAY_MS, MINUTE_MS, NOON_MS, House
from tests.support.people import Phones

HOUR_MS = 60 * MINUTE_MS
AIR, DOOR = ProbeId("mqtt:g1:p1"), ProbeId("mqtt:g1:door")
EVENING_MS = NOON_MS + 11 * HOUR_MS  # 23:00 local time


def told(house: House, phones: Phones, *instants: int) -> list[tuple[int, str]]:
    """Each instant is a life of its own: (which, text)."""
    said: list[tuple[int, str]] = []
    for i, now_ms in enumerate(instants):
        with (
            closing(open_facts(house.path("facts.db"))) as facts,
            closing(open_notices(house.path("notices.db"))) as store,
        ):
            rosters, places = Rosters(house.records), Places(house.records)
            upkeep = Upkeep(house.readings, house.records, store, rosters)
            upkeep.turn(now_ms)
            upkeep.turn(now_ms + 2 * MINUTE_MS)  # once is enough
            before = len(list(phones.texts()))

            def clock(now_ms: int = now_ms) -> int:
                return now_ms + 3 * MINUTE_MS

            sender = Sender(store, facts, rosters, places, clock)
            while sender.send_due(phones):
                pass
            said += [(i, text) for text in list(phones.texts())[before:]]
    return said


def test_a_calibration_that_runs_out_is_in_the_morning_note_once(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        house.room("r1", AIR)
        house.person("op", "operator", "+8613800000001")
        papers = Papers(AIR, 0, due_on=date(2026, 7, 2))  # 30 days before it ends is June 3rd
        house.records.put_papers(papers, by="admin", now_ms=NOON_MS - 3 * DAY_MS)

        phones = Phones()
        morning = NOON_MS + DAY_MS - 5 * HOUR_MS - 30 * MINUTE_MS  # 06:30 on the 3rd
        said = told(house, phones, NOON_MS, morning - 5 * MINUTE_MS, morning, morning + DAY_MS)

        assert said == [(2, "冷链提醒:东村r1探头校准07-02到期")]


def test_a_probe_found_off_is_told_by_day_and_one_within_its_limit_is_not(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        house.room("r1", AIR)
        house.person("op", "operator", "+8613800000001")
        phones = Phones()
        assert told(house, phones, NOON_MS) == []

        def check(id: str, shown: int, at_ms: int) -> None:
            said = Check(at_ms, shown, 400)
            house.records.add_check(id, AIR, said, by="li", now_ms=EVENING_MS)

        check("k1", 440, EVENING_MS)
        assert told(house, phones, EVENING_MS, NOON_MS + DAY_MS) == [], "0.4 apart is allowed"
        check("k2", 480, EVENING_MS + 1)

        late = EVENING_MS + DAY_MS
        assert told(house, phones, late, late + 8 * HOUR_MS) == [(1, "冷链提醒:东村r1探头偏高0.8℃")]


def test_a_door_opened_more_than_twenty_times_within_an_hour_is_in_the_next_mornings_note(
    tmp_path: Path,
) -> None:
    with House(tmp_path) as house:
        house.room("r1", AIR)
        house.records.assign(DOOR, "r1", house.began_ms, by="init", now_ms=house.began_ms)  # type: ignore[arg-type] # a room's id
        house.person("op", "operator", "+8613800000001")
        phones = Phones()
        told(house, phones, NOON_MS)
        busy = [
            row
            for i in range(23)
            for row in ((NOON_MS + 2 * i * MINUTE_MS, 1.0), (NOON_MS + (2 * i + 1) * MINUTE_MS, 0))
        ]
        house.arrive(busy, at_ms=NOON_MS + HOUR_MS, probe=DOOR, quantity="door")

        assert told(
            house, phones, NOON_MS + 2 * HOUR_MS, NOON_MS + DAY_MS, NOON_MS + 2 * DAY_MS
        ) == [(1, "冷链提醒:东村r1昨天1小时开门23次")]
