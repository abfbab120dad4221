"""Rosters, silences, replies, drills and silent gateways, from records to the phones."""

import random
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from domain.message import parts
from domain.reading import PersonId, RoomId, SiteId
from domain.roster import Shift
from store.facts import open_facts
from store.records.ports import CalendarDay, Duty, Person, Room, Site
from tests.support.alert_house import MINUTE_MS, NOON_MS, House
from tests.support.people import Phones
from tests.support.watch import OPERATOR, SECOND, TOWNSHIP, Watch, staffed, watched

HOUR_MS = 60 * MINUTE_MS
ROOM = RoomId("r1")
STRANGER = "+8613899999999"


def said(watch: Watch) -> dict[str, Any]:
    return {"by": "admin", "now_ms": watch.now_ms}


def test_a_night_shift_is_told_at_night_and_the_day_shift_by_day(tmp_path: Path) -> None:
    phones = Phones()
    with House(tmp_path) as house:
        house.room("r1", "mqtt:g1:p1")
        night = Shift("1234567", 20 * 60, 8 * 60)
        day = Shift("1234567H", 8 * 60, 20 * 60)
        for name, phone, shift in (("day", OPERATOR, day), ("night", SECOND, night)):
            house.person(name, "operator", phone)
            duty = Duty(PersonId(name), "operator", "site", "s1", (shift,))
            house.records.put_duty(duty, by="admin", now_ms=NOON_MS)
        with Watch(house, phones, NOON_MS + 7 * HOUR_MS) as watch:  # 19:00
            watch.warm(55)  # critical at 19:30, the ladder calls at 19:45
            assert phones.said() == [("1", "raise"), ("1", "escalate")]
            watch.warm(10)  # 20:00 and after: the repeat goes to whoever is on duty now
            assert phones.said()[2:] == [("2", "repeat")]
            watch.warm(20, 2.0)

            assert sorted(phones.said()[3:]) == [("1", "clear"), ("2", "clear")]


def test_nobody_on_duty_falls_back_to_all_of_the_role_and_says_so(tmp_path: Path) -> None:
    phones = Phones()
    with House(tmp_path) as house:
        house.room("r1", "mqtt:g1:p1")
        house.person("op", "operator", OPERATOR)
        sundays = Duty(PersonId("op"), "operator", "site", "s1", (Shift("7H"),))
        house.records.put_duty(sundays, by="admin", now_ms=NOON_MS)
        with Watch(house, phones, NOON_MS) as watch:  # a Tuesday
            watch.warm(35)

            (text,) = phones.texts()
            assert text.startswith("无人值班:东村r1草莓8.0℃")
            assert len(text) <= 70
    holiday = CalendarDay("2026-06-02", "H", "端午")
    with House(tmp_path / "holiday") as house:
        house.room("r1", "mqtt:g1:p1")
        house.person("op", "operator", OPERATOR)
        house.records.put_duty(sundays, by="admin", now_ms=NOON_MS)
        house.records.put_day(holiday, by="admin", now_ms=NOON_MS)
        phones = Phones()
        with Watch(house, phones, NOON_MS) as watch:
            watch.warm(35)

            assert next(iter(phones.texts())).startswith("东村r1草莓")


def test_whoever_had_the_texts_stopped_gets_none_and_the_next_step_hears_at_once(
    tmp_path: Path,
) -> None:
    with watched(tmp_path) as watch:
        watch.reply("TD")
        (owed,) = watch.store.owed(watch.now_ms)
        assert (owed.understood, owed.person) == ("unsubscribe", "op")
        assert "退订" in list(watch.phones.texts())[-1]
        watch.house.records.stop_texts(PersonId("op"), watch.now_ms, **said(watch))
        watch.warm(50)

        assert watch.phones.said()[1:] == [("2", "raise"), ("2", "escalate"), ("2", "escalate")]
        assert list(watch.phones.texts())[1].startswith("无人值班:")
        watch.house.records.allow_texts(PersonId("op"), **said(watch))
        watch.warm(15, 2.0)
        assert ("2", "clear") in watch.phones.said()


def test_a_silence_keeps_the_words_back_and_its_early_end_lets_them_out(tmp_path: Path) -> None:
    with watched(tmp_path) as watch:
        watch.house.records.silence("s-1", ROOM, "CRIT_HIGH", "探头在修", 4, **said(watch))
        watch.house.records.silence("s-2", ROOM, "WARN_HIGH", "探头在修", 4, **said(watch))
        watch.warm(60)
        assert watch.phones.said() == []
        assert {f.code for f in watch.facts.facts(ROOM)} == {"CRIT_HIGH", "WARN_HIGH"}
        watch.house.records.end_silence("s-1", **said(watch))
        watch.turn()

        assert watch.phones.said() == [("1", "raise")]


