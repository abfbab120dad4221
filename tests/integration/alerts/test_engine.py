"""Facts follow the journals: the same whatever the order, and the same when built again."""

import random
from contextlib import closing
from pathlib import Path
from typing import Any

from alerts.engine import POURS_MS, ROOMS_A_ROUND, Engine
from domain.calibration import Papers
from domain.judgement import Asked, Fact, Rule
from domain.reading import RoomId
from domain.room import judge
from store.connect import open_readings
from store.facts import open_facts, open_facts_reader
from store.facts_ports import StoredFact
from tests.support.alert_house import DAY_MS, MINUTE_MS, NOON_MS, House

ROOM = RoomId("r1")


def warm_hours() -> list[tuple[int, float]]:
    """Six hours of five minutes: two excursions, one gap."""
    rows = []
    for i in range(72):
        minute = 5 * i
        value = 8.0 if 60 <= minute < 130 else 6.0 if 200 <= minute < 260 else 2.5
        if not 280 <= minute < 320:
            rows.append((NOON_MS + minute * MINUTE_MS, value))
    return rows


END_MS = NOON_MS + 6 * 60 * MINUTE_MS


def follow_all(engine: Engine, now_ms: int) -> None:
    engine.follow(now_ms)
    while engine.behind():
        engine.follow(now_ms)


def bare(fact: StoredFact) -> tuple[object, ...]:
    return (
        fact.code, fact.level, fact.began_at_ms, fact.fired_at_ms, fact.cleared_at_ms,
        fact.peak, fact.degree_minutes, fact.minutes_unknown,
    )  # fmt: skip


def expected(house: House, *probes: str) -> list[tuple[object, ...]]:
    """``probes``: those of the room; all when none is named."""
    readings = {
        s: house.readings.between(s, 0, END_MS + 1)
        for s in house.readings.series()
        if not probes or s.probe in probes
    }
    rule = Rule("1", 0, "SB", ("strawberry",), 300, {})
    facts = judge(Asked((rule,), readings, ()), END_MS).facts

    def row(f: Fact) -> tuple[object, ...]:
        peak = None if f.peak is None else f.peak / 100
        return (
            f.code, f.level, f.began_at_ms, f.fired_at_ms, f.cleared_at_ms, peak,
            f.degree_minutes, f.minutes_unknown,
        )  # fmt: skip

    return sorted(map(row, facts), key=str)


def stored(house: House, name: str = "facts.db") -> list[tuple[object, ...]]:
    with closing(open_facts_reader(house.path(name))) as reader:
        return sorted((bare(f) for f in reader.facts(ROOM)), key=str)


def test_shuffled_and_late_readings_give_the_facts_of_the_specification(tmp_path: Path) -> None:
    rows = warm_hours()
    random.Random(7).shuffle(rows)  # noqa: S311 - reproducible, not secret
    with House(tmp_path) as house:
        house.room("r1", "mqtt:g1:p1")
        with closing(open_facts(house.path("facts.db"))) as facts:
            engine = Engine(house.readings, house.records, facts)
            for i in range(0, len(rows), 7):
                house.arrive(rows[i : i + 7], at_ms=END_MS)
                follow_all(engine, END_MS)

        assert stored(house) == expected(house)
        assert {row[0] for row in stored(house)} >= {"CRIT_HIGH", "WARN_HIGH", "DATA_GAP_WARN"}


def test_a_restarted_engine_goes_on_where_the_last_one_stood(tmp_path: Path) -> None:
    rows = warm_hours()
    with House(tmp_path) as house:
        house.room("r1", "mqtt:g1:p1")
        for i in range(0, len(rows), 11):
            house.arrive(rows[i : i + 11], at_ms=rows[min(i + 10, len(rows) - 1)][0])
            with closing(open_facts(house.path("facts.db"))) as facts:
                follow_all(Engine(house.readings, house.records, facts), END_MS)

        assert stored(house) == expected(house)


