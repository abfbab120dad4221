"""Arrivals never go back unless the clock is set, and never meet within one series."""

from hypothesis import given
from hypothesis import strategies as st

from domain.reading import ProbeId, Series
from gateway.clock import STEP_MS, ArrivalClock, BootClock, Step, boot_id, trusted
from wire.batch_v1 import Clock

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


@given(st.lists(st.sampled_from([0, 1, 2, 70_000, 70_001, 140_001, 140_002]), max_size=80))
def test_readings_of_a_series_do_not_meet_where_a_clock_was_set_back_to(wall: list[int]) -> None:
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


class Machine:
    """Its two clocks, whether the one is trusted, and what was kept of them."""

    def __init__(self) -> None:
        self.wall_ms, self.boot_ms, self.trust = 1_000_000, 5_000, False
        self.kept: list[tuple[str, int, int]] = []
        self.room = True

    def keep(self, boot: str, offset: int, now_ms: int) -> bool:
        if self.room:
            self.kept.append((boot, offset, now_ms))
        return self.room

    def clock(self, offset: int | None = None) -> BootClock:
        return BootClock(
            boot="b1", now_ms=lambda: self.wall_ms, since_boot_ms=lambda: self.boot_ms,
            trusted=lambda: self.trust, offset=offset, keep=self.keep,
        )  # fmt: skip

    def passes(self, ms: int, *, set_by: int = 0) -> None:
        self.wall_ms, self.boot_ms = self.wall_ms + ms + set_by, self.boot_ms + ms


def test_a_boots_offset_is_fixed_when_its_clock_is_first_trusted_whatever_is_set_later() -> None:
    machine = Machine()
    clock = machine.clock()
    assert clock.now() == Clock(trusted=False, offset=None, boot="b1")
    machine.passes(60_000, set_by=7_200_000)
    machine.trust = True
    offset = machine.wall_ms - machine.boot_ms
    assert clock.now() == Clock(trusted=True, offset=offset, boot="b1")
    machine.passes(60_000, set_by=-3_600_000)

    assert clock.now().offset == offset
    assert machine.clock(offset).now().offset == offset  # the process started again
    assert [kept[:2] for kept in machine.kept] == [("b1", offset)]


def test_an_offset_that_there_is_no_room_to_keep_is_not_told_yet() -> None:
    machine = Machine()
    machine.trust, machine.room = True, False
    clock = machine.clock()
    assert clock.now().offset is None
    machine.room = True

    assert clock.now().offset is not None


@given(st.lists(st.tuples(st.integers(0, 100_000), st.integers(-10_000, 10_000)), max_size=30))
def test_a_clock_that_is_set_by_more_than_two_seconds_is_reported_once(
    life: list[tuple[int, int]],
) -> None:
    machine = Machine()
    clock = machine.clock()
    expected = []
    for ms, by in life:
        machine.passes(ms, set_by=by)
        if abs(by) > STEP_MS:
            expected.append(Step(machine.wall_ms, by))
        clock.now()
    reported = []
    while (step := clock.take_step()) is not None:
        reported.append(step)

    assert reported == expected
    assert clock.last_step == (expected[-1] if expected else None)


@given(st.lists(st.tuples(st.integers(0, 3_000), st.integers(-300_000, 300_000)), max_size=60))
def test_however_the_clock_is_set_readings_of_a_series_without_a_time_never_share_one(
    life: list[tuple[int, int]],
) -> None:
    """While no instant is known yet: they count from the machine's start, which nobody can set."""
    machine, arrivals = Machine(), ArrivalClock()
    given_ms = []
    for ms, by in life:
        machine.passes(ms, set_by=by)
        given_ms.append(arrivals.free(SERIES, arrivals.now(machine.boot_ms)))

    assert given_ms == sorted(set(given_ms))
