"""SMPP 3.4 as the operator's side reads and writes it. Own code on purpose: the client uses
smpplib, and one library on both ends would agree with its own mistakes."""

import struct
from dataclasses import dataclass, field

MOST_BYTES = 4096  # a submit with a full part and its parameters is below 400

# command ids, section 5.1.2.1
BIND_RECEIVER, BIND_TRANSMITTER, BIND_TRANSCEIVER = 0x01, 0x02, 0x09
SUBMIT_SM, DELIVER_SM, UNBIND, ENQUIRE_LINK = 0x04, 0x05, 0x06, 0x15
RESPONSE = 0x80000000
GENERIC_NACK = 0x80000000
BINDS = (BIND_RECEIVER, BIND_TRANSMITTER, BIND_TRANSCEIVER)

# statuses, section 5.1.3
OK = 0x00
INVALID_COMMAND_LENGTH = 0x02
INVALID_COMMAND = 0x03
WRONG_BIND_STATE = 0x04
ALREADY_BOUND = 0x05
INVALID_REGISTERED_DELIVERY = 0x07
INVALID_SOURCE = 0x0A
INVALID_DESTINATION = 0x0B
WRONG_PASSWORD = 0x0E
WRONG_SYSTEM_ID = 0x0F
QUEUE_FULL = 0x14
INVALID_ESM_CLASS = 0x43
TEMPORARY_APP_ERROR = 0x64
BROKEN_PARAMETERS = 0xC0
PARAMETER_NOT_ALLOWED = 0xC1
PARAMETER_MISSING = 0xC3
PARAMETER_INVALID = 0xC4

# optional parameters, section 5.3.2
USER_MESSAGE_REFERENCE = 0x0204
SAR_REFERENCE, SAR_TOTAL, SAR_NUMBER = 0x020C, 0x020E, 0x020F
RECEIPTED_ID, MESSAGE_STATE = 0x001E, 0x0427
KEY = 0x1501  # vendor's range: names a sending for ever (see channels.smpp)

UDHI = 0x40
RECEIPT = 0x04
UCS2 = 8


