"""What a room's page advises: a wet humidity sensor, sweating goods, ethylene."""

import pytest

from domain.advice import (
    dew_point,
    ethylene_harm,
    hours_left,
    outside_band,
    sweat,
    warm_up,
    wet_sensor,
)
from domain.commodity import COMMODITIES
from domain.span import Sample
from tests.unit.domain.rooms import MINUTE_MS, at

GAP_MS = 15 * MINUTE_MS


def humid(value: int, first: int, last: int) -> list[tuple[int, int]]:
    return [(at(m), value) for m in range(first, last + 1, 5)]


def opened(*minutes: int) -> list[tuple[int, int]]:
    return [(at(m), at(m + 1)) for m in minutes]


def test_an_hour_above_98_with_the_door_opened_less_is_a_wet_sensor() -> None:
    said = [*humid(9000, 0, 55), *humid(9900, 60, 120)]

    assert wet_sensor(said, opened(10, 20, 100), GAP_MS, at(122)) == at(60)
    assert wet_sensor(said[:-1], opened(10, 20, 100), GAP_MS, at(117)) is None  # 55 min


@pytest.mark.parametrize(
    "doors",
    [
        pytest.param(opened(100), id="opened-more"),
        pytest.param(opened(10, 100), id="opened-as-often"),
        pytest.param([], id="never-opened-at-all"),
    ],
)
def test_damp_that_a_door_may_have_brought_in_is_no_wet_sensor(
    doors: list[tuple[int, int]],
) -> None:
    assert wet_sensor(humid(9900, 0, 120), doors, GAP_MS, at(120)) is None


def test_exactly_98_is_not_wet_and_silence_says_nothing() -> None:
    assert wet_sensor(humid(9800, 0, 120), opened(10), GAP_MS, at(120)) is None
    assert wet_sensor(humid(9900, 0, 120), opened(10), GAP_MS, at(136)) is None


@pytest.mark.parametrize(
    ("celsius", "humidity", "dew"),
    [(28, 75, 23.15), (32, 65, 24.59), (20, 60, 12.00), (2, 90, 0.5311), (0, 95, -0.7057)],
)
def test_the_dew_point_gives_the_published_vectors(
    celsius: float, humidity: float, dew: float
) -> None:
    assert dew_point(celsius, humidity) == pytest.approx(dew, abs=0.005)


def test_goods_colder_than_the_dew_point_sweat_and_a_degree_above_it_they_are_dry() -> None:
    found = sweat(5, 28, 75)

    assert found is not None
    assert found[0] == "wet"
    assert 5 - found[1] == pytest.approx(-18.15, abs=0.005)
    nearly = sweat(23.9, 28, 75)
    assert nearly is not None
    assert nearly[0] == "risk"
    assert sweat(24.2, 28, 75) is None
    assert sweat(5, 28, 0) is None


def harm(giver: str, taker: str, *, same_room: bool = True) -> bool:
    return ethylene_harm(COMMODITIES[giver], COMMODITIES[taker], same_room=same_room)


@pytest.mark.parametrize(
    ("giver", "taker", "one_room", "next_door"),
    [
        pytest.param("apple_fuji", "broccoli", True, True, id="much-to-very-sensitive"),
        pytest.param("apple_fuji", "cut_lily", True, False, id="much-to-moderate"),
        pytest.param("strawberry", "broccoli", False, False, id="gives-off-little"),
        pytest.param("apple_fuji", "apple_fuji", False, False, id="its-own-kind"),
        pytest.param("pork_chilled", "broccoli", False, False, id="no-plant"),
    ],
)
def test_ethylene_harms_in_one_room_sooner_than_across_rooms(
    giver: str, taker: str, one_room: bool, next_door: bool
) -> None:
    assert harm(giver, taker) is one_room
    assert harm(giver, taker, same_room=False) is next_door


def test_a_room_warms_as_it_did_in_its_outages_and_the_middle_one_counts() -> None:
    slow = [(at(m), 200 + m) for m in range(0, 61, 5)]  # 1 count a minute
    quick = [(at(1000 + m), 200 + 3 * m) for m in range(0, 61, 5)]
    outages = [(at(0), at(61)), (at(1000), at(1061))]

    assert warm_up(slow, outages[:1]) == 60
    assert warm_up([*slow, *quick], outages) == 60
    assert warm_up(quick, outages) == 180
    assert warm_up(slow[:6], outages) is None  # 25 minutes


@pytest.mark.parametrize(
    ("count", "rate", "hours"),
    [
        pytest.param(200, 100.0, 5, id="five-degrees-at-one-an-hour"),
        pytest.param(690, 100.0, 1, id="never-less-than-an-hour"),
        pytest.param(200, 10.0, None, id="beyond-a-day"),
        pytest.param(700, 100.0, None, id="already-there"),
        pytest.param(200, -5.0, None, id="not-warming"),
        pytest.param(200, None, None, id="nothing-known"),
    ],
)
def test_the_hours_until_a_limit_are_whole_and_only_said_within_a_day(
    count: int, rate: float | None, hours: int | None
) -> None:
    assert hours_left(count, 700, rate) == hours


def day(value: float, n: int = 288) -> list[Sample]:
    return [(i * 300_000, round(value * 100)) for i in range(n)]


@pytest.mark.parametrize(
    ("profile", "value", "edge"),
    [("FZ", -16.5, -18), ("FT", -17.9, -18), ("PS", 1.4, 1), ("SB", -0.3, 0), ("CU", 13.6, 13)],
)
def test_a_room_that_stands_between_its_band_and_its_warning_for_a_day_is_shown(
    profile: str, value: float, edge: float
) -> None:
    found = outside_band(profile, [day(value)], 300_000)

    assert found is not None
    assert found[0] == pytest.approx(value)
    assert found[1] == edge


def test_a_room_in_its_band_or_hardly_heard_or_without_a_band_is_not() -> None:
    assert outside_band("FZ", [day(-18.0)], 300_000) is None
    assert outside_band("FZ", [day(-16.0, 143)], 300_000) is None
    assert outside_band("AM", [day(9.0)], 300_000) is None
    assert outside_band("FZ", [], 300_000) is None