def test_a_silence_that_runs_out_by_itself_lets_the_words_out(tmp_path: Path) -> None:
    phones = Phones()
    with House(tmp_path) as house:
        staffed(house)
        with Watch(house, phones, NOON_MS) as watch:
            house.records.silence("s-1", ROOM, "CRIT_HIGH", "门坏了", 1, **said(watch))
            house.records.silence("s-2", ROOM, "WARN_HIGH", "门坏了", 2, **said(watch))
            watch.warm(55)
        with Watch(house, phones, watch.now_ms) as watch:  # a life that only reads of it
            watch.warm(10)

            assert phones.said() == [("1", "raise")]


def test_a_wrong_code_is_answered_with_the_codes_that_are_open(tmp_path: Path) -> None:
    with watched(tmp_path) as watch:
        watch.warm(35)
        code = str(watch.store.notices()[0]["code"])
        wrong = "A2A2" if code != "A2A2" else "B2B2"
        watch.reply(f"1 {wrong}")
        assert code in list(watch.phones.texts())[-1]
        watch.reply(f"1 {wrong}", phone=STRANGER, id="r-2")
        watch.warm(15)

        words = [r["understood"] for r in watch.store.replies()]
        assert words == ["stranger", "wrong-code"]
        assert ("2", "escalate") in watch.phones.said()  # neither stopped the ladder


def test_a_reply_after_the_end_is_asked_for_the_cause(tmp_path: Path) -> None:
    with watched(tmp_path) as watch:
        watch.warm(35)
        watch.warm(20, 2.0)
        code = watch.store.notices()[0]["code"]
        watch.reply(f"1 {code}")
        assert "7误报" in list(watch.phones.texts())[-1]
        assert watch.store.owed(watch.now_ms) == []
        watch.reply("1", id="r-2")

        assert [r["understood"] for r in watch.store.replies()] == ["nothing-open", "over"]


def two_hot_rooms(watch: Watch) -> dict[str, str]:
    """Code of each room's alarm."""
    house = watch.house
    house.room("r2", "mqtt:g1:p2")
    rows = [(NOON_MS + 5 * i * MINUTE_MS, 8.0) for i in range(8)]
    watch.now_ms = rows[-1][0]
    for probe in ("mqtt:g1:p1", "mqtt:g1:p2"):
        house.arrive(rows, at_ms=watch.now_ms, probe=probe)
    watch.turn()
    return {str(n["room"]): str(n["code"]) for n in watch.store.notices() if n["code"]}


def test_once_one_of_two_alarms_is_acknowledged_a_bare_1_means_the_other(tmp_path: Path) -> None:
    with watched(tmp_path) as watch:
        codes = two_hot_rooms(watch)
        watch.reply(f"回1确认 {codes['r2']}")
        watch.reply("1", id="r-2")

        assert [r["room"] for r in watch.store.replies()] == ["r1", "r2"]


def test_words_that_mean_nothing_are_answered_with_what_to_reply_once_an_hour(
    tmp_path: Path,
) -> None:
    with watched(tmp_path) as watch:
        watch.warm(35)
        code = str(watch.store.notices()[0]["code"])
        watch.reply("收到")
        watch.reply("正在开车,稍后回复", id="r-2")  # as a telephone says by itself
        answers = [n for n in watch.store.notices() if n["kind"] == "answer"]
        assert [n["text"] for n in answers] == [f"没看懂,报警还没有确认。确认请回:1 {code}"]
        watch.warm(15)

        assert ("2", "escalate") in watch.phones.said(), "nobody has acknowledged"
        watch.warm(60)
        watch.reply("好的", id="r-3")
        assert len([n for n in watch.store.notices() if n["kind"] == "answer"]) == 2


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_an_answer_about_one_alarm_is_one_message(tmp_path: Path, lang: str) -> None:
    with House(tmp_path) as house:
        staffed(house)
        person = Person(PersonId("op"), "op", OPERATOR, lang, quiet_hours=True)
        house.records.put_person(person, by="admin", now_ms=NOON_MS)
        with Watch(house, Phones(), NOON_MS) as watch:
            watch.reply("1", id="nothing")
            watch.warm(35)
            code = str(watch.store.notices()[0]["code"])
            for n, words in enumerate(("no code A2A2", "A2A2", "温度", "TD", "START")):
                watch.reply(words, id=f"open-{n}")
            watch.warm(20, 2.0)
            watch.reply(code, id="over")
            watch.warm(60, 2.0)
            watch.reply("没有报警的时候", id="words")

            answers = [str(n["text"]) for n in watch.store.notices() if n["kind"] == "answer"]
            assert len(answers) == 8
            assert [text for text in answers if parts(text) > 1] == []
            assert code in answers[1], "the code to which the cause belongs stands in the answer"


