"""What an explanation says of an instant is what the judgement does there and after it."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.engine import RoomEngine
from domain.explain import SHOWN_MS, Explanation, RuleState, explain
from domain.judgement import Action, Asked, Rule
from domain.outlook import AHEAD_MS, REPEATED
from domain.reading import Columns, Series
from domain.reason import sentence
from domain.room import judge
from domain.suppression import off_by, paused_by
from tests.unit.domain.rooms import (
    NOON_MS,
    MadeUp,
    act,
    at,
    columns,
    line,
    minute,
    points,
    rule,
    series,
    steady,
)
from tests.unit.domain.test_engine import between

Readings = Mapping[Series, Columns]


def explained(
    readings: Readings | Columns,
    *actions: Action,
    by: Rule | Sequence[Rule] | None = None,
    until: float | None = None,
    at_ms: int = 0,
    engine: RoomEngine | None = None,
) -> Explanation:
    """At a minute, or at an instant in ms."""
    if isinstance(readings, Columns):
        readings = {series(): readings}
    found = readings
    rules = [rule()] if by is None else [by] if isinstance(by, Rule) else by
    instant = at_ms if until is None else at(until)

    def read(from_ms: int, to_ms: int) -> Readings:
        return {of: between(rows, from_ms, to_ms) for of, rows in found.items()}

    engine = engine or RoomEngine(rules, actions)
    standing, judgement = engine.stand(instant, SHOWN_MS, read)
    return explain(standing, judgement, read(instant - SHOWN_MS + 1, instant + 1))


def the(code: str, explanation: Explanation) -> RuleState:
    found = explanation.state_of(code)
    assert found is not None, code
    return found


def said(code: str, explanation: Explanation, lang: str = "en") -> str:
    return sentence(the(code, explanation), lang, lambda ms: f"{minute(ms):g}")


# --- single rules


def test_a_running_timer_says_since_when_and_until_when() -> None:
    found = explained(points([(0, 3.0), (5, 4.6), (10, 4.6), (15, 4.6)]), until=17)

    warm = the("WARN_HIGH", found)
    assert (warm.status, minute(warm.since_ms), minute(warm.due_ms)) == ("pending", 5, 35)
    assert said("WARN_HIGH", found) == (
        "4.60 °C at 15. Above 4.00 °C since 5. It fires if it stays above 4.00 °C until 35."
    )
    assert said("WARN_HIGH", found, "zh") == (
        "15 为 4.60 °C。自 5 起高于 4.00 °C。若持续到 35，则触发。"
    )


def test_what_fires_says_why_and_what_would_end_it() -> None:
    found = explained(steady(8, 60), until=60)

    assert said("CRIT_HIGH", found) == (
        "Above 7.00 °C since 0 for 30 min: fired at 30, peak 8.00 °C. 8.00 °C at 60. "
        "It ends when: two readings in a row are at or below 6.50 °C."
    )


def test_a_calm_rule_says_what_an_alarm_would_need() -> None:
    found = explained(steady(3, 60), until=60)

    assert the("WARN_HIGH", found).status == "calm"
    assert said("WARN_HIGH", found) == (
        "3.00 °C at 60. An alarm needs: above 4.00 °C for 30 min without a break."
    )
    assert said("CEILING", found).endswith("An alarm needs: one reading above 15.00 °C.")


def test_a_door_makes_a_warning_wait_and_the_time_after_it_is_told() -> None:
    readings = {series(): steady(9, 60), series("d", "door"): points([(57, 1)], "door")}
    found = explained(readings, by=rule(WARN_HIGH={"delay_min": 120}), until=60)

    warm = the("WARN_HIGH", found)
    assert (warm.status, [p.cause for p in warm.causes]) == ("paused", ["door"])
    assert minute(warm.due_ms) == 70 + 120
    assert "Waits because of an open door (57 to 67 at the latest)." in said("WARN_HIGH", found)
    assert the("CRIT_HIGH", found).status == "firing"


@pytest.mark.parametrize(
    ("kind", "code", "cause"),
    [
        pytest.param("standby_started", "CEILING", "standby", id="standby"),
        pytest.param("maintenance_started", "CRIT_HIGH", "maintenance", id="maintenance"),
        pytest.param("precool_started", "WARN_HIGH", "precool", id="precool"),
    ],
)
def test_what_people_switched_off_names_them(kind: str, code: str, cause: str) -> None:
    detail: dict[str, Any] = (
        {"start_c": 20, "medium_c": 2, "allowed_h": 3} if cause == "precool" else {}
    )
    found = explained(steady(9, 60), act(5, kind, **detail), until=60)

    state = the(code, found)
    assert (state.status, [p.cause for p in state.causes]) == ("off", [cause])


def test_pre_cooling_moves_the_ceiling_and_says_when_it_would_ring_afterwards() -> None:
    cooling = act(0, "precool_started", start_c=28, medium_c=2, allowed_h=3)
    found = explained(steady(20, 60), cooling, until=60)

    ceiling = the("CEILING", found)
    assert ceiling.limit is not None
    assert (ceiling.status, ceiling.limit.high) == ("calm", 4000)
    assert minute(ceiling.due_ms) == 24 * 60


def test_a_silent_probe_is_neither_calm_nor_hot() -> None:
    found = explained(steady(3, 60), until=80)

    assert the("WARN_HIGH", found).status == "no_data"
    assert the("DATA_GAP_WARN", found).status == "firing"
    gap = the("DATA_GAP_CRIT", found)
    assert (gap.status, minute(gap.since_ms), minute(gap.due_ms)) == ("pending", 60, 120)


def test_while_data_comes_the_gap_says_when_silence_would_ring() -> None:
    gap = the("DATA_GAP_WARN", explained(steady(3, 60), until=62))

    assert (gap.status, minute(gap.due_ms)) == ("calm", 75)


def test_a_rule_without_its_sensor_says_so() -> None:
    found = explained(steady(3, 60), until=60)

    assert the("DOOR_OPEN_WARN", found).status == "no_input"
    assert the("COMP_NO_START", found).status == "no_input"


def test_an_open_door_is_pending_and_says_when_it_rings() -> None:
    readings = {series(): steady(3, 60), series("d", "door"): points([(55, 1)], "door")}
    door = the("DOOR_OPEN_WARN", explained(readings, until=60))

    assert (door.status, minute(door.since_ms), minute(door.due_ms)) == ("pending", 55, 65)


def test_a_forecast_says_what_keeps_it_from_being_made() -> None:
    found = explained(line((0, 2.0), (60, 4.5)), until=60)
    assert the("PREDICT_HIGH", found).status == "firing"

    found = explained(line((0, 1.0), (60, 3.5)), until=60)
    trend = the("PREDICT_HIGH", found).trend
    assert trend is not None
    assert (trend.objection, round(trend.counts_an_hour, -1)) == ("within", 250)
    assert "+2.5 °C an hour" in said("PREDICT_HIGH", found)


def test_the_dose_of_cold_is_told_so_far() -> None:
    found = explained(steady(8.5, 600), by=rule("CU", "cucumber"), until=600)

    dose = the("CRIT_CHILL_CUM", found)
    assert (dose.status, dose.dose_ms) == ("pending", 605 * 60_000)
    assert minute(dose.due_ms) == 1435


def test_a_sample_that_was_set_aside_is_listed_with_the_reason() -> None:
    rows = points([(0, 2.1), (5, 2.0), (10, 85.0), (15, 2.1)])
    flagged = points([(20, 2.2)], quality=64)
    both = columns([*rows, *flagged])
    found = explained(both, until=20)

    why = {minute(one.at_ms): one.why_not for one in found.samples}
    assert why == {0: (), 5: (), 10: ("SENSOR_RANGE",), 15: (), 20: ("CALIBRATING",)}


def test_limits_name_their_origin_and_whose_property_they_are() -> None:
    found = explained(
        steady(3, 60), by=rule("SB", "strawberry", WARN_HIGH={"limit_c": 5}), until=60
    )

    freeze, warm = the("CRIT_FREEZE", found), the("WARN_HIGH", found)
    assert (freeze.book.id, freeze.commodity, freeze.book.origin.confidence) == (
        "SB.CRIT_FREEZE", "strawberry", "memory",
    )  # fmt: skip
    assert (warm.changed, freeze.changed, warm.commodity) == (True, False, "")


def test_the_delay_is_that_of_the_probe_that_decides() -> None:
    slow = act(0, "probe_lag", probe="p1", lag_ms=15 * 60_000)
    found = explained(steady(5, 10), slow, until=10)

    warm = the("WARN_HIGH", found)
    assert warm.limit is not None
    assert (warm.limit.delay_ms, minute(warm.due_ms)) == (15 * 60_000, 15)


def test_the_rule_of_that_time_is_explained_not_the_newest() -> None:
    rules = [rule(), rule(from_ms=at(100), WARN_HIGH={"limit_c": 6})]

    before = the("WARN_HIGH", explained(steady(5, 200), by=rules, until=90)).limit
    after = the("WARN_HIGH", explained(steady(5, 200), by=rules, until=150)).limit

    assert before is not None
    assert after is not None
    assert (before.high, after.high) == (400, 600)


def test_later_readings_do_not_change_how_the_room_stood() -> None:
    early = explained(steady(5, 20), until=20)
    late = explained(points([*((m, 5.0) for m in range(0, 25, 5)), (25, 2.0), (30, 2.0)]), until=20)

    assert early == late


# --- laws, on rooms made up at random


def _made_up(seed: int, samples: int) -> tuple[MadeUp, int, random.Random]:
    room = MadeUp(seed, samples)
    rnd = random.Random(seed + 1)  # noqa: S311 - an instant, no secret
    edges = [row[1] for row in room.rows] + [a.at_ms + d for a in room.actions for d in (-1, 0)]
    at_ms = NOON_MS + rnd.randrange(room.span_ms + 3_600_000)
    return room, rnd.choice(edges) if edges and rnd.random() < 0.6 else at_ms, rnd


def _of(room: MadeUp, at_ms: int) -> Explanation:
    return explained(room.readings(), *room.actions, by=room.rules, at_ms=at_ms)


def _going_on(room: MadeUp, at_ms: int) -> dict[Series, list[tuple[int, int, int]]]:
    """Every series up to the instant, then each that still speaks goes on with what it said."""
    removed = {
        a.detail["probe"]: a.at_ms
        for a in room.actions
        if a.kind == "probe_removed" and a.at_ms <= at_ms
    }
    found: dict[Series, list[tuple[int, int, int]]] = {}
    for of, all_rows in room.readings().items():
        rows = [row for row in all_rows if row[0] <= at_ms]
        found[of] = list(rows)
        sure = [row for row in rows if not row[2] & 128]
        if of.quantity not in REPEATED or not sure:
            continue
        last_ms, count, quality = sure[-1]
        if at_ms - last_ms >= 3 * room.step_ms or removed.get(of.probe, -1) >= last_ms:
            continue
        t = last_ms
        while (t := t + room.step_ms) <= at_ms + AHEAD_MS:
            if t > at_ms:
                found[of].append((t, count, quality))
    return found


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**48), samples=st.integers(1, 150))
def test_firing_is_what_is_active_in_the_judgement_at_that_horizon(seed: int, samples: int) -> None:
    room, at_ms, _ = _made_up(seed, samples)

    found = _of(room, at_ms)

    judged = judge(Asked(room.rules, room.readings(), room.actions), at_ms)
    active = {fact.code for fact in judged.facts if fact.cleared_at_ms is None}
    assert {one.code for one in found.rules if one.status == "firing"} == active


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**48), samples=st.integers(1, 150))
def test_what_is_pending_rings_when_promised_and_nothing_else_that_began_before_rings(
    seed: int, samples: int
) -> None:
    room, at_ms, _ = _made_up(seed, samples)
    known = [a for a in room.actions if a.at_ms <= at_ms]

    found = _of(room, at_ms)

    readings = {of: columns(rows) for of, rows in _going_on(room, at_ms).items()}
    judged = judge(Asked(room.rules, readings, known), at_ms + AHEAD_MS)
    firing = {one.code for one in found.rules if one.status == "firing"}
    off = {one.code for one in found.rules if one.status in ("off", "no_input")}
    first: dict[str, tuple[int, bool]] = {}
    for fact in judged.facts:
        if fact.fired_at_ms > at_ms and fact.code not in firing:
            first.setdefault(fact.code, (fact.fired_at_ms, fact.began_at_ms <= at_ms))
    gaps = ("DATA_GAP_WARN", "DATA_GAP_CRIT")
    promised = {
        one.code: (one.due_ms, one.status == "pending")
        for one in found.rules
        if one.due_ms is not None and (one.status == "pending" or one.code not in gaps)
    }
    happens = {c: v for c, v in first.items() if c not in gaps or c in promised}
    assert {c for c, (_, now) in happens.items() if now and c not in off} == {
        c for c, (_, now) in promised.items() if now
    }
    assert {c: at for c, (at, _) in happens.items()} == {c: at for c, (at, _) in promised.items()}


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**48), samples=st.integers(1, 150))
def test_what_waits_or_is_off_stays_silent_until_its_cause_ends_whatever_is_measured(
    seed: int, samples: int
) -> None:
    room, at_ms, rnd = _made_up(seed, samples)
    known = [a for a in room.actions if a.at_ms <= at_ms]
    found = _of(room, at_ms)
    extreme = rnd.choice((5000, -4000))

    for one in found.rules:
        if one.status not in ("paused", "off"):
            continue
        ends = [at_ms + AHEAD_MS if p.to_ms is None else p.to_ms for p in one.causes]
        until = min(max(ends), at_ms + AHEAD_MS) - 1
        rows = _going_on(room, at_ms)
        for of, said_rows in rows.items():
            if of.quantity in ("temperature", "product_temperature"):
                rows[of] = [row for row in said_rows if row[0] <= at_ms] + [
                    (t, extreme, 0) for t in range(at_ms + 60_000, until, room.step_ms)
                ]
        readings = {of: columns(r) for of, r in rows.items()}
        judged = judge(Asked(room.rules, readings, known), until)
        assert not [f for f in judged.facts if f.code == one.code and f.fired_at_ms > at_ms]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**48), samples=st.integers(1, 150))
def test_every_state_has_a_sentence_in_both_languages_and_causes_of_its_own(
    seed: int, samples: int
) -> None:
    room, at_ms, _ = _made_up(seed, samples)

    for one in _of(room, at_ms).rules:
        for lang in ("zh", "en"):
            text = sentence(one, lang, str)
            assert text
            assert text == text.strip()
            assert text[-1] in "。."
        if one.status == "off":
            assert {p.cause for p in one.causes} <= off_by(one.code)
        if one.status == "paused":
            assert {p.cause for p in one.causes} <= paused_by(one.code)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**48), samples=st.integers(20, 150))
def test_an_engine_with_checkpoints_explains_as_a_fresh_one_does(seed: int, samples: int) -> None:
    room, at_ms, rnd = _made_up(seed, samples)
    readings = room.readings()
    engine = RoomEngine(room.rules, room.actions)
    ahead_ms = NOON_MS + room.span_ms + rnd.randrange(1, 26) * 3_600_000
    engine.judge(ahead_ms, lambda a, b: {of: between(rows, a, b) for of, rows in readings.items()})

    kept = explained(readings, at_ms=at_ms, engine=engine)

    assert kept == _of(room, at_ms)


def test_of_a_slow_probe_the_shorter_delay_is_the_one_that_is_said() -> None:
    slow = act(-10, "probe_lag", probe="p1", lag_ms=900_000)

    pending = the("WARN_HIGH", explained(steady(5, 10), slow, until=10))

    assert pending.status == "pending"
    assert minute(pending.due_ms) == 15
    assert pending.limit is not None
    assert pending.limit.delay_ms == 900_000
