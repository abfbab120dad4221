"""What another rule would have made of the same readings."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.dry_run import Change, Difference, Proposal, compare, proposed, ruled
from domain.judgement import Action, Asked, Judgement, Rule
from domain.profile import Impossible
from domain.reading import Columns, Series
from domain.room import judge
from tests.unit.domain.rooms import NOON_MS, MadeUp, act, at, line, minute, rule, series, steady


def dry_run(
    rules: Sequence[Rule],
    proposal: Rule,
    actions: Sequence[Action],
    readings: Mapping[Series, Columns],
    span: tuple[int, int],
) -> Difference:
    before = judge(Asked(rules, readings, actions), span[1])
    return compare(before, ruled(proposal, actions, readings, span[1]), span)


def tried(
    readings: Columns, *, by: Rule | None = None, until: float, start: float = 0, **overrides: Any
) -> Difference:
    held = rule() if by is None else by
    proposal = proposed(held, Proposal(also=overrides))
    return dry_run([held], proposal, [], {series(): readings}, (at(start), at(until)))


def told(difference: Difference) -> list[tuple[str, str]]:
    return [(change.kind, change.code) for change in difference.changes]


DAY = line((0, 2), (60, 5), (110, 5), (120, 2), (200, 2))  # above 4 °C from 45 to 110 or so


def test_a_longer_delay_loses_a_short_alarm() -> None:
    found = tried(DAY, until=200, WARN_HIGH={"delay_min": 90})

    assert told(found) == [("lost", "WARN_HIGH")]
    assert found.before["WARN_HIGH"] == 1
    assert "WARN_HIGH" not in found.after


def test_a_shorter_delay_moves_it_forward() -> None:
    (change,) = tried(DAY, until=200, WARN_HIGH={"delay_min": 10}).changes

    assert (change.kind, change.code, minute(NOON_MS + (change.later_ms or 0))) == (
        "moved", "WARN_HIGH", -20,
    )  # fmt: skip


def test_a_stricter_limit_gains_one() -> None:
    found = tried(steady(3.5, 120), until=120, WARN_HIGH={"limit_c": 3})

    assert told(found) == [("gained", "WARN_HIGH")]


def test_what_is_alike_is_counted_and_not_listed() -> None:
    found = tried(DAY, until=200, WARN_LOW={"delay_min": 40})

    assert (found.changes, found.same) == ((), 2)  # WARN_HIGH and the forecast


def test_the_beginning_of_the_span_makes_no_difference_of_its_own() -> None:
    warm = steady(5, 300)

    assert tried(warm, until=300, start=150, WARN_LOW={"delay_min": 40}).changes == ()
    assert told(tried(warm, until=300, start=150, WARN_HIGH={"delay_min": 60})) == [
        ("moved", "WARN_HIGH")
    ]


def test_an_alarm_that_was_over_before_the_span_is_not_told() -> None:
    assert tried(DAY, until=200, start=150, WARN_HIGH={"delay_min": 90}).changes == ()


def test_another_profile_drops_overrides_of_the_old_one() -> None:
    held = rule("SB", "strawberry", WARN_HIGH={"limit_c": 5})

    assert proposed(held, Proposal(profile="MT", commodities=())).overrides == {}
    assert proposed(held, Proposal(interval_s=60)).overrides == held.overrides


def test_changes_are_laid_over_what_the_room_has() -> None:
    held = rule(WARN_HIGH={"limit_c": 5})
    found = proposed(held, Proposal(also={"WARN_HIGH": {"delay_min": 45}}))

    assert found.overrides == {"WARN_HIGH": {"limit_c": 5, "delay_min": 45}}
    assert proposed(held, Proposal(overrides={})).overrides == {}


@pytest.mark.parametrize(
    ("proposal", "field"),
    [
        pytest.param(Proposal(profile="XX"), "profile", id="profile"),
        pytest.param(Proposal(commodities=("cucumber", "broccoli")), "commodities", id="bands"),
        pytest.param(
            Proposal(also={"WARN_HIGH": {"delay_min": 3}}), "overrides.WARN_HIGH.delay_min",
            id="delay",
        ),
    ],
)  # fmt: skip
def test_a_rule_that_cannot_be_is_refused_with_its_field(proposal: Proposal, field: str) -> None:
    with pytest.raises(Impossible) as refused:
        proposed(rule(), proposal)

    assert refused.value.field == field


def test_what_people_changed_in_the_rule_is_no_part_of_the_proposal() -> None:
    held = rule()
    said = act(10, "rule_changed", overrides={"WARN_HIGH": {"limit_c": 6}})
    found = dry_run([held], proposed(held, Proposal()), [said], {series(): DAY}, (at(0), at(200)))

    assert ("gained", "WARN_HIGH") in told(found)


# --- laws


def _judged(seed: int, samples: int, by: Rule | None = None) -> tuple[MadeUp, Judgement]:
    room = MadeUp(seed, samples)
    rules = room.rules if by is None else [by]
    return room, judge(Asked(rules, room.readings(), room.actions), NOON_MS + room.span_ms)


def _span(room: MadeUp) -> tuple[int, int]:
    return NOON_MS, NOON_MS + room.span_ms


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**48), samples=st.integers(1, 120))
def test_the_same_rule_makes_no_difference(seed: int, samples: int) -> None:
    room = MadeUp(seed, samples)
    quiet = [action for action in room.actions if action.kind != "rule_changed"]
    held = room.rules[0]

    found = dry_run([held], proposed(held, Proposal()), quiet, room.readings(), _span(room))

    assert found.changes == ()
    assert sum(found.before.values()) == found.same == sum(found.after.values())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(one=st.integers(0, 2**48), other=st.integers(0, 2**48), samples=st.integers(1, 120))
def test_every_alarm_of_either_side_is_told_once_and_backwards_is_the_mirror(
    one: int, other: int, samples: int
) -> None:
    room, before = _judged(one, samples)
    _, after = _judged(other, samples)

    there = compare(before, after, _span(room))
    back = compare(after, before, _span(room))

    both = there.same + there.count("moved") + there.count("changed")
    assert both + there.count("lost") == sum(there.before.values())
    assert both + there.count("gained") == sum(there.after.values())
    assert _mirrored(there) == sorted(back.changes, key=repr)


def _mirrored(difference: Difference) -> list[Change]:
    turned = {"lost": "gained", "gained": "lost"}
    return sorted(
        (
            replace(c, kind=turned.get(c.kind, c.kind), before=c.after, after=c.before)
            for c in difference.changes
        ),
        key=repr,
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**48), samples=st.integers(1, 120))
def test_putting_the_change_in_force_makes_what_the_dry_run_said(seed: int, samples: int) -> None:
    room = MadeUp(seed, samples)
    quiet = [action for action in room.actions if action.kind != "rule_changed"]
    held = room.rules[0]
    wanted = proposed(held, Proposal(also={"defrost_total_min": 60}))

    found = dry_run([held], wanted, quiet, room.readings(), _span(room))
    really = judge(Asked([wanted], room.readings(), quiet), _span(room)[1])

    assert sum(found.after.values()) == len(really.facts)
    gained = {(c.code, c.fact.fired_at_ms) for c in found.changes if c.kind == "gained"}
    assert gained <= {(f.code, f.fired_at_ms) for f in really.facts}