def test_still_hot_two_hours_after_the_acknowledgement_the_ladder_starts_anew(
    tmp_path: Path,
) -> None:
    with watched(tmp_path) as watch:
        watch.warm(35)
        watch.reply("1")
        acked = len(watch.phones.said())
        watch.warm(115)
        assert watch.phones.said()[acked:] == []
        watch.warm(25)

        assert watch.phones.said()[acked:] == [
            ("1", "repeat"), ("1", "escalate"), ("2", "escalate"),
        ]  # fmt: skip


def test_a_drill_climbs_like_an_alarm_says_that_it_is_one_and_ends_with_its_answer(
    tmp_path: Path,
) -> None:
    with watched(tmp_path) as watch:
        watch.turn()
        watch.house.records.start_drill("d-1", SiteId("s1"), **said(watch))
        watch.until(watch.now_ms + 16 * MINUTE_MS)
        assert watch.phones.said() == [("1", "raise"), ("1", "escalate"), ("2", "escalate")]
        assert all("演练" in text for text in watch.phones.texts())
        watch.reply("1", phone=SECOND)
        (owed,) = watch.store.owed(watch.now_ms)
        assert (owed.room, owed.person) == ("drill:d-1", "second")
        watch.house.records.answer_drill("d-1", owed.at_ms, "sms", by="second", now_ms=watch.now_ms)
        watch.until(watch.now_ms + 90 * MINUTE_MS)

        assert sorted(watch.phones.said()[3:]) == [("1", "clear"), ("2", "clear")]
        assert watch.facts.facts() == []


def test_an_unanswered_drill_ends_after_an_hour_before_the_county_hears(tmp_path: Path) -> None:
    phones = Phones()
    with House(tmp_path) as house:
        staffed(house)
        house.person("county", "county", "+8613800000004")
        with Watch(house, phones, NOON_MS) as watch:
            watch.turn()
            house.records.start_drill("d-1", SiteId("s1"), **said(watch))
            watch.until(watch.now_ms + 50 * MINUTE_MS)
            assert ("3", "escalate") in phones.said()
        with Watch(house, phones, watch.now_ms) as watch:  # a restart in the middle
            watch.until(watch.now_ms + 180 * MINUTE_MS)

            assert all(phone != "4" for phone, _ in phones.said())
            assert [kind for _, kind in phones.said()].count("clear") == 3
            assert watch.notifier.wake_ms() is None


def test_a_silent_gateway_is_one_message_and_one_ladder_for_all_its_rooms(tmp_path: Path) -> None:
    phones = Phones()
    with House(tmp_path) as house:
        at: dict[str, Any] = {"by": "init", "now_ms": house.began_ms}
        (site,) = house.records.sites()
        house.records.put_site(replace(site, gateway="g1"), **at)
        staffed(house)
        for n in (2, 3, 4):
            house.room(f"r{n}", f"mqtt:g1:p{n}")
        with Watch(house, phones, NOON_MS) as watch:
            for minute in range(30):
                for n in (1, 2, 3, 4):  # a minute apart, each every five
                    if minute % 5 == n:
                        house.arrive(
                            [(watch.now_ms, 2.0)], at_ms=watch.now_ms, probe=f"mqtt:g1:p{n}"
                        )
                watch.turn()
                watch.now_ms += MINUTE_MS
            watch.until(watch.now_ms + 80 * MINUTE_MS)
            texts = list(phones.texts())
            assert texts[0].startswith("东村网关(4间库房)无数据")
            assert all("网关" in text for text in texts)
            assert phones.said() == [
                ("1", "raise"), ("1", "raise"), ("1", "escalate"), ("2", "escalate"),
            ]  # fmt: skip

        with Watch(house, phones, watch.now_ms + 10 * MINUTE_MS) as watch:  # the server was away
            watch.turn()
            assert "clear" not in {kind for _, kind in phones.said()}
            before = len(phones.said())

            for n in (1, 2, 3):  # it is back; the fourth room's own probe is not
                house.arrive([(watch.now_ms, 2.0)], at_ms=watch.now_ms, probe=f"mqtt:g1:p{n}")
            watch.turn()
            after = list(phones.messages.values())[before:]
            assert sorted((m.kind, "r4" in m.text) for m in after) == [
                ("clear", False), ("clear", False), ("clear", False), ("raise", True),
            ]  # fmt: skip


