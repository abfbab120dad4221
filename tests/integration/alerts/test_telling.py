"""From a reading to the phones: the ladder, replies, restarts, late data, an absent carrier."""

import sqlite3
from contextlib import closing
from pathlib import Path

from alerts.notices import ACKS_SEEN
from domain.reading import RoomId
from store.notices import open_notices
from tests.support.alert_house import DAY_MS, MINUTE_MS, NOON_MS, House
from tests.support.people import Phones
from tests.support.watch import OPERATOR, Watch, staffed, watched

ROOM = RoomId("r1")


def test_a_critical_climbs_the_ladder_until_the_reply_1_stops_it(tmp_path: Path) -> None:
    with watched(tmp_path) as watch:
        watch.warm(50)
        assert watch.phones.said() == [("1", "raise"), ("1", "escalate"), ("2", "escalate")]
        watch.reply("1")
        watch.warm(60)

        assert watch.phones.said() == [("1", "raise"), ("1", "escalate"), ("2", "escalate")]
        (reply,) = watch.store.replies()
        assert (reply["understood"], reply["room"], reply["posted"]) == ("ack", "r1", False)
        text = next(iter(watch.phones.texts()))
        assert "草莓" in text
        assert "8.0℃" in text
        assert len(text) <= 70


def test_the_all_clear_reaches_everybody_who_was_told(tmp_path: Path) -> None:
    with watched(tmp_path) as watch:
        watch.warm(50)
        watch.warm(25, 2.5)

        assert sorted(watch.phones.said()[-2:]) == [("1", "clear"), ("2", "clear")]


def test_dying_at_any_moment_tells_each_thing_once(tmp_path: Path) -> None:
    phones = Phones()
    with House(tmp_path) as house:
        staffed(house)
        now_ms = NOON_MS
        for _ in range(12):  # a new life every five minutes; every other one dies before sending
            house.arrive([(now_ms, 8.0)], at_ms=now_ms)
            with Watch(house, phones, now_ms) as watch:
                watch.decide()
            with Watch(house, phones, now_ms) as watch:
                watch.turn()
            now_ms += 5 * MINUTE_MS

        assert phones.said() == [
            ("1", "raise"), ("1", "escalate"), ("2", "escalate"),
        ]  # fmt: skip


def test_an_answer_lost_on_the_way_sends_the_same_key_again(tmp_path: Path) -> None:
    phones = Phones()
    phones.answers_lost = 1
    with House(tmp_path) as house:
        staffed(house)
        with Watch(house, phones, NOON_MS) as watch:
            watch.warm(40)

            assert phones.said() == [("1", "raise")]
            assert phones.sends == 2
            (notice,) = watch.store.notices()
            assert notice["state"] == "sent"
            assert notice["attempts"] == 2


def test_what_is_over_when_the_carrier_comes_back_is_told_as_past(tmp_path: Path) -> None:
    with watched(tmp_path, Phones(outages=10_000)) as watch:
        watch.warm(35)
        watch.warm(30, 2.5)
        watch.phones.outages = 0
        watch.until(watch.now_ms + 2 * MINUTE_MS)

        assert watch.phones.said() == [("1", "past"), ("1", "clear")]


def test_a_clock_that_is_put_back_by_hours_puts_no_message_off(tmp_path: Path) -> None:
    with watched(tmp_path, Phones(outages=10_000)) as watch:
        watch.warm(35)
        watch.phones.outages = 0
        watch.now_ms -= 12 * 60 * MINUTE_MS
        watch.sender.send_due(watch.phones)

        assert watch.phones.said() == [("1", "raise")]


def test_facts_built_again_ring_nobody(tmp_path: Path) -> None:
    phones = Phones()
    with House(tmp_path) as house:
        staffed(house)
        with Watch(house, phones, NOON_MS) as watch:
            watch.warm(40)
            now_ms = watch.now_ms
        (tmp_path / "facts.db").unlink()
        with Watch(house, phones, now_ms) as watch:
            watch.turn()
            watch.until(now_ms + 2 * MINUTE_MS)

        assert phones.said() == [("1", "raise")]


