"""Which batches are on disk, by gateway and epoch, with the digest that names their bytes.

Written inside the caller's transaction; what is remembered runs ahead of the commit, so
after one that fails it is to be loaded again.
"""

from collections import defaultdict
from collections.abc import Sequence

import apsw

from domain.ranges import Ranges
from store.ports import AdmittedBatch, ArrivalNo, BatchId


class Ledger:
    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        self._epochs: dict[tuple[str, str], int] = {}
        self._ranges: dict[int, Ranges] = {}

    def load(self) -> None:
        self._epochs = {
            (gateway, epoch): id_
            for id_, gateway, epoch in self._db.execute("SELECT id, gateway, epoch FROM epoch")
        }
        pairs: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for epoch, first, last in self._db.execute("SELECT epoch, first, last FROM ledger"):
            pairs[epoch].append((first, last))
        self._ranges = {id_: Ranges(pairs[id_]) for id_ in self._epochs.values()}

    def digest(self, batch: BatchId) -> bytes | None:
        """Of the bytes stored under this name; None when there are none."""
        epoch = self._epochs.get((batch.gateway, batch.epoch))
        if epoch is None or batch.seq not in self._ranges[epoch]:
            return None
        found = self._db.execute(
            "SELECT digest FROM batch WHERE epoch = ? AND seq = ?", (epoch, batch.seq)
        ).fetchall()
        digest = found[0][0] if found else None
        return digest if isinstance(digest, bytes) else None

    def put(self, batches: Sequence[AdmittedBatch]) -> None:
        """Batches under names that are new."""
        before: dict[int, list[tuple[int, int]]] = {}
        digests: list[tuple[int, int, bytes]] = []
        for batch in batches:
            epoch = self._epoch(batch.id)
            ranges = self._ranges[epoch]
            before.setdefault(epoch, list(ranges))
            ranges.add(batch.id.seq, batch.id.seq)
            digests.append((epoch, batch.id.seq, batch.digest))
        self._db.executemany("INSERT INTO batch VALUES(?, ?, ?)", digests)
        for epoch, pairs in before.items():
            was, now = set(pairs), set(self._ranges[epoch])
            gone = {first for first, _ in was - now} - {first for first, _ in now}
            self._db.executemany(
                "DELETE FROM ledger WHERE epoch = ? AND first = ?",
                [(epoch, first) for first in gone],
            )
            self._db.executemany(
                "INSERT OR REPLACE INTO ledger VALUES(?, ?, ?)",
                [(epoch, *pair) for pair in now - was],
            )

    def put_notes(self, batches: Sequence[AdmittedBatch], n: ArrivalNo | None) -> None:
        """The bodies of batches that carry no readings, as they came."""
        self._db.executemany(
            "INSERT INTO note VALUES(?, ?, ?, ?, ?, ?)",
            [
                (self._epoch(one.id), one.id.seq, one.kind, one.cut_at_ms, n, one.note)
                for one in batches
            ],
        )

    def put_boots(self, batches: Sequence[AdmittedBatch], stored_at_ms: int) -> None:
        """What was learnt of gateways' boots, and who waits for more."""
        self._db.executemany(
            "INSERT OR IGNORE INTO boot VALUES(?, ?, ?)",
            {
                (one.id.gateway, one.boot, one.offset_ms)
                for one in batches
                if one.offset_ms is not None
            },
        )
        self._db.executemany(
            "INSERT OR IGNORE INTO undated VALUES(?, ?, ?, ?)",
            [
                (self._epoch(one.id), one.id.seq, one.undated, stored_at_ms)
                for one in batches
                if one.undated
            ],
        )

    def waits_for_date(self, batch: BatchId) -> bool:
        where = (self._epoch(batch), batch.seq)
        found = self._db.execute("SELECT 1 FROM undated WHERE epoch = ? AND seq = ?", where)
        return bool(found.fetchall())

    def dated(self, batch: BatchId) -> None:
        where = (self._epoch(batch), batch.seq)
        self._db.execute("DELETE FROM undated WHERE epoch = ? AND seq = ?", where)

    def _epoch(self, batch: BatchId) -> int:
        """The epoch's number, given when it is first seen."""
        name = (batch.gateway, batch.epoch)
        epoch = self._epochs.get(name)
        if epoch is None:
            epoch = self._epochs[name] = len(self._epochs) + 1
            self._ranges[epoch] = Ranges()
            self._db.execute("INSERT INTO epoch VALUES(?, ?, ?)", (epoch, *name))
        return epoch
