"""Limit rules: breach, delay, clearing, gaps, the excursion behind an alarm."""

from domain.judgement import Action
from domain.reading import Columns
from tests.unit.domain.rooms import (
    MINUTE_MS,
    act,
    fired,
    judged,
    line,
    minute,
    points,
    rule,
    series,
    spells,
    steady,
    the,
)


def then(*parts: Columns) -> Columns:
    """Columns one after the other."""
    out = Columns()
    for part in parts:
        out.at_ms.extend(part.at_ms)
        out.count.extend(part.count)
        out.quality.extend(part.quality)
    return out


def test_exactly_at_the_limit_is_inside_for_ever() -> None:
    assert fired(judged(steady(4.0, 300), until=300)) == []


def test_an_alarm_fires_at_the_first_sample_whose_delay_has_run() -> None:
    assert fired(judged(steady(4.01, 30), until=30)) == [(30, "WARN_HIGH")]


def test_before_the_delay_has_run_there_is_nothing() -> None:
    assert fired(judged(steady(4.01, 25), until=29)) == []


def test_one_sample_inside_starts_the_timer_anew() -> None:
    readings = then(steady(5, 20), points([(25, 4.0)]), steady(5, 55, start=30))

    assert fired(judged(readings, until=55)) == []


def test_two_samples_in_a_row_clear_and_the_second_ends_it() -> None:
    readings = then(steady(5, 30), points([(35, 3.5), (40, 3.6), (45, 3.5), (50, 3.5)]))

    assert spells(judged(readings, until=50)) == [("WARN_HIGH", 0, 30, 50)]


def test_frost_by_the_who_rule_fires_at_exactly_minus_half_a_degree() -> None:
    judgement = judged(steady(-0.5, 60), by=rule("VX"), until=60)

    assert (60, "WHO_FREEZE") in fired(judgement)


def test_a_gap_of_exactly_three_intervals_is_none() -> None:
    readings = then(steady(5, 10), steady(5, 30, start=25))

    assert fired(judged(readings, until=30)) == [(30, "WARN_HIGH")]


def test_a_longer_gap_drops_the_timer_and_leaves_an_active_alarm() -> None:
    dropped = then(steady(5, 10), steady(5, 50, start=26))
    going_on = then(steady(5, 30), steady(5, 70, start=60))

    assert (51, "WARN_HIGH") not in fired(judged(dropped, until=50))
    assert the("WARN_HIGH", judged(going_on, until=70)).cleared_at_ms is None


def test_a_gap_starts_the_clearing_anew() -> None:
    readings = then(steady(5, 30), points([(35, 3.0), (60, 3.0), (65, 3.0)]))

    assert minute(the("WARN_HIGH", judged(readings, until=65)).cleared_at_ms) == 65


def test_what_lies_in_a_gap_is_unknown_and_counts_no_degrees() -> None:
    readings = then(steady(5, 30), points([(50, 5.0), (55, 3.0), (60, 3.0)]))

    fact = the("WARN_HIGH", judged(readings, until=60))

    assert fact.minutes_unknown == 20
    assert fact.degree_minutes == 30 + 5


def test_a_gap_in_which_an_alarm_is_ended_is_unknown_up_to_that_end() -> None:
    # Alarm decisions 14, 27: 40 and 60 min are neighbours more than three intervals apart.
    ended = act(50, "standby_started")
    before, after = steady(8, 40), steady(8, 80, start=60)

    critical = the("CRIT_HIGH", judged(then(before, after), ended, until=80))
    heard_in_time = the("CRIT_HIGH", judged(then(before, steady(8, 80, 55)), ended, until=80))
    never_again = the("CRIT_HIGH", judged(before, ended, until=80))
    cold = the(
        "CRIT_CHILL_CUM",
        judged(
            then(steady(8, 1440), steady(8, 1500, start=1460)),
            act(1450, "maintenance_started", reason="fan"),
            by=rule("CU"),
            until=1500,
        ),
    )

    assert (critical.degree_minutes, critical.minutes_unknown) == (4 * 40, 10)
    assert (heard_in_time.degree_minutes, heard_in_time.minutes_unknown) == (4 * 50, 0)
    assert (never_again.degree_minutes, never_again.minutes_unknown) == (4 * 50, 0)
    assert (cold.degree_minutes, cold.minutes_unknown) == (2 * 1440, 10)


def test_the_excursion_of_a_critical_begins_where_the_warning_limit_was_passed() -> None:
    readings = then(steady(5, 20), steady(8, 55, start=25))

    fact = the("CRIT_HIGH", judged(readings, until=55))

    assert minute(fact.began_at_ms) == 25
    assert fact.degree_minutes == 25 * 1 + 30 * 4


