"""A defrost that no controller tells of is known by its habit, and by nothing less."""

import random

from domain.judgement import Fact
from domain.profile import MINUTE_MS
from domain.span import Sample
from domain.usual_defrost import (
    DAY_MS,
    LONGEST_MS,
    HeldBack,
    Rise,
    Usual,
    habits,
    like,
    rises,
    usual,
)
from tests.unit.domain.rooms import NOON_MS, columns, series

GAP_MS = 15 * MINUTE_MS
SHAPE = (0, 250, 500, 700, 550, 300, 80)  # every five minutes: up seven degrees, back in 30 min


def days(
    *, at_min: int = 180, skip: tuple[int, ...] = (), late: int = 0, hotter: int = 0
) -> list[Sample]:
    """Eight days at -18, with a defrost each day at that minute of the day."""
    out: list[Sample] = []
    for day in range(8):
        for minute in range(0, 1440, 5):
            step = (minute - at_min - (late if day % 2 else 0)) // 5
            rise = SHAPE[step] if 0 <= step < len(SHAPE) and day not in skip else 0
            peak = hotter if rise == max(SHAPE) and day % 2 else 0
            out.append((NOON_MS + day * DAY_MS + minute * MINUTE_MS, -1800 + rise + peak))
    return out


NOW_MS = NOON_MS + 8 * DAY_MS


def test_a_rise_begins_where_it_left_and_ends_where_it_came_back() -> None:
    first = NOON_MS + 180 * MINUTE_MS

    assert rises(days(), GAP_MS)[0] == Rise(first, first + 30 * MINUTE_MS, -1100)


def test_what_recurs_on_five_of_seven_days_is_a_habit_and_on_four_it_is_not() -> None:
    five = usual(rises(days(skip=(2, 5)), GAP_MS), NOW_MS)
    four = usual(rises(days(skip=(2, 4, 5)), GAP_MS), NOW_MS)

    assert [(p.at_ms, p.peak, p.days) for p in five] == [
        ((NOON_MS + 180 * MINUTE_MS) % DAY_MS, -1100, 5)
    ]
    assert four == []


def test_a_quarter_of_an_hour_later_is_a_similar_time_and_half_an_hour_is_another() -> None:
    assert len(usual(rises(days(late=15), GAP_MS), NOW_MS)) == 1
    assert usual(rises(days(late=30), GAP_MS), NOW_MS) == []


def test_peaks_further_apart_than_one_and_a_half_degrees_are_not_one_habit() -> None:
    assert len(usual(rises(days(hotter=150), GAP_MS), NOW_MS)) == 1
    assert usual(rises(days(hotter=160), GAP_MS), NOW_MS) == []


def test_a_rise_that_takes_longer_than_45_minutes_is_no_defrost() -> None:
    slow = [(NOON_MS + m * MINUTE_MS, -1800 + (500 if 0 < m < 50 else 0)) for m in range(0, 90, 5)]

    assert rises(slow, GAP_MS) == []


def test_the_thermostat_is_no_defrost_though_it_rises_every_hour() -> None:
    swing = [
        (NOON_MS + m * MINUTE_MS, -1800 + (400 if m % 60 == 30 else 0))
        for m in range(0, 8 * 1440, 5)
    ]

    assert usual(rises(swing, GAP_MS), NOW_MS) == []


def test_the_order_in_which_readings_came_changes_nothing() -> None:
    came = days(skip=(3,))
    random.Random(7).shuffle(came)  # noqa: S311 - an order, not a secret

    assert usual(rises(sorted(came), GAP_MS), NOW_MS) == usual(
        rises(days(skip=(3,)), GAP_MS), NOW_MS
    )


def test_only_what_is_as_warm_and_as_short_and_at_that_time_looks_like_it() -> None:
    habit = usual(rises(days(), GAP_MS), NOW_MS)
    usual_ms = NOW_MS + 180 * MINUTE_MS

    assert like(habit, usual_ms, -1000, 30 * MINUTE_MS) is not None
    assert like(habit, usual_ms, -940, 30 * MINUTE_MS) is None  # 1.6 above
    assert like(habit, usual_ms, -1000, 46 * MINUTE_MS) is None
    assert like(habit, usual_ms + 90 * MINUTE_MS, -1000, 30 * MINUTE_MS) is None


