"""Several people, awkward replies, rules changed behind an alarm's back."""

from pathlib import Path

from domain.reading import PersonId, RoomId
from store.records.ports import Duty, Person
from tests.support.alert_house import MINUTE_MS, NOON_MS, House
from tests.support.people import Phones
from tests.support.watch import OPERATOR, SECOND, Watch, staffed, watched

OWNER = "+8613800000007"

ROOM = RoomId("r1")


def owned(house: House) -> None:
    """The room's owner has the operators' duty for this one room, its operator for the site."""
    staffed(house)
    said = {"by": "admin", "now_ms": NOON_MS}
    house.records.put_person(Person(PersonId("owner"), "owner", OWNER, "zh"), **said)  # type: ignore[arg-type] # by and now_ms
    house.records.put_duty(Duty(PersonId("owner"), "operator", "room", "r1"), **said)  # type: ignore[arg-type] # by and now_ms


def test_owner_and_operator_are_both_told_and_one_answer_is_enough(tmp_path: Path) -> None:
    phones = Phones()
    with House(tmp_path) as house:
        owned(house)
        with Watch(house, phones, NOON_MS) as watch:
            watch.warm(35)
            assert phones.said() == [("1", "raise"), ("7", "raise")]
            watch.reply("1", phone=OWNER)
            watch.warm(60)
            assert phones.said() == [("1", "raise"), ("7", "raise")], "no step climbs any more"
            watch.warm(15, 2.0)

        assert sorted(phones.said()[2:]) == [("1", "clear"), ("7", "clear")]


def test_the_all_clear_comes_although_the_process_was_another_when_it_rang(tmp_path: Path) -> None:
    phones = Phones()
    with House(tmp_path) as house:
        owned(house)
        with Watch(house, phones, NOON_MS) as watch:
            watch.warm(35)
        with Watch(house, phones, watch.now_ms) as watch:
            watch.warm(15, 2.0)

        assert sorted(phones.said()[2:]) == [("1", "clear"), ("7", "clear")]


def test_a_digit_without_a_code_gives_no_cause_and_a_strange_rooms_code_stops_nothing(
    tmp_path: Path,
) -> None:
    phones = Phones()
    with House(tmp_path) as house:
        staffed(house)
        house.room("r2", "mqtt:g1:p2")
        said = {"by": "admin", "now_ms": NOON_MS}
        house.records.put_person(Person(PersonId("far"), "far", OWNER, "zh"), **said)  # type: ignore[arg-type] # by and now_ms
        house.records.put_duty(Duty(PersonId("far"), "operator", "room", "r2"), **said)  # type: ignore[arg-type] # by and now_ms
        with Watch(house, phones, NOON_MS) as watch:
            watch.warm(35)
            code = str(next(n["code"] for n in watch.store.notices() if n["code"]))
            watch.reply("3", id="r-1")
            watch.reply(f"1 {code}", phone=SECOND, id="r-2")
            (first, second) = [r["understood"] for r in watch.store.replies()][::-1]
            assert (first, second) == ("ack", "ack"), "second is on this room's ladder"
            watch.warm(15, 2.0)
            watch.reply("3", id="r-3")

            owed = {r.provider_id: (r.understood, r.detail) for r in watch.store.owed(1 << 60)}
            assert owed == {"r-1": ("ack", {}), "r-2": ("ack", {})}, "nothing gave a cause"
    with House(tmp_path / "strange") as house:
        staffed(house)
        house.room("r2", "mqtt:g1:p2")
        house.records.put_person(Person(PersonId("far"), "far", OWNER, "zh"), **said)  # type: ignore[arg-type] # by and now_ms
        house.records.put_duty(Duty(PersonId("far"), "operator", "room", "r2"), **said)  # type: ignore[arg-type] # by and now_ms
        phones = Phones()
        with Watch(house, phones, NOON_MS) as watch:
            watch.warm(35)
            code = str(next(n["code"] for n in watch.store.notices() if n["code"]))
            watch.reply(f"1 {code}", phone=OWNER, id="r-9")
            watch.warm(15)

            assert ("2", "escalate") in phones.said(), "the ladder went on"


def test_a_rule_that_is_changed_for_the_past_takes_the_alarm_back_and_says_so(
    tmp_path: Path,
) -> None:
    phones = Phones()
    with House(tmp_path) as house:
        staffed(house)
        with Watch(house, phones, NOON_MS) as watch:
            watch.warm(35)
            gentle = {"CRIT_HIGH": {"limit_c": 10}, "WARN_HIGH": {"limit_c": 9}}
            house.records.add_rule(
                RoomId(ROOM), NOON_MS - MINUTE_MS, "SB", ["strawberry"], 300, gentle,
                by="admin", now_ms=watch.now_ms,
            )  # fmt: skip
            watch.turn()
            watch.warm(30)

            assert watch.facts.facts(ROOM) == []
        assert phones.said() == [("1", "raise"), ("1", "corrected")]
        assert list(phones.texts())[-1].startswith("更正:")


def test_an_acknowledgement_recorded_late_still_stops_the_ladder(tmp_path: Path) -> None:
    with watched(tmp_path) as watch:
        watch.warm(50)
        assert ("2", "escalate") in watch.phones.said()
        watch.house.records.add_action(
            "paper", ROOM, "ack", watch.now_ms - 10 * MINUTE_MS, "op", {}, now_ms=watch.now_ms
        )
        before = len(watch.phones.said())
        watch.warm(60)

        assert len(watch.phones.said()) == before
        assert OPERATOR in {n["phone"] for n in watch.store.notices()}