def test_a_dropped_timer_lends_its_samples_to_no_later_excursion() -> None:
    """Garlic freezes (-2) above the low warning limit (-3): -2.5 keeps a timer of frost running
    and still parts two excursions (alarm decisions 25, 26)."""
    air = points([(0, -9), (5, -2.5), *((m, -6) for m in range(10, 60, 5))])
    change = act(30, "rule_changed", overrides={"CRIT_FREEZE": {"delay_min": 5}})

    found = judged(air, change, by=rule("AM", "garlic_bulb"), until=55)

    first, second = [f for f in found.facts if f.code == "CRIT_FREEZE"]
    assert (first.peak, first.degree_minutes) == (-900, 6 * 5 + 3 * 20)
    assert (minute(second.fired_at_ms), second.peak) == (35, -600)
    assert second.degree_minutes == 3 * 45


def test_the_worst_probe_decides_and_overlapping_alarms_are_one() -> None:
    readings = {
        series("a"): then(steady(5, 40), steady(3, 60, start=45)),
        series("b"): then(steady(3, 5), steady(6, 50, start=10), steady(3, 60, start=55)),
    }

    judgement = judged(readings, until=60)

    assert spells(judgement) == [("WARN_HIGH", 0, 30, 60)]
    assert the("WARN_HIGH", judgement).peak == 600
    assert the("WARN_HIGH", judgement).degree_minutes == 45 * 2  # of b, the larger


def test_alarms_that_only_touch_stay_two() -> None:
    readings = {
        series("a"): then(steady(5, 30), steady(3, 60, start=35)),
        series("b"): then(steady(3, 5), steady(5, 45, start=10), steady(3, 60, start=50)),
    }

    assert spells(judged(readings, until=60)) == [
        ("WARN_HIGH", 0, 30, 40),
        ("WARN_HIGH", 10, 40, 55),
    ]


def test_out_of_the_vaccine_band_on_either_side_is_one_alarm() -> None:
    readings = points([(0, 5), (5, 8.4), (10, 1.2), (15, 2.5), (20, 7.5)])

    fact = the("GSP_OUT", judged(readings, by=rule("VX"), until=20))

    assert (fact.peak, minute(fact.fired_at_ms), minute(fact.cleared_at_ms)) == (120, 5, 20)
    assert fact.degree_minutes == 5 * 0.4 + 5 * 0.8


def test_a_changed_limit_closes_the_alarm_and_starts_a_new_timer_at_the_change() -> None:
    change = act(42, "rule_changed", overrides={"WARN_HIGH": {"limit_c": 4.5}})

    assert spells(judged(steady(5, 80), change, until=80)) == [
        ("WARN_HIGH", 0, 30, 42),
        ("WARN_HIGH", 45, 75, None),
    ]


def test_a_change_elsewhere_leaves_a_rule_running() -> None:
    change = act(42, "rule_changed", overrides={"CRIT_HIGH": {"delay_min": 60}})

    assert spells(judged(steady(5, 60), change, until=60)) == [("WARN_HIGH", 0, 30, None)]


def test_a_rule_version_of_the_records_does_the_same() -> None:
    later = rule("SB", from_ms=judgement_minute(42), WARN_HIGH={"limit_c": 4.5})

    assert spells(judged(steady(5, 80), by=[rule("SB"), later], until=80)) == [
        ("WARN_HIGH", 0, 30, 42),
        ("WARN_HIGH", 45, 75, None),
    ]


def judgement_minute(minutes: int) -> int:
    return points([(minutes, 0)]).at_ms[0]


def test_taking_the_probe_away_closes_its_alarms_and_it_starts_anew() -> None:
    judgement = judged(steady(5, 80), act(42, "probe_removed", probe="p1"), until=80)

    assert spells(judgement) == [("WARN_HIGH", 0, 30, 42), ("WARN_HIGH", 45, 75, None)]


def test_the_dose_counts_through_a_gap_and_fires_once() -> None:
    cold = then(steady(9.5, 12 * 60), steady(9.5, 40 * 60, start=20 * 60))

    fact = the("CRIT_CHILL_CUM", judged(cold, by=rule("CU"), until=40 * 60))

    # 145 samples of one interval each by 12:00; 143 more from 20:00 on.
    assert minute(fact.fired_at_ms) == 20 * 60 + 142 * 5
    assert minute(fact.began_at_ms) == 0


def test_the_dose_begins_again_with_new_goods() -> None:
    lots = [act(0, "lot_in", lot="a"), act(600, "lot_out", lot="a"), act(700, "lot_in", lot="b")]

    judgement = judged(steady(9.5, 1700), *lots, by=rule("CU"), until=1700)

    assert [code for _, code in fired(judgement)] == ["WARN_CHILL"]


