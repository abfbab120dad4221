"""A Modbus line by pymodbus, which is imported when a line is opened and not before: 4 MB that a
gateway without controllers does not carry."""

from typing import Any, Protocol, cast

from gateway.modbus import NoAnswer, Refused
from gateway.modbus_map import Line, Register


class _Answer(Protocol):
    registers: list[int]
    bits: list[bool]

    def isError(self) -> bool: ...  # as pymodbus names it


class PymodbusLine:
    """Raises ``NoAnswer`` when the line cannot be opened, and whenever nobody answers on it."""

    def __init__(self, line: Line, timeout_s: float) -> None:
        try:
            from pymodbus import FramerType
            from pymodbus.client import ModbusSerialClient, ModbusTcpClient
            from pymodbus.exceptions import ModbusException
        except ImportError as error:
            raise NoAnswer("pymodbus is not installed: pip install 'coldtrail[modbus]'") from error
        self._mistakes = (ModbusException, OSError)
        self._client: Any
        if line.kind == "rtu":
            self._client = ModbusSerialClient(
                line.path, baudrate=line.baudrate, parity=line.parity, stopbits=line.stopbits,
                timeout=timeout_s, retries=1,
            )  # fmt: skip
        else:
            framer = FramerType.RTU if line.kind == "tcp+rtu" else FramerType.SOCKET
            self._client = ModbusTcpClient(
                line.host, port=line.port, framer=framer, timeout=timeout_s, retries=1
            )
        try:
            opened = self._client.connect()
        except self._mistakes as error:
            raise NoAnswer(str(error)) from error
        if not opened:
            raise NoAnswer("the line cannot be opened")

    def words(self, unit: int, register: Register) -> list[int]:
        ask = {
            "holding": self._client.read_holding_registers,
            "input": self._client.read_input_registers,
        }[register.table]
        words = self._ask(ask, unit, register, register.words).registers
        if len(words) != register.words:
            raise NoAnswer(f"register {register.address}: {len(words)} words")
        return words

    def bit(self, unit: int, register: Register) -> bool:
        ask = {"coil": self._client.read_coils, "discrete": self._client.read_discrete_inputs}
        bits = self._ask(ask[register.table], unit, register, 1).bits
        if not bits:
            raise NoAnswer(f"bit {register.address}: nothing")
        return bool(bits[0])

    def close(self) -> None:
        self._client.close()

    def _ask(self, ask: Any, unit: int, register: Register, count: int) -> _Answer:
        try:
            answer = cast(_Answer, ask(register.address, count=count, device_id=unit))
        except self._mistakes as error:
            raise NoAnswer(str(error)) from error
        if answer.isError():
            raise Refused(f"{register.table} {register.address}: {answer}")
        return answer
