"""What a gateway says of itself, and how often."""

from pathlib import Path

import pytest

from gateway.uplink import KNOWN_STORES, StorePin, address_of, status_every_s


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


def test_the_pin_remembers_which_stores_it_followed(tmp_path: Path) -> None:
    path = tmp_path / "store-id"
    pin = StorePin(path)
    assert (pin.store, pin.known) == ("", ())

    for n in range(KNOWN_STORES + 1):
        pin.move(f"s{n}")
        pin.move(f"s{n}")

    again = StorePin(path)
    assert again.store == f"s{KNOWN_STORES}"
    assert again.known == tuple(f"s{n}" for n in range(1, KNOWN_STORES + 1))
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_pin_of_before_is_one_store(tmp_path: Path) -> None:
    (tmp_path / "store-id").write_text("s1")

    assert StorePin(tmp_path / "store-id").known == ("s1",)
