"""When a disk will be full."""

from domain.filling import FillRate


def test_what_shrank_lately_says_when_there_will_be_no_room() -> None:
    rate = FillRate(over_s=600.0, least_s=30.0)

    assert rate.hours_left(0.0, 1_000_000) is None
    assert rate.hours_left(60.0, 900_000) == 0.1  # 100,000 a minute: 9 minutes are left
    assert rate.hours_left(120.0, 1_000_000) is None  # what shrank has grown again
    assert rate.hours_left(600.0, -1) == 0.0
