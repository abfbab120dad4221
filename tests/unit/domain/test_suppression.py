"""Known causes: bounded pauses, rules that go off, and the cause's own alarm."""

import pytest

from domain.reading import Columns
from tests.unit.domain.rooms import (
    act,
    fired,
    judged,
    pauses,
    points,
    rule,
    series,
    spells,
    steady,
)

DOOR, DEFROST = series("s", "door"), series("s", "defrost")


def switch(*said: tuple[float, int], quantity: str = "door") -> Columns:
    return points([(m, v) for m, v in said], quantity)


def test_a_door_closed_at_exactly_ten_minutes_raises_nothing() -> None:
    judgement = judged({DOOR: switch((0, 1), (10, 0))}, until=60)

    assert fired(judgement) == []
    assert pauses(judgement) == [("door", 0, 10)]


def test_an_open_door_warns_after_ten_minutes_without_any_reading() -> None:
    judgement = judged({DOOR: switch((0, 1))}, until=30)

    assert fired(judgement) == [(10, "DOOR_OPEN_WARN"), (30, "DOOR_OPEN_CRIT")]


def test_a_sample_at_the_end_of_a_pause_is_not_paused() -> None:
    readings = {series(): steady(5, 40), DOOR: switch((0, 1), (10, 0))}

    assert spells(judged(readings, until=40)) == [("WARN_HIGH", 10, 40, None)]


def test_a_door_pauses_warnings_and_not_criticals() -> None:
    readings = {series(): steady(8, 30), DOOR: switch((0, 1), (9, 0))}

    assert fired(judged(readings, until=30)) == [(30, "CRIT_HIGH")]


def test_saying_open_again_is_no_new_opening() -> None:
    judgement = judged({DOOR: switch((0, 1), (6, 1), (9, 0))}, until=20)

    assert pauses(judgement) == [("door", 0, 9)]


def test_a_defrost_pauses_twenty_minutes_beyond_its_end() -> None:
    judgement = judged({DEFROST: switch((0, 1), (10, 0), quantity="defrost")}, until=60)

    assert pauses(judgement) == [("defrost", 0, 30)]


def test_a_heater_that_returns_continues_the_same_defrost() -> None:
    flags = switch((0, 1), (10, 0), (25, 1), (50, 0), quantity="defrost")

    judgement = judged({DEFROST: flags}, by=rule("FZ"), until=90)

    assert pauses(judgement) == [("defrost", 0, 45)]
    assert spells(judgement) == [("DEFROST_TOO_LONG", 0, 45, 50)]


def test_a_heater_that_returns_when_the_pause_has_ended_begins_another() -> None:
    flags = switch((0, 1), (10, 0), (30, 1), (40, 0), quantity="defrost")

    assert pauses(judged({DEFROST: flags}, until=90)) == [("defrost", 0, 30), ("defrost", 30, 60)]


def test_a_site_may_stretch_the_defrost_to_an_hour() -> None:
    judgement = judged(
        {DEFROST: switch((0, 1), quantity="defrost")}, by=rule("FZ", defrost_total_min=60), until=61
    )

    assert pauses(judgement) == [("defrost", 0, 60)]
    assert fired(judgement) == [(60, "DEFROST_TOO_LONG")]


def test_loading_pauses_warnings_for_45_minutes_and_says_when_it_takes_longer() -> None:
    readings = {series(): steady(5, 90)}

    judgement = judged(readings, act(0, "loading_started"), act(60, "loading_ended"), until=90)

    assert pauses(judgement) == [("loading", 0, 45)]
    assert spells(judgement) == [("LOADING_TOO_LONG", 0, 45, 60), ("WARN_HIGH", 45, 75, None)]


def test_the_fifth_loading_of_a_day_is_no_excuse() -> None:
    times = [0, 60, 120, 180, 240]
    actions = [
        action
        for t in times
        for action in (act(t, "loading_started"), act(t + 10, "loading_ended"))
    ]

    assert len(pauses(judged({}, *actions, until=300))) == 4


def test_a_loading_24_hours_ago_does_not_count() -> None:
    times = [0, 60, 120, 180, 1440]
    actions = [
        action
        for t in times
        for action in (act(t, "loading_started"), act(t + 10, "loading_ended"))
    ]

    assert len(pauses(judged({}, *actions, until=1500))) == 5


def test_a_forgotten_end_is_ended_by_the_next_start() -> None:
    actions = [act(0, "loading_started"), act(30, "loading_started"), act(50, "loading_started")]

    judgement = judged({}, *actions, until=60)

    assert pauses(judgement) == [("loading", 0, 45), ("loading", 50, 95)]
    assert spells(judgement) == [("LOADING_TOO_LONG", 0, 45, 50)]