def test_a_history_loaded_before_tell_from_rings_nobody(tmp_path: Path) -> None:
    phones = Phones()
    with House(tmp_path) as house:
        staffed(house)
        rows = [(NOON_MS + 5 * i * MINUTE_MS, 8.0 if i < 20 else 2.5) for i in range(40)]
        end_ms = rows[-1][0]
        house.arrive(rows, at_ms=end_ms, backlog=True)
        with Watch(house, phones, end_ms, tell_from_ms=end_ms) as watch:
            watch.turn()
            watch.until(end_ms + 5 * MINUTE_MS)

            assert phones.said() == []
            assert watch.facts.facts(ROOM) != []


def test_a_drained_backlog_gives_one_message_that_speaks_of_the_past(tmp_path: Path) -> None:
    with watched(tmp_path) as watch:
        watch.warm(5, 2.5)
        gone_ms = watch.now_ms
        watch.until(gone_ms + 180 * MINUTE_MS)
        silent = watch.phones.said()
        rows = [(gone_ms + 5 * i * MINUTE_MS, 8.0 if 6 <= i < 18 else 2.5) for i in range(36)]
        for i in range(0, 36, 6):
            watch.house.arrive(rows[i : i + 6], at_ms=watch.now_ms, backlog=True)
            watch.house.arrive([(watch.now_ms, 2.5)], at_ms=watch.now_ms)
            watch.turn()
            watch.now_ms += 2_000
        for _ in range(40):
            watch.now_ms += 2_000
            watch.turn()

        after = watch.phones.said()[len(silent) :]
        assert sorted(after) == [
            ("1", "clear"), ("1", "past"), ("2", "clear"), ("3", "clear"),
        ]  # fmt: skip
        past = next(m for m in watch.phones.messages.values() if m.kind == "past")
        assert "8.0" in past.text


def test_a_door_whose_closing_is_still_in_the_backlog_rings_nobody(tmp_path: Path) -> None:
    phones = Phones()
    with House(tmp_path) as house:
        staffed(house)
        with Watch(house, phones, NOON_MS, tell_from_ms=0) as watch:
            opened = NOON_MS - 300 * MINUTE_MS
            house.arrive([(NOON_MS, 2.5)], at_ms=NOON_MS)
            house.arrive([(opened, 1)], at_ms=NOON_MS, quantity="door", backlog=True)
            watch.turn()
            watch.now_ms += 5_000
            house.arrive(
                [(opened + 5 * MINUTE_MS, 0)], at_ms=watch.now_ms, quantity="door", backlog=True
            )
            watch.until(watch.now_ms + 3 * MINUTE_MS)

            assert phones.said() == []


def test_with_two_alarms_open_a_bare_1_asks_which(tmp_path: Path) -> None:
    phones = Phones()
    with House(tmp_path) as house:
        staffed(house)
        house.room("r2", "mqtt:g1:p2")
        with Watch(house, phones, NOON_MS) as watch:
            rows = [(NOON_MS + 5 * i * MINUTE_MS, 8.0) for i in range(8)]
            watch.now_ms = rows[-1][0]
            house.arrive(rows, at_ms=watch.now_ms)
            house.arrive(rows, at_ms=watch.now_ms, probe="mqtt:g1:p2")
            watch.turn()
            watch.reply("1")
            asked = list(phones.texts())[-1]
            codes = {str(n["code"]): n["room"] for n in watch.store.notices() if n["code"]}
            assert all(code in asked for code in codes)
            code = next(c for c, room in codes.items() if room == "r2")
            watch.reply(f"1 {code.lower()}", id="r-2")

            assert [r["room"] for r in watch.store.replies()] == ["r2", ""]


def test_after_the_all_clear_the_code_and_a_digit_give_the_cause(tmp_path: Path) -> None:
    with watched(tmp_path) as watch:
        watch.warm(35)
        watch.warm(20, 2.5)
        code = watch.store.notices()[0]["code"]
        watch.reply(f"{code} 4")

        (owed,) = watch.store.owed(watch.now_ms)
        assert owed.detail == {"cause": "loading"}


def test_a_strangers_1_is_kept_and_stops_nothing(tmp_path: Path) -> None:
    with watched(tmp_path) as watch:
        watch.warm(35)
        watch.reply("1", phone="+8613899999999")
        watch.warm(15)

        assert ("2", "escalate") in watch.phones.said()
        assert [r["understood"] for r in watch.store.replies()] == ["stranger"]