def test_deleted_facts_come_back_the_same(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        house.room("r1", "mqtt:g1:p1")
        house.arrive(warm_hours(), at_ms=END_MS)
        before = []
        for _ in range(2):
            with closing(open_facts(house.path("facts.db"))) as facts:
                follow_all(Engine(house.readings, house.records, facts), END_MS)
                before.append([(f.id, f.version, *bare(f)) for f in facts.facts(ROOM)])
                assert facts.cursor()[0] == house.readings.last_arrival()
            (tmp_path / "facts.db").unlink()

        assert before[0] == before[1] != []


def test_readings_put_back_from_an_older_copy_are_judged_from_the_beginning(
    tmp_path: Path,
) -> None:
    rows = warm_hours()
    with House(tmp_path) as house:
        house.room("r1", "mqtt:g1:p1")
        house.arrive(rows[:10], at_ms=END_MS)
        house.readings.close()
        copy = Path(house.path("readings.db")).read_bytes()
        house.readings = open_readings(Path(house.path("readings.db")), write=True)
        house.arrive(rows[10:40], at_ms=END_MS)
        house.arrive(rows[40:], at_ms=END_MS)
        with closing(open_facts(house.path("facts.db"))) as facts:
            follow_all(Engine(house.readings, house.records, facts), END_MS)

        house.readings.close()
        Path(house.path("readings.db")).write_bytes(copy)
        house.readings = open_readings(Path(house.path("readings.db")), write=True)
        with closing(open_facts(house.path("facts.db"))) as facts:
            engine = Engine(house.readings, house.records, facts)
            follow_all(engine, END_MS)
            house.arrive(rows[10:], at_ms=END_MS)  # as arrival 2, which the copy had not seen
            follow_all(engine, END_MS)

        assert stored(house) == expected(house)


def test_late_data_makes_a_new_version_and_keeps_the_old_one(tmp_path: Path) -> None:
    rows = warm_hours()
    with House(tmp_path) as house:
        house.room("r1", "mqtt:g1:p1")
        with closing(open_facts(house.path("facts.db"))) as facts:
            engine = Engine(house.readings, house.records, facts)
            house.arrive([r for r in rows if r[0] < NOON_MS + 120 * MINUTE_MS], at_ms=END_MS)
            follow_all(engine, END_MS)
            first = next(f for f in facts.facts(ROOM) if f.code == "CRIT_HIGH")
            house.arrive([(NOON_MS + 100 * MINUTE_MS + 1, 9.9)], at_ms=END_MS)
            follow_all(engine, END_MS)

            versions = facts.fact(first.id)

        assert [v.version for v in versions] == [1, 2]
        assert [v.peak for v in versions] == [8.0, 9.9]
        assert versions[1].n > versions[0].n


def test_a_fact_that_newer_data_removes_is_withdrawn_and_kept(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        house.room("r1", "mqtt:g1:p1")
        with closing(open_facts(house.path("facts.db"))) as facts:
            engine = Engine(house.readings, house.records, facts)
            warm = [(NOON_MS + 5 * i * MINUTE_MS, 8.0) for i in range(8)]
            house.arrive(warm, at_ms=END_MS)
            follow_all(engine, END_MS)
            told = next(f for f in facts.facts(ROOM) if f.code == "CRIT_HIGH")
            house.arrive(
                [(at, 2.0) for at, _ in warm[1:]], at_ms=END_MS
            )  # conflicts: trust neither
            follow_all(engine, END_MS)

            assert [v.withdrawn for v in facts.fact(told.id)] == [False, True]
            assert "CRIT_HIGH" not in {f.code for f in facts.facts(ROOM)}
            assert told.id not in {case["fact"] for case in facts.cases(ROOM)}


def test_a_clock_rule_fires_without_a_reading(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        house.room("r1", "mqtt:g1:p1")
        with closing(open_facts(house.path("facts.db"))) as facts:
            engine = Engine(house.readings, house.records, facts)
            house.arrive([(NOON_MS, 2.0)], at_ms=NOON_MS)
            house.arrive([(NOON_MS, 1.0)], at_ms=NOON_MS, quantity="door")
            follow_all(engine, NOON_MS)
            assert facts.facts(ROOM, active=True) == []

            judged = engine.follow(NOON_MS + 10 * MINUTE_MS)

            assert judged == {ROOM}
            assert {f.code for f in facts.facts(ROOM, active=True)} == {"DOOR_OPEN_WARN"}


def test_a_probe_counts_for_the_room_in_which_it_was(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        house.room("r1", "mqtt:g1:p1")
        house.room("r2", "mqtt:g1:p2")
        moved_ms = NOON_MS + 180 * MINUTE_MS
        house.records.assign("mqtt:g1:p1", "r2", moved_ms, by="u", now_ms=END_MS)  # type: ignore[arg-type]  # plain text ids
        with closing(open_facts(house.path("facts.db"))) as facts:
            engine = Engine(house.readings, house.records, facts)
            house.arrive(warm_hours(), at_ms=END_MS)
            follow_all(engine, END_MS)

            there = {f.code for f in facts.facts(ROOM)}
            here = {f.code for f in facts.facts(RoomId("r2"))}

        assert "CRIT_HIGH" in there
        assert "CRIT_HIGH" not in here
        assert "WARN_HIGH" in here


def test_papers_recorded_late_shorten_the_delays_from_their_own_instant(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        house.room("r1", "mqtt:g1:p1")
        with closing(open_facts(house.path("facts.db"))) as facts:
            engine = Engine(house.readings, house.records, facts)
            house.arrive(warm_hours(), at_ms=END_MS)
            follow_all(engine, END_MS)
            (before,) = [f for f in facts.facts(ROOM) if f.code == "CRIT_HIGH"]

            slow = Papers("mqtt:g1:p1", before.began_at_ms - DAY_MS, lag_s=900)
            house.records.put_papers(slow, by="u", now_ms=END_MS)
            follow_all(engine, END_MS)
            (after,) = [f for f in facts.facts(ROOM) if f.code == "CRIT_HIGH"]

        assert before.fired_at_ms - before.began_at_ms == 30 * MINUTE_MS
        assert after.fired_at_ms - after.began_at_ms == 15 * MINUTE_MS
        assert after.id == before.id


def test_a_backlog_is_judged_at_most_every_half_minute_and_then_whole(tmp_path: Path) -> None:
    rows = warm_hours()
    with House(tmp_path) as house:
        house.room("r1", "mqtt:g1:p1")
        with closing(open_facts(house.path("facts.db"))) as facts:
            engine = Engine(house.readings, house.records, facts)
            now_ms, rounds = END_MS, 0
            follow_all(engine, now_ms)
            for i in range(0, len(rows), 8):
                house.arrive(rows[i : i + 8], at_ms=now_ms, backlog=True)
                rounds += bool(engine.follow(now_ms))
                assert engine.catching_up(ROOM, now_ms)
                now_ms += 5_000
            cursor_before = facts.cursor()[0]
            now_ms += 60_000
            engine.follow(now_ms)

            assert rounds == 2  # the first batch, and once half a minute later
            assert cursor_before < house.readings.last_arrival() == facts.cursor()[0]
            assert not engine.catching_up(ROOM, now_ms)
        assert {f[0] for f in stored(house)} >= {"CRIT_HIGH", "WARN_HIGH"}


def test_a_clock_that_is_put_back_by_hours_holds_no_backlog_up(tmp_path: Path) -> None:
    rows = warm_hours()
    with House(tmp_path) as house:
        house.room("r1", "mqtt:g1:p1")
        with closing(open_facts(house.path("facts.db"))) as facts:
            engine = Engine(house.readings, house.records, facts)
            ahead_ms = END_MS + 12 * 3_600_000
            follow_all(engine, ahead_ms)
            house.arrive(rows[:8], at_ms=ahead_ms, backlog=True)
            engine.follow(ahead_ms)

            house.arrive(rows[8:], at_ms=END_MS, backlog=True)
            engine.follow(END_MS)
            engine.follow(END_MS + 60_000)

            assert facts.cursor()[0] == house.readings.last_arrival()
            assert not engine.catching_up(ROOM, END_MS + 60_000)


def test_a_start_comes_to_its_end_though_every_room_is_heard_of_meanwhile(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        for n in range(40):
            house.room(f"r{n}", f"mqtt:g1:p{n}")
        with closing(open_facts(house.path("facts.db"))) as facts:
            engine = Engine(house.readings, house.records, facts)
            rounds = 0
            while engine.beginning() and rounds < 10:
                rounds += 1
                now_ms = NOON_MS + rounds * MINUTE_MS
                for n in range(40):
                    house.arrive([(now_ms, 2.5)], at_ms=now_ms, probe=f"mqtt:g1:p{n}")
                engine.follow(now_ms)

    assert rounds == 3


def warm_days(days: int) -> list[tuple[int, float]]:
    """Up to ``END_MS``, a minute between samples: an hour and a half of warmth every day."""
    minutes = days * DAY_MS // MINUTE_MS
    return [
        (END_MS - (minutes - i) * MINUTE_MS, 8.0 if i % 1_440 < 90 else 2.5 + i % 7 / 10)
        for i in range(minutes)
    ]


def test_the_present_of_a_room_does_not_wait_for_the_past_of_the_others(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        house.room("now", "mqtt:g1:now")
        for n in range(6):
            house.room(f"past-{n}", f"mqtt:g1:past-{n}")
        with closing(open_facts(house.path("facts.db"))) as facts:
            engine = Engine(house.readings, house.records, facts)
            follow_all(engine, END_MS)
            for n in range(6):
                house.arrive(warm_days(3), at_ms=END_MS, probe=f"mqtt:g1:past-{n}", backlog=True)
            house.arrive([(END_MS, 16.5)], at_ms=END_MS, probe="mqtt:g1:now")

            first = engine.follow(END_MS)
            ceiling = [f.code for f in facts.facts(RoomId("now"))]
            later = set()
            while engine.busy(END_MS):
                later |= engine.follow(END_MS)

            assert ceiling == ["CEILING"]
            assert len(first) < 6
            assert first | later == {"now", *(f"past-{n}" for n in range(6))}
            assert facts.cursor()[0] == house.readings.last_arrival()


def test_while_backlogs_pour_in_a_past_does_not_hurry_but_the_present_does(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        house.room("now", "mqtt:g1:now")
        house.room("r1", "mqtt:g1:p1")
        with closing(open_facts(house.path("facts.db"))) as facts:
            engine = Engine(house.readings, house.records, facts)
            follow_all(engine, END_MS)
            house.arrive(warm_days(12), at_ms=END_MS, backlog=True)
            engine.follow(END_MS)

            assert engine.busy(END_MS)
            assert not engine.hurries(END_MS)
            assert engine.hurries(END_MS + POURS_MS)
            for n in range(ROOMS_A_ROUND + 1):  # one more than a look judges
                house.room(f"more-{n}", f"mqtt:g1:more-{n}")
            engine.follow(END_MS)
            assert engine.hurries(END_MS)
            while engine.busy(END_MS):
                engine.follow(END_MS)
            assert not engine.hurries(END_MS + POURS_MS)


def test_the_present_does_not_wait_for_the_end_of_one_rooms_long_past(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        house.room("now", "mqtt:g1:now")
        house.room("r1", "mqtt:g1:p1")
        with closing(open_facts(house.path("facts.db"))) as facts:
            engine = Engine(house.readings, house.records, facts)
            follow_all(engine, END_MS)
            house.arrive(warm_days(12), at_ms=END_MS, backlog=True)
            begun = engine.follow(END_MS)
            behind = house.readings.last_arrival() - facts.cursor()[0]
            house.arrive([(END_MS, 16.5)], at_ms=END_MS, probe="mqtt:g1:now")
            house.arrive([(END_MS, 8.0)], at_ms=END_MS)

            meanwhile = engine.follow(END_MS)
            waits = engine.catching_up(ROOM, END_MS + DAY_MS)
            ceiling = [f.code for f in facts.facts(RoomId("now"))]
            while engine.busy(END_MS):
                engine.follow(END_MS)

            assert (begun, behind, meanwhile, waits) == (set(), 1, {"now"}, True)
            assert ceiling == ["CEILING"]
            assert not engine.catching_up(ROOM, END_MS + DAY_MS)
            assert facts.cursor()[0] == house.readings.last_arrival()
        assert len(stored(house)) > 20
        assert stored(house) == expected(house, "mqtt:g1:p1")


def test_a_rule_that_changes_while_a_long_past_is_judged_holds_for_all_of_it(
    tmp_path: Path,
) -> None:
    rows = warm_days(12)
    with House(tmp_path) as house:
        house.room("r1", "mqtt:g1:p1")
        with closing(open_facts(house.path("facts.db"))) as facts:
            engine = Engine(house.readings, house.records, facts)
            follow_all(engine, END_MS)
            house.arrive(rows, at_ms=END_MS, backlog=True)
            engine.follow(END_MS)
            said: dict[str, Any] = {"by": "u", "now_ms": END_MS}
            house.records.add_rule(ROOM, rows[0][0], "SB", ["strawberry"], 300, {}, **said)
            later = END_MS + 60_000
            while engine.busy(later):
                engine.follow(later)

            assert facts.cursor() == (house.readings.last_arrival(), house.records.last_change())
        assert stored(house) == expected(house)


def test_an_engine_that_dies_within_a_long_past_begins_it_again(tmp_path: Path) -> None:
    with House(tmp_path) as house:
        house.room("r1", "mqtt:g1:p1")
        with closing(open_facts(house.path("facts.db"))) as facts:
            engine = Engine(house.readings, house.records, facts)
            follow_all(engine, END_MS)
            house.arrive(warm_days(12), at_ms=END_MS, backlog=True)
            engine.follow(END_MS)
        half = stored(house)
        with closing(open_facts(house.path("facts.db"))) as facts:
            follow_all(Engine(house.readings, house.records, facts), END_MS)

        assert half == []
        assert stored(house) == expected(house)