@pytest.mark.parametrize("kind", ["loading_ended", "maintenance_ended", "standby_ended"])
def test_an_end_without_a_start_says_nothing(kind: str) -> None:
    judgement = judged(steady(3, 10), act(5, kind), until=10)

    assert (judgement.facts, judgement.pauses) == ((), ())


def test_maintenance_closes_alarms_leaves_the_ceiling_and_ends_itself() -> None:
    readings = {series(): steady(16, 5 * 60 + 45)}

    judgement = judged(readings, act(60, "maintenance_started", reason="fan"), until=5 * 60 + 45)

    assert spells(judgement) == [
        ("CEILING", 0, 0, None),
        ("CRIT_HIGH", 0, 30, 60),
        ("WARN_HIGH", 0, 30, 60),
        ("CRIT_HIGH", 300, 330, None),
        ("WARN_HIGH", 300, 330, None),
    ]
    assert pauses(judgement) == [("maintenance", 60, 300)]


def test_maintenance_cuts_a_condition_and_the_rest_is_a_new_one() -> None:
    judgement = judged(
        {DOOR: switch((0, 1))},
        act(20, "maintenance_started"),
        act(40, "maintenance_ended"),
        until=60,
    )

    assert spells(judgement) == [
        ("DOOR_OPEN_WARN", 0, 10, 20),
        ("DOOR_OPEN_WARN", 40, 50, None),
    ]


def test_standby_switches_the_ceiling_off_too_and_has_no_bound() -> None:
    judgement = judged(steady(16, 60), act(30, "standby_started"), until=60)

    assert {(code, cleared) for code, _, _, cleared in spells(judgement)} == {("CEILING", 30)}
    assert pauses(judgement) == [("standby", 30, None)]


def test_standby_ends_as_a_pause_when_goods_come_in_and_says_so() -> None:
    actions = [
        act(0, "standby_started"),
        act(30, "lot_in", lot="a"),
        act(90, "lot_out", lot="a"),
    ]

    judgement = judged({}, *actions, until=120)

    assert pauses(judgement) == [("standby", 0, 30)]
    assert spells(judgement) == [("STANDBY_WITH_STOCK", 30, 30, 90)]


def test_standby_with_goods_in_pauses_nothing() -> None:
    actions = [act(0, "lot_in", lot="a"), act(10, "standby_started"), act(50, "standby_ended")]

    judgement = judged(steady(5, 60), *actions, until=60)

    assert pauses(judgement) == []
    assert ("STANDBY_WITH_STOCK", 10, 10, 50) in spells(judgement)
    assert (30, "WARN_HIGH") in fired(judgement)


def test_pre_cooling_raises_the_ceiling_and_leaves_the_low_side() -> None:
    start = act(20, "precool_started", start_c=28, medium_c=2, allowed_h=3)

    hot = judged(steady(20, 60), start, act(50, "precool_done"), until=60)
    cold = judged(steady(-1, 60), start, until=60)

    assert [s for s in spells(hot) if s[0] == "CEILING"] == [
        ("CEILING", 0, 0, 20),
        ("CEILING", 50, 50, None),
    ]
    assert pauses(hot) == [("precool", 20, 50)]
    assert {code for _, code in fired(cold)} == {"WARN_LOW", "CRIT_FREEZE"}


def test_pre_cooling_is_slow_until_every_product_probe_is_at_seven_eighths() -> None:
    start = act(0, "precool_started", start_c=18, medium_c=2, allowed_h=1)
    readings = {
        series("a", "product_temperature"): steady(4, 120),
        series("b", "product_temperature"): Columns(),
    }
    late = {**readings, series("b", "product_temperature"): points([(0, 18), (90, 4.0)])}

    quick = judged(readings, start, by=rule("PC"), until=120)
    slow = judged(late, start, by=rule("PC"), until=120)

    assert fired(quick) == []
    assert ("PRECOOL_SLOW_WARN", 0, 60, 90) in spells(slow)


def test_a_probe_taken_away_after_the_cooling_was_done_changes_nothing_of_it() -> None:
    pulp = series("p1", "product_temperature")
    rest = series("p2", "product_temperature")

    judgement = judged(
        {pulp: steady(12, 600, quantity="product_temperature"),
         rest: steady(2, 600, quantity="product_temperature")},
        act(0, "precool_started", start_c=20, medium_c=2, allowed_h=3),
        act(240, "precool_done"),
        act(400, "probe_removed", probe="p1"),
        by=rule("PC"),
        until=600,
    )  # fmt: skip

    assert ("PRECOOL_SLOW_WARN", 0.0, 180.0, 240.0) in spells(judgement)
