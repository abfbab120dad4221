"""What an alarm is called: its room, its code, and the instant at which it was first seen to fire.

So a link can be followed even when the file it was made from is gone.
"""

from domain.reading import RoomId


def name(room: RoomId, code: str, fired_at_ms: int, nth: int = 0) -> str:
    """``nth``: how many others of this room, code and instant carry their names already."""
    return f"{room}.{code}.{fired_at_ms}" + (f"-{nth}" if nth else "")


def parse(id: str) -> tuple[RoomId, str, int] | None:
    """None for what is no such name, as those of before were."""
    room, _, rest = id.rpartition(".")
    room, _, code = room.rpartition(".")
    at_ms = rest.partition("-")[0]
    if not (room and code and at_ms.isascii() and at_ms.isdigit() and len(at_ms) <= 15):
        return None
    return RoomId(room), code, int(at_ms)
