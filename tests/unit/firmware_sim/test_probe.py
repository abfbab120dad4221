from math import exp
from random import Random

import pytest
from firmware_sim.probe import POWER_ON_C, Element, Sensor, quantise, sample, settle
from hypothesis import given
from hypothesis import strategies as st


def seeded(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - a simulation


def quiet(**fields: object) -> Sensor:
    """A sensor without noise and, unless it is given, without lag."""
    return Sensor(**{"lag_s": 0.0, "noise": 0.0, **fields})  # type: ignore[arg-type]  # a builder


def says(sensor: Sensor, truth: float, at_s: float, element: Element | None = None) -> float | None:
    settled = settle(sensor, element or Element(truth), truth, at_s)
    return sample(sensor, settled, seeded(1))[1]


@pytest.mark.parametrize(
    ("lag_min", "celsius"), [(1, 11.93), (2, 11.18), (5, 8.321), (15, 4.835), (20, 4.212)]
)
def test_a_probe_in_glycol_shows_little_of_a_short_step(lag_min: float, celsius: float) -> None:
    after = settle(quiet(lag_s=lag_min * 60), Element(2.0), 12.0, 300)

    assert after.settled == pytest.approx(celsius, abs=0.005)


@pytest.mark.parametrize(
    ("lag_min", "peak", "minute"), [(2, 11.30, 5.58), (15, 6.184, 11.98)]
)  # fmt: skip
def test_a_door_peak_arrives_lower_and_later(lag_min: float, peak: float, minute: float) -> None:
    sensor = quiet(lag_s=lag_min * 60)
    element, seen = Element(2.0), []
    for second in range(1, 3600):
        truth = 12.0 if second <= 300 else 2 + 10 * exp(-(second - 300) / 480)
        element = settle(sensor, element, truth, second)
        seen.append((element.settled, second / 60))

    assert max(seen)[0] == pytest.approx(peak, rel=0.005)
    assert max(seen)[1] == pytest.approx(minute, abs=0.05)


def test_offset_and_drift_add_up_with_age() -> None:
    sensor = quiet(offset=0.5, drift_per_day=0.1, resolution=0.01)

    assert says(sensor, 2.0, 10 * 86_400) == 3.5


def test_a_stuck_probe_repeats_what_it_last_said() -> None:
    sensor = quiet(stuck=((60.0, 120.0),))
    element, random, heard = Element(2.0), seeded(1), []
    for at_s in range(0, 180, 30):
        element = settle(sensor, element, 2.0 + at_s / 30, at_s)
        element, value = sample(sensor, element, random)
        heard.append(value)

    assert heard == [2.0, 3.0, 3.0, 3.0, 6.0, 7.0]


def test_after_a_restart_the_first_sample_is_the_power_on_value_and_only_that() -> None:
    sensor = quiet(power_on_s=(50.0,))
    element, heard = Element(2.0), []
    for at_s in (0, 60, 120):
        element = settle(sensor, element, 2.0, at_s)
        element, value = sample(sensor, element, seeded(1))
        heard.append(value)

    assert heard == [2.0, POWER_ON_C, 2.0]


def test_in_a_gap_there_is_no_sample() -> None:
    assert says(quiet(gaps=((0.0, 10.0),)), 2.0, 5) is None
    assert says(quiet(gaps=((0.0, 10.0),)), 2.0, 10) == 2.0


def test_a_gap_does_not_change_the_noise_of_later_samples() -> None:
    def heard(sensor: Sensor) -> list[float | None]:
        random, element, values = seeded(7), Element(2.0), []
        for at_s in range(5):
            element, value = sample(sensor, settle(sensor, element, 2.0, at_s), random)
            values.append(value)
        return values

    plain = heard(Sensor(lag_s=0))
    assert heard(Sensor(lag_s=0, gaps=((1.0, 2.0),))) == [plain[0], None, *plain[2:]]


@given(st.floats(-90, 100), st.sampled_from([0.01, 0.0625, 0.1, 0.5, 1.0]))
def test_a_quantised_value_is_a_step_and_at_most_half_a_step_away(
    value: float, resolution: float
) -> None:
    step = quantise(value, resolution)

    assert abs(step - value) <= resolution / 2 + 1e-6
    assert abs(step / resolution - round(step / resolution)) < 1e-4
