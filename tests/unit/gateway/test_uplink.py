"""What a gateway says of itself, and how often."""

from gateway.uplink import status_every_s


def test_a_gateway_on_an_open_line_says_twice_a_minute_how_it_is() -> None:
    assert status_every_s(1.0) == 30.0


def test_on_a_metered_link_a_status_is_rarer_than_the_batches() -> None:
    assert status_every_s(60.0) == 300.0