def test_a_probe_that_speaks_every_ten_seconds_teaches_the_same_habit() -> None:
    every_ten = [
        (at + s * 1000, count) for at, count in days() for s in range(0, 300, 10)
    ]  # each value holds for its five minutes
    habit = habits({series(): columns((at, c, 0) for at, c in every_ten)}, 30_000 * 5, NOW_MS)

    assert [(p.peak, p.days) for p in habit] == [(-1100, 7)]


def test_a_room_that_tells_of_its_defrosts_has_no_habits_and_bad_readings_teach_none() -> None:
    readings = {series(): columns((at, c, 0) for at, c in days())}
    flag = {series("d", "defrost"): columns([(NOON_MS, 0, 0)])}

    assert habits(readings, GAP_MS, NOW_MS) != []
    assert habits({**readings, **flag}, GAP_MS, NOW_MS) == []
    assert habits({series(): columns((at, c, 16) for at, c in days())}, GAP_MS, NOW_MS) == []


def swinging(by: int, *, defrost: int) -> list[Sample]:
    """A thermostat that swings every hour, and a defrost at one minute of the day."""
    out = []
    for day in range(8):
        for minute in range(0, 1440, 5):
            low = 200 + (by if minute % 60 == 30 else 0)
            at_ms = NOON_MS + day * DAY_MS + minute * MINUTE_MS
            out.append((at_ms, low + defrost if 185 <= minute < 200 else low))
    return out


def test_a_defrost_of_two_degrees_is_known_where_the_thermostat_swings_by_less() -> None:
    calm = {series(): columns((at, c, 0) for at, c in swinging(100, defrost=240))}
    restless = {series(): columns((at, c, 0) for at, c in swinging(240, defrost=240))}

    assert [(p.peak, p.days) for p in habits(calm, GAP_MS, NOW_MS)] == [(440, 7)]
    assert habits(restless, GAP_MS, NOW_MS) == []


def test_a_busy_door_is_not_taken_for_the_thermostat() -> None:
    rows = dict(days())
    openings = []
    for day in range(8):
        for hour in range(6, 22):  # each warms the room by five degrees for a few minutes
            at_ms = NOON_MS + day * DAY_MS + (hour * 60 + 7 * day) * MINUTE_MS
            rows[at_ms // (5 * MINUTE_MS) * 5 * MINUTE_MS + 5 * MINUTE_MS] = -1300
            openings += [(at_ms, 1, 0), (at_ms + MINUTE_MS, 0, 0)]
    readings = {series(): columns((at, c, 0) for at, c in rows.items())}
    contact = {series("d", "door"): columns(openings)}

    assert habits(readings, GAP_MS, NOW_MS) == []
    assert any(p.days >= 5 for p in habits({**readings, **contact}, GAP_MS, NOW_MS))


def test_a_warning_like_the_usual_defrost_waits_45_minutes_and_the_habit_is_asked_for_once() -> (
    None
):
    asked = []

    def habits_at(at_ms: int) -> list[Usual]:
        asked.append(at_ms)
        return [Usual(NOW_MS % DAY_MS, -1100, 7)]

    held_back = HeldBack(habits_at)
    facts = [
        Fact(code, "warning", NOW_MS, NOW_MS + 15 * MINUTE_MS, None, -1150, 0, 0)
        for code in ("WARN_HIGH", "CRIT_HIGH")
    ]

    assert held_back.until(facts, NOW_MS) == {}  # not fired
    for minute in (15, 44):
        waiting = held_back.until(facts, NOW_MS + minute * MINUTE_MS)
        assert waiting == {"WARN_HIGH": NOW_MS + LONGEST_MS}
    assert held_back.until(facts, NOW_MS + LONGEST_MS) == {}
    assert asked == [NOW_MS]


def test_a_warning_that_is_over_at_the_very_end_of_the_wait_is_not_told_either() -> None:
    held_back = HeldBack(lambda _at: [Usual(NOW_MS % DAY_MS, -1100, 7)])
    end_ms = NOW_MS + LONGEST_MS

    def ended(cleared_ms: int) -> Fact:
        return Fact("PREDICT_HIGH", "warning", NOW_MS, NOW_MS, cleared_ms, None, 0, 0)

    assert held_back.until([ended(end_ms)], end_ms) == {"PREDICT_HIGH": end_ms}
    assert held_back.until([ended(end_ms + 1)], end_ms) == {}
    assert held_back.until([ended(end_ms)], end_ms + 1) == {}