def test_an_acknowledgement_in_the_records_stops_the_ladder(tmp_path: Path) -> None:
    with watched(tmp_path) as watch:
        watch.warm(35)
        watch.house.records.add_action(
            "a-1", ROOM, "ack", watch.now_ms, "op", {}, now_ms=watch.now_ms
        )
        watch.turn()
        watch.warm(30)

        assert watch.phones.said() == [("1", "raise")]


def test_an_acknowledgement_counts_in_records_that_were_put_back_from_a_copy(
    tmp_path: Path,
) -> None:
    with House(tmp_path) as house:
        staffed(house)
        with closing(open_notices(house.path("notices.db"))) as notices:
            notices.put_about(ACKS_SEEN, house.records.last_change() + 100)  # it had come so far
        with Watch(house, Phones(), NOON_MS) as watch:
            watch.warm(35)
            house.records.add_action(
                "a-1", ROOM, "ack", watch.now_ms, "op", {}, now_ms=watch.now_ms
            )
            watch.turn()
            watch.warm(30)

            assert watch.phones.said() == [("1", "raise")]


def test_temperature_asked_is_answered_with_the_readings_age(tmp_path: Path) -> None:
    with watched(tmp_path) as watch:
        watch.warm(5, 2.5)
        watch.until(watch.now_ms + 3 * MINUTE_MS)
        watch.reply("温度")

        assert list(watch.phones.texts()) == ["东村r1 2.5℃(8分钟前)"]


def test_both_files_are_left_whole(tmp_path: Path) -> None:
    with watched(tmp_path) as watch:
        watch.warm(40)
    for name in ("facts.db", "notices.db"):
        with closing(sqlite3.connect(tmp_path / name)) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert db.execute("PRAGMA journal_mode").fetchone() == ("delete",)


# --- a defrost that nobody tells of

DEFROST = (5.0, 6.5, 7.0, 7.0, 6.5, 5.5, 4.5, 2.5)  # every five minutes, from 2.0 and back
WEEK = 7 * DAY_MS


def week_of(house: House, *, defrosting: bool) -> None:
    """Seven days up to noon; at noon of each the room rose or did not."""
    rows: list[tuple[int, float]] = []
    for at_ms in range(NOON_MS - WEEK, NOON_MS, 5 * MINUTE_MS):
        step = (at_ms - NOON_MS) % DAY_MS // (5 * MINUTE_MS)
        rise = defrosting and 0 <= step - 1 < len(DEFROST)
        rows.append((at_ms, DEFROST[step - 1] if rise else 2.0))
    house.arrive(rows, at_ms=NOON_MS)


def noon(watch: Watch, *values: float) -> None:
    for value in (2.0, *values):
        watch.warm(5, value)


def test_the_defrost_of_every_day_tells_nobody_and_the_first_of_its_kind_does(
    tmp_path: Path,
) -> None:
    for defrosting, told in ((True, 0), (False, 1)):
        folder = tmp_path / str(defrosting)
        folder.mkdir()
        with House(folder) as house:
            house.room("r1", "mqtt:g1:p1")
            house.person("op", "operator", OPERATOR)
            week_of(house, defrosting=defrosting)
            phones = Phones()
            with Watch(house, phones, NOON_MS, tell_from_ms=NOON_MS) as watch:
                noon(watch, *DEFROST, 2.0, 2.0, 2.0)

            assert len([text for text in list(phones.texts()) if "偏高" in text]) == told


def test_what_began_like_a_defrost_and_stays_is_told_after_45_minutes(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        house.room("r1", "mqtt:g1:p1")
        house.person("op", "operator", OPERATOR)
        week_of(house, defrosting=True)
        phones = Phones()
        with Watch(house, phones, NOON_MS, tell_from_ms=NOON_MS) as watch:
            noon(watch, *[6.5] * 8)  # from 12:05 on; the warning fired at 12:35, now it is 12:45
            assert list(phones.texts()) == []
            watch.warm(5, 6.5)

            assert len(list(phones.texts())) == 1


def test_a_critical_is_told_at_once_however_much_it_looks_like_every_day(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        house.room("r1", "mqtt:g1:p1")
        house.person("op", "operator", OPERATOR)
        week_of(house, defrosting=True)
        phones = Phones()
        with Watch(house, phones, NOON_MS, tell_from_ms=NOON_MS) as watch:
            noon(watch, *[7.5] * 7)

            assert len(list(phones.texts())) == 1
