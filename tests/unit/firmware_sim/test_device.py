from collections import Counter
from itertools import pairwise

import msgspec
import pytest
from firmware_sim.__main__ import find, names
from firmware_sim.device import Pack, place_at, transmissions
from firmware_sim.scenario import (
    Clock,
    Event,
    Leg,
    Outside,
    ProbePlan,
    Radio,
    RoomPlan,
    Scenario,
    load,
)
from hypothesis import given
from hypothesis import strategies as st

PLAIN, TRUE_CLOCK = Radio(), Clock()


def scenario(
    radio: Radio = PLAIN,
    *,
    hours: float = 2,
    quantities: tuple[str, ...] = ("temperature",),
    events: tuple[Event, ...] = (),
    clock: Clock = TRUE_CLOCK,
) -> Scenario:
    return Scenario(
        name="t",
        about="",
        rooms=(RoomPlan(name="r", event=events),),
        probes=(
            ProbePlan(name="p", room="r", quantities=quantities, radio=radio, clock=clock),
        ),
        duration_h=hours,
        outside=Outside(celsius=30),
    )  # fmt: skip


def keys(packs: list[Pack]) -> list[tuple[str, float | None]]:
    return [(r.quantity, r.device_s) for pack in packs for r in pack.readings]


def contents(packs: list[Pack]) -> dict[tuple[str, float | None], float]:
    return {(r.quantity, r.device_s): r.value for pack in packs for r in pack.readings}


def heard(quantity: str, events: tuple[Event, ...], hours: float = 2) -> list[tuple[float, float]]:
    """(minute, value) as sent."""
    packs = transmissions(scenario(quantities=(quantity,), events=events, hours=hours))
    return [(p.at_s / 60, r.value) for p in packs for r in p.readings if r.quantity == quantity]


def test_a_probe_speaks_once_an_interval_from_its_phase_on() -> None:
    packs = list(transmissions(scenario(hours=1)))

    assert [pack.at_s for pack in packs] == [60.0 * i for i in range(61)]


@pytest.mark.parametrize("name", names())
def test_the_same_seed_gives_the_same_packs_and_another_seed_others(name: str) -> None:
    story = msgspec.structs.replace(load(find(name)), duration_h=3)

    once, again, other = (list(transmissions(story, seed)) for seed in (1, 1, 2))

    assert once == again
    assert once != other


@pytest.mark.parametrize("name", names())
def test_packs_are_sent_in_order_of_time(name: str) -> None:
    story = msgspec.structs.replace(load(find(name)), duration_h=6)

    assert all(a.at_s <= b.at_s for a, b in pairwise(transmissions(story)))


def test_signals_are_sent_when_they_change_and_once_an_hour() -> None:
    door = Event(kind="door", at_min=30, for_min=5)

    assert heard("door", (door,)) == [(0, 0), (30, 1), (35, 0), (60, 0), (120, 0)]


def test_an_event_that_recurs_stops_when_it_is_told_to() -> None:
    door = Event(kind="door", at_min=10, for_min=1, every_min=20, until_min=60)

    opened = [minute for minute, value in heard("door", (door,)) if value == 1]

    assert opened == [10, 30, 50]


def test_without_mains_the_compressor_stands_and_the_room_warms() -> None:
    cut = Event(kind="power-cut", at_min=30, for_min=60)

    assert (30, 0) in heard("mains", (cut,))
    assert max(v for m, v in heard("temperature", (cut,)) if m <= 90) > 4.0


def test_silence_is_followed_by_everything_that_was_measured_in_it_oldest_first() -> None:
    quiet = list(transmissions(scenario(Radio(silent_min=((10, 70),)))))
    plain = list(transmissions(scenario()))

    assert contents(quiet) == contents(plain)
    assert not [pack for pack in quiet if 600 <= pack.at_s < 4200]
    recalled = next(pack for pack in quiet if len(pack.readings) > 1)
    stamps = [r.device_s for r in recalled.readings]
    assert (recalled.at_s, stamps[0], stamps[-1]) == (4200.0, 600.0, 4140.0)


def test_memory_is_handed_over_in_packs_of_bounded_length() -> None:
    radio = Radio(silent_min=((0, 100),), memory_pack_h=0.5)

    recalled = [p for p in transmissions(scenario(radio)) if len(p.readings) > 1]

    assert [len(pack.readings) for pack in recalled] == [30, 30, 30, 10]


def test_a_probe_without_memory_forgets_its_silence() -> None:
    sent = list(transmissions(scenario(Radio(silent_min=((10, 70),), memory=False))))

    assert not [s for _, s in keys(sent) if s is not None and 600 <= s < 4200]


def test_a_small_memory_keeps_the_newest() -> None:
    radio = Radio(silent_min=((0, 100),), memory_readings=20)

    stamps = [s for _, s in keys(list(transmissions(scenario(radio))))]

    assert stamps[0] == 80 * 60


def test_duplicates_are_the_same_content_under_the_same_number() -> None:
    packs = list(transmissions(scenario(Radio(duplicates=1.0), hours=1)))

    times = Counter(pack.number for pack in packs)
    assert set(times.values()) == {2}
    assert len({(p.number, p.readings) for p in packs}) == len(times)


@given(
    seed=st.integers(0, 50),
    duplicates=st.floats(0, 0.5),
    shuffle=st.floats(0, 0.9),
    silent_from=st.integers(0, 100),
)
def test_shuffles_duplicates_and_silence_lose_and_change_nothing(
    seed: int, duplicates: float, shuffle: float, silent_from: int
) -> None:
    """The sensor's noise and the radio's luck are drawn from one source, so only times compare."""
    radio = Radio(
        duplicates=duplicates, shuffle=shuffle, silent_min=((silent_from, silent_from + 10),)
    )

    sent = set(keys(list(transmissions(scenario(radio), seed))))

    assert sent == {("temperature", 60.0 * i) for i in range(121)}


def test_a_wrong_clock_shows_in_the_stamp_and_not_in_the_sending() -> None:
    packs = list(transmissions(scenario(clock=Clock(skew_s=20, drift_s_per_day=864), hours=1)))

    assert packs[-1].at_s == 3600
    assert packs[-1].readings[0].device_s == 3600 + 20 + 36


def test_a_device_without_a_clock_stamps_nothing() -> None:
    packs = transmissions(scenario(clock=Clock(stamps=False), hours=1))

    assert {r.device_s for pack in packs for r in pack.readings} == {None}


def test_a_moving_store_is_on_the_straight_line_to_its_next_place() -> None:
    route = (
        Leg(at_min=0, lat=30.0, lon=103.0),
        Leg(at_min=10, lat=30.0, lon=103.0, mode="moving"),
        Leg(at_min=30, lat=30.2, lon=103.4),
    )

    assert place_at(route, 0) == (30.0, 103.0)
    assert place_at(route, 20 * 60) == (30.1, 103.2)
    assert place_at(route, 40 * 60) == (30.2, 103.4)


def test_the_door_stands_open_while_a_store_is_loaded() -> None:
    story = load(find("mobile-store"))

    opened = [p.at_s / 60 for p in transmissions(story) for r in p.readings
              if r.quantity == "door" and r.value == 1]  # fmt: skip

    assert opened[0] == 30
