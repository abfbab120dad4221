"""Arrivals never go back unless the clock is set, and never meet within one series."""

from hypothesis import given
from hypothesis import strategies as st

from domain.reading import ProbeId, Series
from gateway.clock import ArrivalClock, boot_id, trusted

SERIES = Series(ProbeId("mac:1"), "temperature")


@given(st.lists(st.integers(0, 10_000)))
def test_arrivals_never_go_back(wall: list[int]) -> None:
    clock = ArrivalClock()

    seen = [clock.now(ms) for ms in wall]

    assert seen == sorted(seen)


@given(st.lists(st.integers(0, 20), max_size=200))
def test_two_readings_of_a_series_never_share_an_arrival(wall: list[int]) -> None:
    clock = ArrivalClock()

    given_ms = [clock.free(SERIES, clock.now(ms)) for ms in wall]

    assert len(set(given_ms)) == len(given_ms)


def test_other_series_keep_the_arrival_they_share() -> None:
    clock = ArrivalClock()

    assert clock.free(SERIES, 5) == clock.free(Series(ProbeId("mac:1"), "door"), 5) == 5


def test_the_hosts_clock_is_trusted_where_the_setting_says_so() -> None:
    assert trusted("host")
    assert isinstance(trusted("kernel"), bool)
    assert boot_id() == boot_id()