class Wrong(Exception):
    """Refused with this status."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True, slots=True)
class Pdu:
    command: int
    status: int
    sequence: int
    body: bytes = b""

    def encode(self) -> bytes:
        head = struct.pack(">IIII", 16 + len(self.body), self.command, self.status, self.sequence)
        return head + self.body


@dataclass(frozen=True, slots=True)
class Submit:
    """One part. ``reference`` is None for a text of one part; phones without their plus."""

    source: str
    to: str
    text: str
    key: str
    receipt: bool
    reference: int | None = None
    total: int = 1
    number: int = 1


@dataclass(slots=True)
class _Fields:
    """Reads a body from left to right; running over its end is ``Wrong``."""

    body: bytes
    at: int = 0
    parameters: dict[int, bytes] = field(default_factory=dict)

    def text(self, most: int) -> str:
        end = self.body.find(b"\0", self.at)
        if end < 0 or end - self.at >= most:
            raise Wrong(INVALID_COMMAND_LENGTH, f"text field longer than {most - 1}")
        raw, self.at = self.body[self.at : end], end + 1
        try:
            return raw.decode("ascii")
        except UnicodeDecodeError as error:
            raise Wrong(INVALID_COMMAND_LENGTH, "text field is not ASCII") from error

    def byte(self) -> int:
        return self.bytes(1)[0]

    def bytes(self, n: int) -> bytes:
        taken = self.body[self.at : self.at + n]
        if len(taken) < n:
            raise Wrong(INVALID_COMMAND_LENGTH, "body ends in the middle of a field")
        self.at += n
        return taken

    def rest(self, allowed: set[int]) -> None:
        """The optional parameters; an unknown or repeated one is refused."""
        while self.at < len(self.body):
            try:
                tag, length = struct.unpack(">HH", self.bytes(4))
                value = self.bytes(length)
            except Wrong as error:
                raise Wrong(BROKEN_PARAMETERS, str(error)) from error
            if tag not in allowed or tag in self.parameters:
                raise Wrong(PARAMETER_NOT_ALLOWED, f"parameter 0x{tag:04x}")
            self.parameters[tag] = value


def header(raw: bytes) -> tuple[int, int, int, int]:
    """(length, command, status, sequence); ``Wrong`` for a length that cannot be."""
    length, command, status, sequence = struct.unpack(">IIII", raw)
    if not 16 <= length <= MOST_BYTES:
        raise Wrong(INVALID_COMMAND_LENGTH, f"{length} bytes")
    return length, command, status, sequence


def bind(body: bytes) -> tuple[str, str]:
    """(system id, password)."""
    fields = _Fields(body)
    system_id, password = fields.text(16), fields.text(9)
    fields.text(13)  # system type
    fields.bytes(3)  # version, type and plan of the address range
    fields.text(41)
    if fields.at != len(body):
        raise Wrong(INVALID_COMMAND_LENGTH, "bytes after the last field")
    return system_id, password


def empty(body: bytes) -> None:
    if body:
        raise Wrong(INVALID_COMMAND_LENGTH, "a body where there is none")


def submit(body: bytes) -> Submit:
    """The part, or ``Wrong`` with what is missing, unknown or impossible."""
    f = _Fields(body)
    f.text(6)  # service type
    f.bytes(2)
    source = f.text(21)
    f.bytes(2)
    to = f.text(21)
    esm_class = f.byte()
    f.bytes(2)  # protocol id, priority
    if f.text(17) or f.text(17):
        raise Wrong(PARAMETER_INVALID, "schedule and validity are not supported")
    registered = f.byte()
    f.byte()  # replace if present
    coding = f.byte()
    f.byte()  # default message id
    message = f.bytes(f.byte())
    f.rest({USER_MESSAGE_REFERENCE, SAR_REFERENCE, SAR_TOTAL, SAR_NUMBER, KEY})
    if not (to.isdigit() and 5 <= len(to) <= 15):
        raise Wrong(INVALID_DESTINATION, f"destination {to!r}")
    if source and not source.isdigit():
        raise Wrong(INVALID_SOURCE, f"source {source!r}")
    if registered not in (0, 1):
        raise Wrong(INVALID_REGISTERED_DELIVERY, f"registered_delivery {registered}")
    if esm_class not in (0, UDHI):
        raise Wrong(INVALID_ESM_CLASS, f"esm_class {esm_class}")
    if coding != UCS2:
        raise Wrong(PARAMETER_INVALID, f"data coding {coding}")
    key = f.parameters.get(KEY)
    if not key or len(key) > 200:
        raise Wrong(PARAMETER_MISSING, "the sending's key")
    reference, total, number, message = _place(esm_class, message, f.parameters)
    try:
        text, name = message.decode("utf-16-be"), key.decode()
    except UnicodeDecodeError as error:
        raise Wrong(PARAMETER_INVALID, "the text is not UCS-2") from error
    return Submit(source, to, text, name, bool(registered), reference, total, number)


def _place(
    esm_class: int, message: bytes, parameters: dict[int, bytes]
) -> tuple[int | None, int, int, bytes]:
    """(reference, total, number, text): from the header in the text or from the parameters."""
    given = [parameters.get(tag) for tag in (SAR_REFERENCE, SAR_TOTAL, SAR_NUMBER)]
    if esm_class & UDHI:
        if any(given) or len(message) < 7 or message[:3] != b"\x05\x00\x03":
            raise Wrong(PARAMETER_INVALID, "not a header of one concatenated part")
        reference, total, number = message[3], message[4], message[5]
        message = message[6:]
    elif any(given):
        ref, tot, num = given
        if ref is None or tot is None or num is None or (len(ref), len(tot), len(num)) != (2, 1, 1):
            raise Wrong(PARAMETER_MISSING, "all of the three SAR parameters")
        reference, total, number = int.from_bytes(ref, "big"), tot[0], num[0]
    else:
        return None, 1, 1, message
    if not 1 <= number <= total:
        raise Wrong(PARAMETER_INVALID, f"part {number} of {total}")
    return reference, total, number, message


def parameter(tag: int, value: bytes) -> bytes:
    return struct.pack(">HH", tag, len(value)) + value


def deliver(source: str, to: str, esm_class: int, coding: int, text: bytes, more: bytes) -> bytes:
    """Body of a deliver_sm: a person's text or a receipt, phones without their plus."""
    if len(text) > 254:
        raise ValueError("a deliver_sm carries at most 254 bytes")
    return b"".join(
        (
            b"\0\x01\x01",
            source.encode() + b"\0",
            b"\x01\x01",
            to.encode() + b"\0",
            bytes((esm_class, 0, 0)),
            b"\0\0",
            bytes((0, 0, coding, 0, len(text))),
            text,
            more,
        )
    )
