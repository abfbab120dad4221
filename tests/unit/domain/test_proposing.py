"""What is proposed spares the alarms for nothing, and no other."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.judgement import Action, Asked, Fact, Rule
from domain.profile import resolve
from domain.proposing import Past, Suggestion, suggest, worths
from domain.reading import Columns, Series
from domain.room import judge
from tests.unit.domain.rooms import act, at, points, rule, series

DAYS = 15
DAY_MIN = 1440
DOOR = (9.5, 14.0, 17.2, 12.0, 6.0)  # the air of an opening, every five minutes


def month(
    events: Mapping[int, Sequence[float]], *, base: float = 2.0, days: int = DAYS,
    quantity: str = "temperature",
) -> Columns:  # fmt: skip
    """A steady room; on some days, from noon on, other values."""
    rows = []
    for day in range(days):
        for i in range(DAY_MIN // 5):
            said = events.get(day, ())
            k = i - 144
            rows.append((day * DAY_MIN + i * 5, said[k] if 0 <= k < len(said) else base))
    return points(rows, quantity)


def past(
    readings: Columns,
    *,
    by: Rule | None = None,
    cause: Mapping[str, str] | str = "door",
    goods: Columns | None = None,
    actions: Sequence[Action] = (),
    days: int = DAYS,
) -> Past:
    """``cause``: what people said of each alarm, or of the alarms of a code."""
    held = by or rule()
    heard: dict[Series, Columns] = {series(): readings}
    if goods is not None:
        heard[series("pulp", "product_temperature")] = goods
    until_ms = at(days * DAY_MIN)
    judged = judge(Asked([held], heard, actions), until_ms)

    def said(fact: Fact) -> str | None:
        return cause if isinstance(cause, str) else cause.get(fact.code)

    causes = {(f.code, f.fired_at_ms): c for f in judged.facts if (c := said(f))}
    return Past(held, heard, actions, judged, causes, (at(0), until_ms))


def overrides(found: Suggestion | None) -> Mapping[str, Any] | None:
    return None if found is None else found.rule.overrides


def test_a_ceiling_that_the_door_reaches_is_raised_to_just_above_it() -> None:
    found = suggest(past(month({3: DOOR, 9: DOOR})))

    assert found is not None
    assert overrides(found) == {"CEILING": {"limit_c": 19.0}}  # 17.2, the whole kelvin, one more
    (change,) = found.changes
    assert (change.before, change.after, change.rang, change.spared) == (15.0, 19.0, 2, 2)
    assert found.difference.after.get("CEILING", 0) == 0


def test_no_ceiling_is_raised_by_more_than_ten_kelvin() -> None:
    found = suggest(past(month({3: (9.5, 17.0, 24.0, 17.0, 9.5, 3.0), 9: (9.5, 17.0, 9.5),
                                11: (9.5, 17.0, 25.0, 30.0, 25.0, 17.0, 9.5)})))  # fmt: skip

    assert found is not None
    assert found.rule.overrides["CEILING"] == {"limit_c": 25.0}
    assert found.difference.after["CEILING"] == 1  # what is hotter still rings


def test_a_critical_that_waits_a_little_longer_rings_no_more_and_its_limit_stays() -> None:
    warm = [8.0] * 9  # 45 min above 7; the critical waits 30
    found = suggest(past(month({3: warm, 9: warm}), cause={"CRIT_HIGH": "loading"}))

    assert overrides(found) == {"CRIT_HIGH": {"delay_min": 60.0}}  # 45 would do; a step for later


def test_where_waiting_does_not_help_the_critical_is_raised_by_at_most_three_kelvin() -> None:
    held = rule("FT", "frozen_dumpling")
    warm = [-11.4] * 9  # 45 min, and a vehicle's critical may wait 30
    found = suggest(past(month({3: warm}, base=-20.0), by=held, cause={"CRIT_HIGH": "door"}))

    assert found is not None
    assert found.rule.overrides == {"CRIT_HIGH": {"delay_min": 30.0, "limit_c": -10.0}}
    assert resolve(found.rule).limit("CRIT_HIGH") is not None


@pytest.mark.parametrize("cause", ["equipment", "power", "product_warm"])
def test_nothing_is_proposed_that_would_lose_an_alarm_with_a_real_cause(cause: str) -> None:
    readings = month({3: DOOR, 6: DOOR, 9: DOOR})
    whole = past(readings)
    first, *_ = whole.causes
    mixed = replace(whole, causes={**whole.causes, first: cause})

    assert suggest(whole) is not None
    assert suggest(mixed) is None


def test_goods_that_left_their_limits_outweigh_what_people_say() -> None:
    readings = month({3: DOOR, 9: DOOR})
    warmed = month({3: [2.0] * 5 + [4.8] * 20}, quantity="product_temperature")
    cold = month({}, quantity="product_temperature")

    assert suggest(past(readings, goods=warmed)) is None
    assert suggest(past(readings, goods=cold)) is not None


def test_goods_that_stayed_in_their_limits_say_enough_when_nobody_says_anything() -> None:
    readings = month({3: DOOR, 9: DOOR})
    cold = month({}, quantity="product_temperature")

    assert suggest(past(readings, cause={}, goods=cold)) is not None
    assert suggest(past(readings, cause={})) is None


def test_a_warm_lot_that_is_being_cooled_proves_nothing() -> None:
    readings = month({3: DOOR, 9: DOOR})
    field = month({3: [2.0] * 3 + [22.0] * 100}, quantity="product_temperature")
    start = 3 * DAY_MIN + 735
    cooling = act(start, "precool_started", start_c=22.0, medium_c=2.0, allowed_h=18.0)

    undeclared = worths(past(readings, goods=field))
    declared = worths(past(readings, goods=field, actions=[cooling]))

    def real(known: Sequence[Any]) -> list[bool | None]:
        return [w.real for w in known if w.fact.code == "CEILING"]

    assert real(undeclared) == [True, False]
    assert real(declared) == [False, False]


def test_an_alarm_beside_a_fault_of_the_plant_is_left_alone() -> None:
    whole = past(
        month({3: DOOR, 9: DOOR}), cause={}, goods=month({}, quantity="product_temperature")
    )
    mains = {series("m", "mains"): points([(0, 1), (3 * DAY_MIN + 700, 0), (3 * DAY_MIN + 800, 1)],
                                          "mains")}  # fmt: skip
    readings = {**whole.readings, **mains}
    judged = judge(Asked([whole.held], readings), whole.span[1])

    known = worths(replace(whole, readings=readings, judgement=judged))

    assert [w.real for w in known if w.fact.code == "CEILING"] == [None, False]


def test_warnings_of_a_limit_and_what_guards_against_cold_are_never_touched() -> None:
    cold = [-1.5] * 8
    warm = [4.6] * 10
    hot = [7.6] * 8
    spells = {2: cold, 3: cold, 5: warm, 6: warm, 8: hot}
    found = suggest(past(month(spells), by=rule("SB", "strawberry")))

    assert overrides(found) == {"CRIT_HIGH": {"delay_min": 60.0}}  # 45 would do; a step for later


def test_warnings_for_nothing_are_no_reason_to_change_a_rule_however_many_there_are() -> None:
    warm = [4.6] * 10

    assert suggest(past(month(dict.fromkeys(range(2, 12), warm)))) is None


def test_two_weeks_under_the_rule_are_needed() -> None:
    assert suggest(past(month({3: DOOR, 9: DOOR}, days=13), days=13)) is None
    newer = replace(rule(), from_ms=at(2 * DAY_MIN))
    assert suggest(past(month({3: DOOR, 9: DOOR}), by=newer)) is None


def test_a_room_that_was_tuned_once_goes_no_further_than_its_profile_allows() -> None:
    readings = month({3: (9.5, 17.0, 24.0, 28.0, 24.0, 17.0, 9.5)})
    tuned = rule("SB", CEILING={"limit_c": 25.0})

    assert suggest(past(readings, by=tuned, cause={"CEILING": "door"})) is None


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 14), st.floats(4.2, 30.0), st.integers(3, 40),
            st.sampled_from(["door", "loading", "false", "equipment", "product_warm", ""]),
        ),
        max_size=6, unique_by=lambda e: e[0],
    )
)  # fmt: skip
def test_whatever_happened_no_alarm_with_a_real_cause_is_lost_or_told_an_hour_later(
    events: list[tuple[int, float, int, str]],
) -> None:
    shapes = {
        day: [2 + (top - 2) * share for share in (0.4, 0.7)] + [top] * length
        for day, top, length, _ in events
    }
    whole = past(month(shapes))
    by_day = {day: cause for day, _, _, cause in events}

    def cause(fired_ms: int) -> str:
        return by_day.get(int((fired_ms - at(0)) // (DAY_MIN * 60_000)), "")

    causes = {name: cause(name[1]) for name in whole.causes if cause(name[1])}
    found = suggest(replace(whole, causes=causes))
    if found is None:
        return
    resolve(found.rule)
    lost = {(c.code, c.before.fired_at_ms) for c in found.difference.changes
            if c.kind == "lost" and c.before}  # fmt: skip
    real = {name for name, said in causes.items() if said in ("equipment", "product_warm")}
    assert not lost & real
    for change in found.difference.changes:
        if change.before and (change.code, change.before.fired_at_ms) in real:
            assert (change.later_ms or 0) <= 3_600_000
    own = {limit.code: limit for limit in resolve(replace(found.rule, overrides={})).limits}
    for limit in resolve(found.rule).limits:
        assert limit.low == own[limit.code].low
        assert limit.high <= own[limit.code].high + 1000
        assert limit.delay_ms <= max(4 * own[limit.code].delay_ms, 30 * 60_000)
        if limit.level == "warning":
            assert limit.high == own[limit.code].high
