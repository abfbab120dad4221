"""Registers to values, and whom to ask when."""

import threading
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.modbus import LONGEST_PAUSE_S, NoAnswer, Poller
from gateway.modbus_map import Device, Line, Register, Type, Wrong, line, read, value_of
from gateway.receive import Outcome

TEMPERATURE = Register("temperature", 0, scale=Decimal("0.1"))


@pytest.mark.parametrize(
    ("type_", "order", "words", "value"),
    [
        ("int16", "big", [0xFFF6], "-10"),
        ("uint16", "big", [0xFFF6], "65526"),
        ("int32", "big", [0xFFFF, 0xFFF6], "-10"),
        ("int32", "little", [0xFFF6, 0xFFFF], "-10"),
        ("uint32", "big", [0x0001, 0x0000], "65536"),
        ("float32", "big", [0xC1C4, 0x0000], "-24.5"),
        ("float32", "little", [0x0000, 0xC1C4], "-24.5"),
    ],
)
def test_words_become_numbers(type_: Type, order: str, words: list[int], value: str) -> None:
    register = Register("temperature", 0, type=type_, word_order=order)  # type: ignore[arg-type]  # one of the two

    assert value_of(register, words) == Decimal(value)


def test_scale_and_offset_are_exact_and_what_is_invalid_is_no_reading() -> None:
    register = Register(
        "temperature", 0, scale=Decimal("0.1"), offset=Decimal(-40), invalid=[32767, -32768]
    )

    assert value_of(register, [443]) == Decimal("4.3")
    assert value_of(register, [0x7FFF]) is None
    assert value_of(register, [0x8000]) is None
    not_a_number = Register("temperature", 0, type="float32")
    assert value_of(not_a_number, [0x7FC0, 0]) is None


@given(st.integers(-(1 << 31), (1 << 31) - 1))
def test_the_order_of_words_is_only_an_order(number: int) -> None:
    high, low = (number >> 16) & 0xFFFF, number & 0xFFFF
    big = Register("temperature", 0, type="int32")
    little = Register("temperature", 0, type="int32", word_order="little")

    assert value_of(big, [high, low]) == value_of(little, [low, high]) == number


def toml(register: str = 'quantity = "temperature"\naddress = 1', device: str = "") -> bytes:
    return f'[[device]]\nname = "a"\nurl = "tcp://h"\n{device}\n[[device.register]]\n{register}\n'.encode()


@pytest.mark.parametrize(
    ("raw", "names"),
    [
        (toml('quantity = "mood"\naddress = 1'), "mood"),
        (toml('quantity = "temperature"\naddress = 70000'), "address"),
        (toml('quantity = "temperature"\naddress = 1\nscal = 2'), "scal"),
        (toml('quantity = "door"\naddress = 1\ntable = "coil"'), "type bit"),
        (toml('quantity = "temperature"\naddress = 1\npart = "a/b"'), "a/b"),
        (toml(device="every_s = 0"), "every_s"),
        (toml() + toml(), "once only"),
        (toml().replace(b"tcp://h", b"http://h"), "http://h"),
        (toml().replace(b"tcp://h", b"rtu:///dev/ttyS0?parity=X"), "parity"),
        (b"[[", "malformed"),
    ],
)  # fmt: skip
def test_a_map_that_cannot_be_is_refused_and_says_where(raw: bytes, names: str) -> None:
    with pytest.raises(Wrong) as refused:
        read(raw)
    if names != "malformed":
        assert names in str(refused.value)


def test_how_a_line_is_reached() -> None:
    assert line("tcp://plc") == Line("tcp", host="plc", port=502)
    assert line("tcp+rtu://10.0.0.2:4001") == Line("tcp+rtu", host="10.0.0.2", port=4001)
    assert line("rtu:///dev/ttyUSB0?baudrate=19200&parity=E&stopbits=2") == Line(
        "rtu", path="/dev/ttyUSB0", baudrate=19200, parity="E", stopbits=2
    )


class Plant:
    """A line with controllers by unit, of which some are silent; time goes by hand."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.silent: set[int] = set()
        self.asked: list[tuple[float, int]] = []
        self.taken: list[tuple[str, bytes]] = []
        self.room = True

    def words(self, unit: int, register: Register) -> list[int]:
        self.asked.append((self.now_s, unit))
        if unit in self.silent:
            raise NoAnswer("silence")
        return [43]

    def bit(self, unit: int, register: Register) -> bool:
        return True

    def close(self) -> None:
        pass

    def hand_in(self, topic: str, payload: bytes) -> Outcome | None:
        if not self.room:
            return None
        self.taken.append((topic, payload))
        return Outcome(1)

    def poller(self, *units: int) -> Poller:
        devices = [Device(f"plc{u}", "tcp://h", [TEMPERATURE], u, every_s=60) for u in units]
        return Poller(
            devices, lambda _l, _t: self, self.hand_in, threading.Event(), lambda: self.now_s
        )

    def times(self, unit: int) -> list[float]:
        return [at - 1000 for at, asked in self.asked if asked == unit]


def play(plant: Plant, poller: Poller, until_s: float) -> None:
    while plant.now_s < until_s:
        plant.now_s += poller.turn()


def test_a_silent_controller_is_asked_less_and_less_and_its_neighbour_as_before() -> None:
    plant = Plant()
    plant.silent = {1}
    play(plant, plant.poller(1, 2), 1000 + 3600)

    assert plant.times(2) == [i * 60.0 for i in range(60)]
    gaps = [b - a for a, b in zip(plant.times(1), plant.times(1)[1:], strict=False)]
    assert gaps[:3] == [60, 120, 240]
    assert set(gaps[3:]) == {LONGEST_PAUSE_S}


def test_while_there_is_no_room_readings_are_held_with_their_age() -> None:
    plant = Plant()
    poller = plant.poller(1)
    plant.room = False
    play(plant, poller, 1130)
    assert plant.taken == []

    plant.room = True
    play(plant, poller, plant.now_s + 1)

    assert [payload for _, payload in plant.taken[:2]] == [
        b'[{"n":"temperature","v":4.3,"t":-130.000}]',
        b'[{"n":"temperature","v":4.3,"t":-70.000}]',
    ]
