"""That a server was put back from a backup: which store became which, signed by the server.

A restored store has an id of its own, because it lacks what came after the backup. A gateway
believes the receipts of another store than the one it knows only when records of this kind
lead from the one to the other; then it sends everything that it still holds. They stand in
each receipt, so that a gateway that was away learns of it as well.
"""

from collections.abc import Callable, Sequence

import msgspec

_PURPOSE = b"coldtrail restore1\n"  # so that nothing else that the key has signed is a restore
MAX_RECORDS = 16  # in one receipt; the newest

Sign = Callable[[bytes], bytes]
Genuine = Callable[[bytes, bytes], bool]


class Restored(msgspec.Struct, frozen=True, rename={"at_ms": "at"}):
    """``readings`` and ``records``: ids of the two stores, before and after."""

    readings: tuple[str, str]
    records: tuple[str, str]
    at_ms: int
    sig: str = ""


def make(readings: tuple[str, str], records: tuple[str, str], at_ms: int, sign: Sign) -> Restored:
    unsigned = Restored(readings, records, at_ms)
    return Restored(readings, records, at_ms, sign(_said(unsigned)).hex())


def believed(restored: Restored, genuine: Genuine) -> bool:
    try:
        signature = bytes.fromhex(restored.sig)
    except ValueError:
        return False
    return genuine(signature, _said(restored))


def leads(records: Sequence[Restored], known: Sequence[str], new: str, genuine: Genuine) -> bool:
    """To the readings' store ``new`` from one of ``known`` (stores that one has gone by), by
    records that the server signed; never back to one of them."""
    if new in known:
        return False
    reached = set(known)
    for restored in records:  # in the order in which it happened
        if restored.readings[0] in reached and believed(restored, genuine):
            reached.add(restored.readings[1])
    return new in reached


def _said(restored: Restored) -> bytes:
    return _PURPOSE + msgspec.json.encode([restored.readings, restored.records, restored.at_ms])
