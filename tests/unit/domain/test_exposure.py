"""The models' vector of degree-minutes, and the laws of the sums."""

from array import array
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from domain.exposure import DEGREE_MINUTE, HOUR_MS, Limits, expose, total, valid
from domain.reading import Columns, Quality

MINUTE_MS = 60_000
FIVE_MIN = 5 * MINUTE_MS
AT_8 = [Limits(0, FIVE_MIN, 800, 0, "r1")]


def columns(rows: list[tuple[int, int]]) -> Columns:
    return Columns(
        array("q", [at for at, _ in rows]),
        array("q", [count for _, count in rows]),
        array("H", [0 for _ in rows]),
    )


def minutes(*rows: tuple[int, int]) -> Columns:
    return columns([(at * MINUTE_MS, count) for at, count in rows])


def test_degree_minutes_by_step_are_those_of_dm_1() -> None:
    readings = minutes((0, 600), (5, 700), (10, 900), (15, 1100), (20, 1000), (25, 850), (30, 700))

    exposure = expose(readings, 0, 30 * MINUTE_MS, AT_8)

    assert Fraction(exposure.above, DEGREE_MINUTE) == Fraction("32.5")
    assert exposure.above_ms == 20 * MINUTE_MS
    assert (exposure.low, exposure.high, exposure.n) == (600, 1100, 6)
    assert exposure.unknown_ms == 0


def test_three_intervals_without_a_sample_are_no_gap_and_a_little_more_is() -> None:
    just = expose(minutes((0, 900), (15, 900)), 0, 15 * MINUTE_MS, AT_8)
    more = expose(columns([(0, 900), (15 * MINUTE_MS + 1, 900)]), 0, 15 * MINUTE_MS, AT_8)

    assert (just.unknown_ms, just.above) == (0, 100 * 15 * MINUTE_MS)
    assert (more.unknown_ms, more.above) == (15 * MINUTE_MS, 0)


def test_a_sample_before_the_stay_holds_into_it_and_is_not_counted() -> None:
    exposure = expose(minutes((-4, 500), (1, 700)), 0, 2 * MINUTE_MS, AT_8)

    assert exposure.known_ms == MINUTE_MS
    assert (exposure.n, exposure.low) == (1, 700)


def test_nothing_is_known_after_the_last_sample() -> None:
    assert expose(minutes((0, 500), (5, 500)), 0, 60 * MINUTE_MS, AT_8).unknown_ms == 55 * MINUTE_MS


def test_without_readings_everything_is_unknown() -> None:
    exposure = expose(Columns(), 0, HOUR_MS, AT_8)

    assert (exposure.unknown_ms, exposure.n, exposure.mean) == (HOUR_MS, 0, None)


def test_a_new_limit_counts_from_its_own_instant() -> None:
    limits = [*AT_8, Limits(2 * MINUTE_MS, FIVE_MIN, 400, None, "r2")]

    exposure = expose(minutes((0, 900), (5, 900)), 0, 5 * MINUTE_MS, limits)

    assert exposure.above == (100 * 2 + 500 * 3) * MINUTE_MS


def test_readings_that_the_rules_refuse_are_left_out() -> None:
    readings = columns([(0, 500), (1, 500), (2, 500)])
    readings.quality[1] = Quality.CONFLICT
    readings.quality[2] = Quality.BY_HAND

    assert list(valid(readings).at_ms) == [0, 2]


rows = st.lists(
    st.tuples(st.integers(0, 6 * HOUR_MS), st.integers(-500, 1500)),
    max_size=60,
    unique_by=lambda row: row[0],
).map(sorted)


@given(rows, st.integers(1, 5 * HOUR_MS), st.integers(1, HOUR_MS))
def test_the_hours_add_up_and_cutting_a_stay_in_two_changes_no_sum(
    rows: list[tuple[int, int]], from_ms: int, length: int
) -> None:
    readings, to_ms = columns(rows), from_ms + length
    middle = from_ms + length // 2

    whole = expose(readings, from_ms, to_ms, AT_8)
    halves = [expose(readings, from_ms, middle, AT_8), expose(readings, middle, to_ms, AT_8)]

    assert total(from_ms, to_ms, whole.hours) == whole
    for name in ("n", "known_ms", "weighted", "above_ms", "above", "below_ms", "below"):
        assert getattr(whole, name) == sum(getattr(half, name) for half in halves)
    assert whole.known_ms <= length
