"""Controllers that are asked, each a simulator of pymodbus on loopback; a pair of pseudo
terminals stands for the serial line."""

import asyncio
import os
import select
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gateway.modbus import NoAnswer, Refused
from gateway.modbus_line import PymodbusLine
from gateway.modbus_map import Register, line, value_of
from tests.integration.gateway.rig import running
from tests.support.servers import free_port, wait_until

pymodbus = pytest.importorskip("pymodbus")
pytestmark = pytest.mark.server

MAP = """
[[device]]
name = "plc1"
url = "{url}"
unit = 3
every_s = 1
timeout_s = 1

[[device.register]]
quantity = "temperature"
part = "evaporator"
address = 100
scale = 0.1

[[device.register]]
quantity = "temperature"
address = 110
type = "float32"
word_order = "little"

[[device.register]]
quantity = "humidity"
table = "input"
address = 5
type = "uint16"
scale = 0.01
invalid = [65535]

[[device.register]]
quantity = "co2"
address = 9999

[[device.register]]
quantity = "door"
table = "coil"
address = 2
type = "bit"
"""


def controller(unit: int = 3) -> Any:
    """-24.5 in tenths, 4.25 with its low word first, a sensor that is not there, an open door."""
    from pymodbus.simulator import DataType, SimData, SimDevice

    registers = [
        SimData(100, values=[-245], datatype=DataType.INT16),
        SimData(110, values=[0x0000, 0x4088], datatype=DataType.REGISTERS),
    ]
    inputs = [SimData(5, values=[65535], datatype=DataType.UINT16)]
    bits = [SimData(0, values=[False, False, True, False], datatype=DataType.BITS)]
    return SimDevice(id=unit, simdata=(bits, bits, registers, inputs))


@contextmanager
def simulator(make: Callable[[], Any]) -> Iterator[None]:
    """A server of pymodbus, in a loop and a thread of its own."""
    loop = asyncio.new_event_loop()
    servers: list[Any] = []
    up = threading.Event()

    async def serve() -> None:
        servers.append(make())
        await servers[0].serve_forever(background=True)
        up.set()
        await stopping.wait()
        await servers[0].shutdown()

    stopping = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert up.wait(10)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stopping.set)
        thread.join(10)
        loop.close()


def tcp(port: int, framer: str = "socket") -> Callable[[], Any]:
    from pymodbus import FramerType
    from pymodbus.server import ModbusTcpServer

    return lambda: ModbusTcpServer(
        controller(), framer=FramerType(framer), address=("127.0.0.1", port)
    )


@contextmanager
def serial_line() -> Iterator[tuple[str, str]]:
    """Two terminals, as the two ends of one cable."""
    ends = [os.openpty() for _ in range(2)]
    for _, end in ends:
        tty.setraw(end)
    masters = [master for master, _ in ends]
    stop = threading.Event()

    def carry() -> None:
        while not stop.is_set():
            for master in select.select(masters, [], [], 0.1)[0]:
                other = masters[1 - masters.index(master)]
                os.write(other, os.read(master, 256))

    thread = threading.Thread(target=carry, daemon=True)
    thread.start()
    try:
        yield os.ttyname(ends[0][1]), os.ttyname(ends[1][1])
    finally:
        stop.set()
        thread.join(5)
        for pair in ends:
            for end in pair:
                os.close(end)


def read_all(url: str) -> list[Decimal | None]:
    asked = PymodbusLine(line(url), 2.0)
    try:
        return [
            value_of(r, asked.bit(3, r) if r.is_bit else asked.words(3, r))
            for r in (
                Register("temperature", 100, scale=Decimal("0.1")),
                Register("temperature", 110, type="float32", word_order="little"),
                Register("humidity", 5, table="input", type="uint16", invalid=[65535]),
                Register("door", 2, table="coil", type="bit"),
                Register("door", 1, table="discrete", type="bit"),
            )
        ]
    finally:
        asked.close()


EXPECTED = [Decimal("-24.5"), Decimal("4.25"), None, Decimal(1), Decimal(0)]


def test_every_table_and_type_is_read_by_tcp_and_through_a_converter() -> None:
    for scheme, framer in (("tcp", "socket"), ("tcp+rtu", "rtu")):
        port = free_port()
        with simulator(tcp(port, framer)):
            assert read_all(f"{scheme}://127.0.0.1:{port}") == EXPECTED


def test_every_table_and_type_is_read_on_a_serial_line() -> None:
    from pymodbus.server import ModbusSerialServer

    with serial_line() as (ours, theirs):
        make = lambda: ModbusSerialServer(controller(), port=theirs, baudrate=9600)  # noqa: E731
        with simulator(make):
            assert read_all(f"rtu://{ours}?baudrate=9600") == EXPECTED


def test_a_register_that_is_not_there_is_refused_and_a_controller_that_is_not_is_no_answer() -> (
    None
):
    port = free_port()
    with simulator(tcp(port)):
        asked = PymodbusLine(line(f"tcp://127.0.0.1:{port}"), 0.3)
        with pytest.raises(Refused):
            asked.words(3, Register("temperature", 4000))
        with pytest.raises((NoAnswer, Refused)):
            asked.words(9, Register("temperature", 100))
        asked.close()
    with pytest.raises(NoAnswer):
        PymodbusLine(line(f"tcp://127.0.0.1:{port}"), 0.3)


def test_a_controllers_readings_reach_the_server_and_come_back_after_it_was_away(
    tmp_path: Path,
) -> None:
    port = free_port()
    file = tmp_path / "modbus.toml"
    file.write_text(MAP.format(url=f"tcp://127.0.0.1:{port}"))
    with running(tmp_path, modbus_file=str(file)) as (rig, server, _device):
        rig.gateway.start()
        wait_until(lambda: "does not answer" in rig.gateway.log(), 20, "it is not there yet")
        began_ms = time.time_ns() // 1_000_000
        with simulator(tcp(port)):
            wait_until(lambda: server.has(3), 40, "a first turn is stored")
        found = {(p, q): c for (p, q, _), c in list(server.stored.items())}
        assert found == {
            ("mqtt:gw-1:plc1/evaporator", "temperature"): (-2450, 0),
            ("mqtt:gw-1:plc1", "temperature"): (425, 0),
            ("mqtt:gw-1:plc1", "door"): (1, 0),
        }
        assert all(at_ms >= began_ms - 1000 for _, _, at_ms in server.stored)
        before = len(server.stored)
        with simulator(tcp(port)):
            wait_until(lambda: server.has(before + 3), 60, "it is asked again")
        assert rig.gateway.peak_kb() < 60_000