def test_humidity_warns_after_six_hours_outside_the_common_band() -> None:
    readings = {series("h", "humidity"): steady(80, 420, quantity="humidity")}

    judgement = judged(readings, by=rule("SB", "strawberry"), until=420)

    assert spells(judgement) == [("WARN_RH", 0, 360, None)]
    assert the("WARN_RH", judgement).peak is None


def test_a_line_down_fires_the_low_side_in_its_order() -> None:
    judgement = judged(line((0, 0.5), (80, -3.5)), until=45)

    assert fired(judgement) == [(35, "WARN_LOW"), (40, "CRIT_FREEZE")]


def test_a_sample_at_the_very_end_of_an_alarm_counts_for_its_peak() -> None:
    readings = then(steady(8, 40), steady(11, 60, start=45))
    judgement = judged(readings, act(45, "standby_started"), until=60)

    assert the("CRIT_HIGH", judgement).peak == 1100
    assert the("CRIT_HIGH", judgement).degree_minutes == 4 * 45


def test_a_sample_at_the_moment_its_probe_is_removed_ends_with_it_and_starts_nothing() -> None:
    readings = then(steady(8, 55), points([(60, 16)]))
    judgement = judged(readings, act(60, "probe_removed", probe="p1"), until=180)

    assert spells(judgement) == [("CRIT_HIGH", 0, 30, 60), ("WARN_HIGH", 0, 30, 60)]
    assert the("CRIT_HIGH", judgement).peak == 1600


def slow(minute_: float, lag_min: float, probe: str = "p1") -> Action:
    return act(minute_, "probe_lag", probe=probe, lag_ms=round(lag_min * MINUTE_MS))


def test_a_buffered_probes_lag_is_taken_off_its_delays_and_off_nobody_elses() -> None:
    both = {series("p1"): steady(5, 60), series("p2"): steady(5, 60)}

    assert spells(judged(steady(5, 60), slow(-10, 15), until=60)) == [("WARN_HIGH", 0, 15, None)]
    assert fired(judged(both, slow(-10, 15, "p2"), until=60)) == [(15, "WARN_HIGH")]
    assert fired(judged({series("p1"): steady(5, 60)}, slow(-10, 15, "p2"), until=60)) == [
        (30, "WARN_HIGH")
    ]


def test_no_lag_makes_a_delay_shorter_than_one_interval() -> None:
    assert fired(judged(steady(5, 60), slow(-10, 59), until=60)) == [(5, "WARN_HIGH")]


def test_what_copies_an_outside_rule_keeps_its_delay_whatever_the_probe() -> None:
    judgement = judged(steady(-0.5, 70), slow(-10, 15), by=rule("VX"), until=70)

    assert (60, "WHO_FREEZE") in fired(judgement)


def test_new_papers_count_from_their_own_instant() -> None:
    """At 40 min the delay becomes another: the alarm closes there, a new timer starts."""
    judgement = judged(steady(5, 90), slow(42, 15), until=90)

    assert spells(judgement) == [("WARN_HIGH", 0, 30, 42), ("WARN_HIGH", 45, 60, None)]


def test_each_sample_of_an_excursion_is_measured_by_the_limits_of_its_own_instant() -> None:
    # Alarm decisions 25, 26: the warning limit goes from 4 to 6 amid an excursion, whose critical
    # limit stays. What was measured before the change is not measured anew by it.
    air = points([(m, 5.0) for m in range(0, 45, 5)] + [(m, 8.0) for m in range(45, 80, 5)])
    change = act(42, "rule_changed", overrides={"WARN_HIGH": {"limit_c": 6}})

    found = judged(air, change, until=75)

    (crit,) = [f for f in found.facts if f.code == "CRIT_HIGH"]
    assert (minute(crit.began_at_ms), minute(crit.fired_at_ms)) == (45, 75)
    assert crit.degree_minutes == 45 * 1.0 + 30 * 2.0
    (warn,) = [f for f in found.facts if f.code == "WARN_HIGH" and f.cleared_at_ms is not None]
    assert (minute(warn.fired_at_ms), minute(warn.cleared_at_ms)) == (30, 42)
    assert warn.degree_minutes == 42 * 1.0


def test_an_earlier_sample_that_the_old_limit_allowed_begins_no_excursion_under_the_new_one() -> (
    None
):
    air = points([(m, 5.0) for m in range(0, 45, 5)] + [(m, 8.0) for m in range(45, 80, 5)])
    change = act(42, "rule_changed", overrides={})

    found = judged(air, change, by=rule(WARN_HIGH={"limit_c": 6}), until=75)

    (crit,) = [f for f in found.facts if f.code == "CRIT_HIGH"]
    assert crit.degree_minutes == 30 * 4.0, "5.0 was within the limit of then"
