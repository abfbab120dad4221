"""Sensors, batteries, machines and mains: what alarms before the temperature does."""

from domain.judgement import Judgement
from domain.reading import Columns, Quality
from tests.unit.domain.rooms import (
    act,
    at,
    columns,
    fired,
    judged,
    line,
    points,
    rule,
    series,
    spells,
    steady,
    the,
)

MAINS = series("m", "mains")


def flags(judgement: Judgement) -> list[str]:
    return [flag.reason for flag in judgement.flags]


def test_a_jump_that_comes_back_is_set_aside() -> None:
    judgement = judged(points([(0, 2), (5, 12), (10, 12), (15, 2.5)]), until=15)

    assert flags(judgement) == ["SENSOR_JUMP", "SENSOR_JUMP"]


def test_a_step_that_stays_is_a_valid_step() -> None:
    judgement = judged(points([(0, 2), (5, 12), (10, 12), (15, 12)]), until=15)

    assert flags(judgement) == []


def test_a_step_is_no_jump_before_its_return_is_known() -> None:
    assert flags(judged(points([(0, 2), (5, 12), (10, 2)]), until=9)) == []


def test_a_step_of_exactly_eight_degrees_is_no_jump() -> None:
    assert flags(judged(points([(0, 2), (5, 10), (10, 2)]), until=10)) == []


def test_different_values_of_one_key_are_both_refused() -> None:
    readings = columns([(at(0), 200, 0), (at(0), 900, 0), (at(5), 200, 0)])

    judgement = judged(readings, until=5)

    assert flags(judgement) == ["CONFLICT"]


def test_a_sample_whose_time_is_only_an_interval_is_not_judged() -> None:
    readings = points([(i * 5, 9) for i in range(10)], quality=Quality.INTERVAL_ONLY)

    assert judged(readings, until=45).facts == ()


def test_readings_out_of_range_twice_in_a_row_are_a_fault() -> None:
    readings = points([(0, 2), (5, 85), (10, 2), (15, -127), (20, -127), (25, 2), (30, 2)])

    judgement = judged(readings, until=30)

    assert ("SENSOR_RANGE", 15, 20, 30) in spells(judgement)
    assert the("SENSOR_RANGE", judgement).level == "critical"


def test_another_probe_that_still_measures_makes_the_fault_a_warning() -> None:
    readings = {series("a"): points([(0, -127), (5, -127)]), series("b"): points([(0, 2)])}

    assert the("SENSOR_RANGE", judged(readings, until=5)).level == "warning"


def test_a_broken_probe_in_an_empty_room_is_a_warning() -> None:
    lots = [act(0, "lot_in", lot="a"), act(1, "lot_out", lot="a")]

    judgement = judged(points([(5, -127), (10, -127)]), *lots, until=10)

    assert the("SENSOR_RANGE", judgement).level == "warning"


def test_a_store_for_tuna_may_be_colder_than_45_below() -> None:
    readings = points([(0, -60), (5, -60)])

    assert flags(judged(readings, by=rule("FZ", "tuna_ultra_low"), until=5)) == []
    assert flags(judged(readings, by=rule("FZ"), until=5)) == ["SENSOR_RANGE"] * 2


def test_a_flat_probe_beside_one_that_moved_is_stuck() -> None:
    readings = {series("a"): steady(2, 400), series("b"): line((0, 1.0), (200, 2.5), (400, 1.0))}

    assert (360, "SENSOR_STUCK") in fired(judged(readings, until=400))


def test_a_flat_probe_in_a_flat_room_is_not_stuck() -> None:
    readings = {series("a"): steady(2, 400), series("b"): steady(2.4, 400)}

    assert fired(judged(readings, until=400)) == []


def test_a_stuck_probe_that_moves_again_is_cleared() -> None:
    readings = {
        series("a"): columns(
            [*zip(steady(2, 365).at_ms, [200] * 74, [0] * 74, strict=True), (at(370), 230, 0)]
        ),
        series("b"): line((0, 1.0), (200, 2.5), (400, 1.0)),
    }

    assert ("SENSOR_STUCK", 0, 360, 370) in spells(judged(readings, until=400))


