"""Batches carried by hand: a file of what a gateway has no receipt for.

The batches are the very bytes that would have travelled by MQTT, each with its tag, so the
server believes this file no more and no less than the link. The file itself is only guarded
against a torn copy: a length before each batch, and the digest of all of them at the end.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO

import msgspec

from wire.batch_v1 import MAX_PAYLOAD

MAGIC = b"coldtrail batches 1\n"
MAX_HEAD = 1 << 10


class BadFile(Exception):
    """Not such a file, or not all of it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Head(msgspec.Struct, frozen=True, rename={"made_at_ms": "made_at"}):
    """``partition``: where the gateway's batches go."""

    gateway: str
    partition: int
    made_at_ms: int


def write(file: BinaryIO, head: Head, batches: Iterable[bytes]) -> int:
    """How many batches were written."""
    file.write(MAGIC + msgspec.json.encode(head) + b"\n")
    digest = hashlib.sha256()
    n = 0
    for payload in batches:
        file.write(len(payload).to_bytes(4, "big") + payload)
        digest.update(payload)
        n += 1
    file.write(bytes(4) + digest.digest())
    return n


def read(file: BinaryIO) -> tuple[Head, Iterator[bytes]]:
    """The batches one after the other; a torn file raises ``BadFile`` where it is torn, what
    stands before that is whole."""
    if file.read(len(MAGIC)) != MAGIC:
        raise BadFile("not a file of batches")
    try:
        head = msgspec.json.decode(file.readline(MAX_HEAD), type=Head)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadFile("its first line cannot be read") from error
    return head, _batches(file)


def _batches(file: BinaryIO) -> Iterator[bytes]:
    digest = hashlib.sha256()
    while True:
        size = file.read(4)
        length = int.from_bytes(size, "big")
        if len(size) < 4 or length > MAX_PAYLOAD:
            raise BadFile("it is torn")
        if not length:
            break
        payload = file.read(length)
        if len(payload) < length:
            raise BadFile("it is torn")
        digest.update(payload)
        yield payload
    if file.read(33) != digest.digest():
        raise BadFile("its end does not fit what stands before it")