def test_one_silent_probe_behind_a_gateway_that_speaks_is_the_rooms_own_message(
    tmp_path: Path,
) -> None:
    phones = Phones()
    with House(tmp_path) as house:
        at: dict[str, Any] = {"by": "init", "now_ms": house.began_ms}
        (site,) = house.records.sites()
        house.records.put_site(replace(site, gateway="g1"), **at)
        staffed(house)
        house.room("r2", "mqtt:g1:p2")
        with Watch(house, phones, NOON_MS) as watch:
            house.arrive([(watch.now_ms, 2.0)], at_ms=watch.now_ms, probe="mqtt:g1:p2")
            watch.warm(20, 2.0)

            (message,) = phones.messages.values()
            assert message.kind == "raise"
            assert message.text.startswith("东村r2无数据")


def test_silences_alter_no_fact(tmp_path: Path) -> None:
    judged = []
    for quiet in (False, True):
        with House(tmp_path / str(quiet)) as house:
            staffed(house)
            with Watch(house, Phones(), NOON_MS) as watch:
                watch.warm(20)
                if quiet:
                    for n, code in enumerate(("CRIT_HIGH", "WARN_HIGH", "SENSOR_STUCK")):
                        house.records.silence(f"s{n}", ROOM, code, "x", 3, **said(watch))
                watch.warm(40)
                watch.warm(30, 2.0)
            with closing(open_facts(house.path("facts.db"))) as facts:
                judged.append(
                    [
                        (f.code, f.began_at_ms, f.fired_at_ms, f.cleared_at_ms, f.peak, f.rule)
                        for f in facts.facts()
                    ]
                )

    assert judged[0] == judged[1] != []


def test_a_gateways_ladder_is_stopped_by_its_own_code(tmp_path: Path) -> None:
    phones = Phones()
    with House(tmp_path) as house:
        at: dict[str, Any] = {"by": "init", "now_ms": house.began_ms}
        house.records.put_site(
            Site(SiteId("s2"), "county", "village-point", "西村", "West", "g2"), **at
        )
        for n in (5, 6):
            room = RoomId(f"r{n}")
            house.room(f"r{n}", f"mqtt:g2:p{n}")
            house.records.put_room(Room(room, SiteId("s2"), "chilled", f"r{n}", f"r{n}"), **at)
        for id, role, phone in (("op", "operator", OPERATOR), ("town", "township", TOWNSHIP)):
            house.person(id, role, phone)
            house.records.put_duty(Duty(PersonId(id), role, "region", "county"), **at)
        with Watch(house, phones, NOON_MS) as watch:
            for n in (5, 6):
                house.arrive([(watch.now_ms, 2.0)], at_ms=watch.now_ms, probe=f"mqtt:g2:p{n}")
            watch.turn()
            watch.until(watch.now_ms + 62 * MINUTE_MS)
            assert phones.said() == [("1", "raise"), ("1", "raise")]
            watch.reply("1")
            assert watch.store.replies()[0]["room"] == "gateway:g2"
            watch.until(watch.now_ms + 60 * MINUTE_MS)

            assert ("3", "escalate") not in phones.said()


def _lives(folder: Path, rng: random.Random | None) -> list[tuple[str, str]]:
    """An alarm, a silence and a drill within an hour; with ``rng`` a life ends at every step,
    somewhere between deciding, sending and knowing that it was sent. What reached the phones."""
    phones = Phones()
    with House(folder) as house:
        staffed(house)
        now_ms = NOON_MS
        with Watch(house, phones, now_ms) as watch:
            watch.turn()
        for step in range(13):
            house.arrive([(now_ms, 8.0)], at_ms=now_ms)
            at: dict[str, Any] = {"by": "admin", "now_ms": now_ms}
            if step == 2:
                house.records.silence("s", ROOM, "CRIT_HIGH", "x", 1, **at)
            if step == 4:
                house.records.start_drill("d", SiteId("s1"), **at)
            if step == 8:
                house.records.end_silence("s", **at)
            while rng and rng.random() < 0.6:
                with Watch(house, phones, now_ms) as watch:
                    watch.decide()
                    if rng.random() < 0.5:
                        phones.answers_lost = 1  # the carrier has it, and nobody here knows
                        watch.sender.send_due(phones)
                        phones.answers_lost = 0
            with Watch(house, phones, now_ms) as watch:
                watch.now_ms += 2_000  # what was tried in vain is due again
                watch.turn()
            now_ms += 5 * MINUTE_MS
    return sorted(phones.said())


def test_a_crash_anywhere_tells_everything_and_a_carrier_that_honours_keys_tells_it_once(
    tmp_path: Path,
) -> None:
    whole = _lives(tmp_path / "whole", None)

    assert (
        whole.count(("1", "raise")) == 3
    )  # the warning, the drill, the critical after its silence
    for seed in range(2):
        rng = random.Random(seed)  # noqa: S311 - reproducible, not secret
        assert _lives(tmp_path / str(seed), rng) == whole, seed
