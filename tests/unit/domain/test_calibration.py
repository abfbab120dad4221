"""Papers of a probe: when they run out, and what a check beside it says."""

from datetime import date
from decimal import Decimal

import pytest

from domain.calibration import DAY_MS, Check, Papers, drift, expires_ms, in_force, overdue, state

MAY_1_MS = 1_777_593_600_000  # 2026-05-01T00:00:00Z
CERTIFIED = Papers("p", 0, "S1", "C1", date(2026, 5, 31), Decimal("-0.3"), 900)
ENDS_MS = MAY_1_MS + 31 * DAY_MS - 8 * 3_600_000  # the first of June begins in China


def test_a_certificate_holds_through_its_last_day_by_the_clock_on_the_wall() -> None:
    assert expires_ms(CERTIFIED) == ENDS_MS
    assert state([CERTIFIED], ENDS_MS - 1) == "due"
    assert state([CERTIFIED], ENDS_MS) == "overdue"


def test_thirty_days_before_its_end_it_is_due() -> None:
    assert state([CERTIFIED], ENDS_MS - 30 * DAY_MS - 1) == "ok"
    assert state([CERTIFIED], ENDS_MS - 30 * DAY_MS) == "due"


def test_without_papers_or_a_date_nothing_is_said() -> None:
    assert state([], MAY_1_MS) == "none"
    assert state([Papers("p", 0, "S1")], MAY_1_MS) == "none"


def test_a_newer_certificate_ends_the_overdue_time_and_leaves_the_mark_on_what_it_was() -> None:
    renewed = Papers("p", ENDS_MS + 5 * DAY_MS, "S1", "C2", date(2027, 5, 31))

    assert overdue([CERTIFIED, renewed], 0, ENDS_MS + 90 * DAY_MS) == [
        (ENDS_MS, ENDS_MS + 5 * DAY_MS)
    ]
    assert in_force([CERTIFIED, renewed], ENDS_MS + 5 * DAY_MS) == renewed
    assert in_force([CERTIFIED, renewed], ENDS_MS + 5 * DAY_MS - 1) == CERTIFIED


@pytest.mark.parametrize(
    ("shown", "reference", "apart"),
    [
        pytest.param(450, 400, None, id="half-a-degree-is-allowed"),
        pytest.param(451, 400, 51, id="a-little-more-is-not"),
        pytest.param(-1700, -1800, None, id="below-zero-one-degree-is"),
        pytest.param(-1901, -1800, -101, id="colder-than-it-is"),
        pytest.param(50, 0, None, id="zero-counts-as-chilled"),
        pytest.param(51, 0, 51, id="zero-and-more"),
    ],
)
def test_a_check_tells_of_drift_beyond_what_a_probe_may_be_off(
    shown: int, reference: int, apart: int | None
) -> None:
    assert drift([], Check(0, shown, reference)) == apart


def test_what_the_certificate_allows_for_is_no_drift() -> None:
    assert drift([CERTIFIED], Check(0, 475, 400)) is None  # 4.75 - 0.30 is 0.45 off
    assert drift([CERTIFIED], Check(0, 485, 400)) == 55
