"""What no decoder understood, read from beside the running gateway.

The gateway stays the only writer of its outbox; this opens the file read-only for one query.
What is to be tried again is a wish left in a folder beside the outbox, which the gateway looks
into once a second.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import apsw

WISHES = ".retry"  # folder beside the outbox, one empty file an id
MOST = 1 << 63  # no number of SQLite's is larger


@dataclass(frozen=True, slots=True)
class Held:
    id: int
    topic: str
    reason: str
    payload: bytes
    received_at_ms: int


def listed(outbox_path: str, after_id: int = 0, limit: int = 100) -> list[Held]:
    """Oldest first; empty where no gateway has run yet."""
    if not Path(outbox_path).exists():
        return []
    db = apsw.Connection(outbox_path, flags=apsw.SQLITE_OPEN_READONLY)
    try:
        db.set_busy_timeout(5_000)
        if not list(db.execute("SELECT 1 FROM sqlite_master WHERE name = 'quarantine'")):
            return []
        return [
            Held(*row)
            for row in db.execute(
                "SELECT id, topic, reason, payload, received_at_ms FROM quarantine"
                " WHERE id > ? ORDER BY id LIMIT ?",
                (after_id, limit),
            )
        ]
    finally:
        db.close()


def show(outbox_path: str, id_: int) -> Held | None:
    found = listed(outbox_path, id_ - 1, 1)
    return found[0] if found and found[0].id == id_ else None


def wish(outbox_path: str, ids: Iterable[int]) -> None:
    folder = Path(outbox_path + WISHES)
    folder.mkdir(exist_ok=True)
    for id_ in ids:
        (folder / str(id_)).touch()


def take_wishes(outbox_path: Path) -> list[int]:
    """Those left since the last look; each is taken once."""
    folder = Path(f"{outbox_path}{WISHES}")
    if not folder.is_dir():
        return []
    taken = []
    for wish_ in sorted(folder.iterdir()):
        if wish_.name.isdecimal() and int(wish_.name) < MOST:
            taken.append(int(wish_.name))
        wish_.unlink(missing_ok=True)
    return taken
