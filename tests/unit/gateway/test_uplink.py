"""What a gateway says of itself, and how often."""

import pytest

from gateway.uplink import address_of, status_every_s


def test_a_gateway_on_an_open_line_says_twice_a_minute_how_it_is() -> None:
    assert status_every_s(1.0) == 30.0


def test_on_a_metered_link_a_status_is_rarer_than_the_batches() -> None:
    assert status_every_s(60.0) == 300.0


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("mqtt://cold.example", ("cold.example", 1883)),
        ("mqtts://cold.example", ("cold.example", 8883)),
        ("mqtts://cold.example:18883", ("cold.example", 18883)),
        ("mqtt://127.0.0.1:18801", ("127.0.0.1", 18801)),
    ],
)
def test_a_broker_without_a_port_is_at_the_port_of_its_scheme(
    url: str, address: tuple[str, int]
) -> None:
    assert address_of(url) == address
