"""Who is on duty: nights, Sundays, holidays, and who stands in."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.incident import LOCAL_OFFSET_MS
from domain.roster import DAYS, OnLadder, Shift, Told, ladder, on_duty

NIGHTS = Shift("123456", 20 * 60, 8 * 60)
SUNDAYS = Shift("7H")


def local(text: str) -> int:
    """2026-10-01 is a Thursday, and a holiday in China."""
    at = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return int(at.timestamp() * 1000) - LOCAL_OFFSET_MS


@pytest.mark.parametrize(
    ("shift", "when", "on"),
    [
        pytest.param(NIGHTS, "2026-09-28 19:59", False, id="before-the-night"),
        pytest.param(NIGHTS, "2026-09-28 20:00", True, id="the-night-begins"),
        pytest.param(NIGHTS, "2026-09-29 07:59", True, id="it-lasts-into-the-morning"),
        pytest.param(NIGHTS, "2026-09-29 08:00", False, id="its-end-is-outside"),
        pytest.param(NIGHTS, "2026-09-28 03:00", False, id="sundays-night-is-not-among-them"),
        pytest.param(NIGHTS, "2026-09-27 03:00", True, id="saturdays-night-reaches-into-sunday"),
        pytest.param(SUNDAYS, "2026-09-27 12:00", True, id="a-sunday"),
        pytest.param(SUNDAYS, "2026-09-28 12:00", False, id="a-monday"),
    ],
)
def test_a_shift_belongs_to_the_day_on_which_it_begins(shift: Shift, when: str, on: bool) -> None:
    assert on_duty([shift], {}, local(when)) is on


def test_a_holiday_counts_as_one_and_not_as_its_weekday() -> None:
    calendar = {"2026-10-01": "H"}

    assert on_duty([SUNDAYS], calendar, local("2026-10-01 12:00"))
    assert not on_duty([NIGHTS], calendar, local("2026-10-01 21:00"))
    assert on_duty([NIGHTS], calendar, local("2026-10-01 07:00"))  # wednesday's night


def test_a_sunday_that_is_worked_counts_as_the_day_that_the_calendar_says() -> None:
    calendar = {"2026-10-11": "4"}

    assert not on_duty([SUNDAYS], calendar, local("2026-10-11 12:00"))
    assert on_duty([Shift("4")], calendar, local("2026-10-11 12:00"))


def test_a_dated_shift_holds_on_both_its_days_and_not_beside_them() -> None:
    week = Shift(DAYS, first_day="2026-10-01", last_day="2026-10-07")

    assert not on_duty([week], {}, local("2026-09-30 23:59"))
    assert on_duty([week], {}, local("2026-10-01 00:00"))
    assert on_duty([week], {}, local("2026-10-07 23:59"))
    assert not on_duty([week], {}, local("2026-10-08 00:00"))


def test_where_nobody_of_a_role_is_on_duty_all_of_it_are_told() -> None:
    people = [OnLadder("a", "operator", [NIGHTS]), OnLadder("b", "operator", [SUNDAYS])]

    assert ladder(people, {}, local("2026-09-28 21:00")) == [Told("a", "operator")]
    assert ladder(people, {}, local("2026-09-28 12:00")) == [
        Told("a", "operator", "off_duty"), Told("b", "operator", "off_duty"),
    ]  # fmt: skip


def test_where_there_is_no_operator_the_next_step_hears_first_and_keeps_its_own() -> None:
    people = [
        OnLadder("op", "operator", reachable=False),
        OnLadder("town", "township"),
        OnLadder("county", "county"),
    ]

    assert ladder(people, {}, 0) == [
        Told("town", "operator", "no_operator"), Told("town", "township"), Told("county", "county"),
    ]  # fmt: skip


shifts = st.builds(
    Shift,
    st.sets(st.sampled_from(DAYS), min_size=1).map(lambda days: "".join(sorted(days))),
    st.integers(0, 1439),
    st.integers(1, 1440),
)
people = st.builds(
    OnLadder,
    st.sampled_from("abcde"),
    st.sampled_from(["operator", "second", "township", "county"]),
    st.lists(shifts, max_size=3),
    st.booleans(),
)


@given(st.lists(people, max_size=8), st.integers(0, 2_000_000_000_000))
def test_somebody_is_told_first_whenever_anybody_can_be(on: list[OnLadder], at_ms: int) -> None:
    told = ladder(on, {}, at_ms)

    assert any(t.role == "operator" for t in told) == any(p.reachable for p in on)
    assert {t.role for t in told} >= {p.role for p in on if p.reachable}


@given(shifts, st.integers(0, 2_000_000_000))
def test_a_shift_of_every_day_is_the_same_each_day_and_covers_what_its_days_alone_do(
    shift: Shift, minute: int
) -> None:
    every = Shift(DAYS, shift.from_minute, shift.to_minute)

    at_ms = minute * 60_000
    assert on_duty([every], {}, at_ms) == on_duty([every], {}, at_ms + 24 * 3_600_000)
    assert on_duty([every], {}, at_ms) or not on_duty([shift], {}, at_ms)