def test_a_probe_far_from_the_median_for_half_an_hour_disagrees() -> None:
    readings = {
        series("a"): steady(-1, 40),
        series("b"): steady(2.1, 40),
        series("c"): steady(2.2, 40),
    }

    judgement = judged(readings, until=40)

    assert (30, "SENSOR_DISAGREE") in fired(judgement)


def test_of_two_probes_the_median_lies_between_them() -> None:
    readings = {series("a"): steady(-1, 40), series("b"): steady(3, 40)}

    assert (30, "SENSOR_DISAGREE") not in fired(judged(readings, until=40))


def test_the_highest_of_a_day_decides_whether_a_battery_is_low() -> None:
    readings = {
        series("a", "battery"): points([(0, 30), (60, 18), (1440, 18), (1450, 9)], "battery")
    }

    assert spells(judged(readings, until=1500)) == [("LOW_BATTERY_WARN", 1440, 1440, None)]


def test_what_a_battery_showed_before_maintenance_still_counts() -> None:
    readings = {series("a", "battery"): points([(0, 30), (100, 18)], "battery")}
    mending = [act(10, "maintenance_started"), act(60, "maintenance_ended")]

    assert judged(readings, *mending, until=120).facts == ()


def test_maintenance_ends_a_low_battery_and_it_comes_back_with_the_next_reading() -> None:
    readings = {series("a", "battery"): points([(0, 18), (30, 18), (100, 18)], "battery")}
    mending = [act(10, "maintenance_started"), act(60, "maintenance_ended")]

    assert spells(judged(readings, *mending, until=120)) == [
        ("LOW_BATTERY_WARN", 0, 0, 10),
        ("LOW_BATTERY_WARN", 100, 100, None),
    ]


def test_a_new_battery_clears_at_once() -> None:
    readings = {series("a", "battery"): points([(0, 8), (60, 14), (70, 15), (80, 25)], "battery")}

    assert spells(judged(readings, until=90)) == [
        ("LOW_BATTERY_CRIT", 0, 0, 70),
        ("LOW_BATTERY_WARN", 0, 0, 80),
    ]


def test_a_dip_of_exactly_two_minutes_leaves_no_alarm() -> None:
    assert judged({MAINS: points([(0, 0), (2, 1)], "mains")}, until=60).facts == ()


def test_a_power_loss_is_critical_after_an_hour_at_the_latest() -> None:
    judgement = judged({MAINS: points([(0, 0), (70, 1)], "mains")}, until=90)

    assert spells(judgement) == [
        ("POWER_LOSS_WARN", 0, 2, 70),
        ("POWER_LOSS_CRIT", 0, 60, 70),
    ]


def test_hot_air_outside_makes_it_critical_when_it_is_measured() -> None:
    readings = {
        MAINS: points([(0, 0)], "mains"),
        series("x", "ambient_temperature"): points([(0, 20), (40, 25.01)], "ambient_temperature"),
    }

    assert (40, "POWER_LOSS_CRIT") in fired(judged(readings, until=90))


def test_ambient_of_any_age_counts_from_the_thirtieth_minute() -> None:
    readings = {
        MAINS: points([(600, 0)], "mains"),
        series("x", "ambient_temperature"): points([(0, 30)], "ambient_temperature"),
    }

    assert (630, "POWER_LOSS_CRIT") in fired(judged(readings, until=700))


def test_a_hole_in_the_record_is_an_alarm_by_event_time() -> None:
    readings = columns(
        [*zip(steady(2, 10).at_ms, [200] * 3, [0] * 3, strict=True), (at(90), 200, 0)]
    )

    judgement = judged(readings, until=90)

    assert spells(judgement) == [("DATA_GAP_WARN", 10, 25, 90), ("DATA_GAP_CRIT", 10, 70, 90)]


