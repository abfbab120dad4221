"""Instants as text."""

import pytest

from domain.instant import instant_ms, rfc3339


@pytest.mark.parametrize(
    ("at_ms", "text"),
    [
        pytest.param(1_780_272_000_000, "2026-06-01T00:00:00Z", id="whole second"),
        pytest.param(1_780_272_000_007, "2026-06-01T00:00:00.007Z", id="milliseconds"),
        pytest.param(-61_117_761_600_000, "0033-04-03T12:00:00Z", id="long ago"),
    ],
)
def test_printing_a_time_undoes_reading_it(at_ms: int, text: str) -> None:
    assert rfc3339(at_ms) == text
    assert instant_ms(text) == at_ms


def test_an_offset_counts_and_what_is_finer_than_a_millisecond_is_cut() -> None:
    assert instant_ms("2026-06-01T08:00:00.0079+08:00") == 1_780_272_000_007


def test_a_time_without_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="offset"):
        instant_ms("2026-06-01T12:00:00")
