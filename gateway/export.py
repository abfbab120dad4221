"""What has no receipt, read from beside the running gateway, to be carried by hand.

The gateway stays the only writer of its outbox. What it heard of receipts in the last half
minute may not be written down yet: then a batch is carried that the server has already, which
changes nothing there.
"""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import msgspec

from domain.ranges import Ranges
from gateway.outbox import Known

PAGE = 200


def unreceipted(outbox_path: str) -> Iterator[bytes]:
    """Oldest first. Raises ``FileNotFoundError`` where no gateway has run yet."""
    if not Path(outbox_path).exists():
        raise FileNotFoundError(outbox_path)
    with closing(apsw.Connection(outbox_path, flags=apsw.SQLITE_OPEN_READONLY)) as db:
        db.set_busy_timeout(5_000)
        row = db.execute("SELECT value FROM known WHERE key = 'server'").fetchone()
        known = msgspec.json.decode(row[0], type=Known) if row else Known()
        received = {name: Ranges(ranges) for name, ranges in known.received.items()}
        after = known.below
        while page := list[tuple[int, str, int, bytes]](
            db.execute(
                "SELECT batch.id, epoch.name, seq, payload FROM batch"
                " JOIN epoch ON epoch.no = batch.epoch WHERE batch.id > ? ORDER BY batch.id LIMIT ?",
                (after, PAGE),
            )
        ):
            for id_, epoch, seq, payload in page:
                after = id_
                if seq not in received.get(epoch, ()):
                    yield payload