def test_a_hole_of_exactly_three_intervals_is_none() -> None:
    assert judged(points([(0, 2), (15, 2)]), until=15).facts == ()


def test_a_probe_that_was_taken_away_is_not_missed() -> None:
    assert judged(steady(2, 10), act(20, "probe_removed", probe="p1"), until=200).facts == ()


def test_a_compressor_that_does_not_start_when_it_is_wanted_is_an_alarm() -> None:
    readings = {
        series(): steady(3.9, 30),
        series("c", "compressor"): points([(0, 0)], "compressor"),
        series("c", "setpoint"): points([(0, 1.9)], "setpoint"),
    }

    assert (15, "COMP_NO_START") in fired(judged(readings, until=30))


def test_without_mains_nothing_is_asked_of_the_compressor() -> None:
    readings = {
        series(): steady(3.9, 30),
        series("c", "compressor"): points([(0, 0)], "compressor"),
        series("c", "setpoint"): points([(0, 1.9)], "setpoint"),
        MAINS: points([(0, 0), (1, 0)], "mains"),
    }

    assert (15, "COMP_NO_START") not in fired(judged(readings, until=30))


def test_a_compressor_that_runs_six_hours_without_reaching_the_set_point() -> None:
    readings = {
        series(): points([(i * 5, 2.0 if i == 12 else 3.0) for i in range(100)]),
        series("c", "compressor"): points([(0, 1)], "compressor"),
        series("c", "setpoint"): points([(0, 2)], "setpoint"),
    }

    assert spells(judged(readings, until=495)) == [("COMP_NEVER_STOPS", 60, 420, None)]


def rising(until: float, **more: Columns) -> Judgement:
    """2 degC, 1.5 degC an hour upwards."""
    readings = {series(): line((0, 2.0), (300, 9.5))}
    readings |= {series("s", quantity): found for quantity, found in more.items()}
    return judged(readings, until=until)


def test_a_slow_rise_is_foretold_once_it_passes_the_warning_limit() -> None:
    assert fired(rising(95)) == [(80, "PREDICT_HIGH")]


def test_a_stopped_plant_opens_the_gate_earlier() -> None:
    judgement = rising(65, compressor=points([(0, 0)], "compressor"))

    assert (60, "PREDICT_HIGH") not in fired(judgement)  # 3.5 + 2 × 1.5 is below 7
    assert fired(rising(85, compressor=points([(0, 0)], "compressor"))) == [(80, "PREDICT_HIGH")]


def test_a_door_that_opens_with_the_very_sample_keeps_the_forecast_back() -> None:
    stays_open = rising(80, door=points([(80, 1)], "door"))
    one_sample_later = rising(80, door=points([(85, 1)], "door"))

    assert (80, "PREDICT_HIGH") not in fired(stays_open)
    assert (80, "PREDICT_HIGH") in fired(one_sample_later)


def test_a_door_that_closed_exactly_45_minutes_ago_does_not_count() -> None:
    assert (80, "PREDICT_HIGH") in fired(rising(80, door=points([(31, 1), (35, 0)], "door")))
    assert (80, "PREDICT_HIGH") not in fired(rising(80, door=points([(31, 1), (36, 0)], "door")))


def test_a_prediction_ends_with_the_second_sample_that_no_longer_rises() -> None:
    readings = line((0, 2.0), (90, 4.25), (150, 4.25))

    (_, began, first, cleared) = next(
        s for s in spells(judged(readings, until=150)) if s[0] == "PREDICT_HIGH"
    )

    assert (began, first) == (80, 80)
    assert cleared is not None
    assert 100 < cleared <= 120


def test_falling_towards_frost_is_foretold_from_the_low_warning_on() -> None:
    judgement = judged(line((0, 1.0), (120, -1.0)), until=60)

    assert (60, "PREDICT_FREEZE") in fired(judgement)
