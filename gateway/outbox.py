"""Readings and batches that wait for the server's receipt, in one SQLite file.

What ``take`` returned from is on disk; so is every batch before it is sent. A batch is
immutable: its bytes are stored once and sent as often as needed. Only a receipt makes it
*evictable*, and even then it stays ``KEEP_MS`` if there is room, for a server that is
restored from an old backup. At the outbox's own limit evictable batches go first, then the
oldest without a receipt, and a *tombstone* batch names each run of them: which, how many, of
when, and why. When it is the disk that is short, nothing is given up: ``take`` raises ``Full``,
nothing more is acknowledged, and the devices' broker holds the rest.

Tables only grow at their end: readings that wait for the next cut are one packed row a
commit, a batch is one row, and what the server has is kept as ranges instead of a mark on
each row. That keeps a commit at one or two pages.
"""

import logging
import os
import threading
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import NamedTuple, Self

import apsw
import msgspec

from disk.room import BALLAST_BYTES, Ballast, Full
from disk.transaction import NO_ROOM, transaction
from domain.ranges import Ranges
from domain.reading import Columns, Series
from wire import events_v1, tombstone_v1, undated_v1
from wire.batch_v1 import (
    MAX_READINGS,
    MAX_WIDTH_MS,
    Clock,
    Header,
    digest,
    open_batch,
    pack_readings,
    seal_batch,
    unpack_readings,
)
from wire.receipt_v1 import MAX_EPOCHS, Receipt

log = logging.getLogger(__name__)

LIVE_MS = 5 * 60_000  # a batch whose newest reading is younger than this is live
KEEP_MS = 14 * 86_400_000
LAST_MS = 1 << 53  # later than any clock says
QUARANTINE_BYTES = 32 << 20
QUARANTINE_SAMPLES = 100  # of one topic and reason; the rest are counted
UNDATED_WAIT_MS = 10 * 60_000  # a clock that will be right is so within minutes of the network
MOST_BOOTS = 16  # whose offsets are remembered; what a boot left is cut soon after the next start
_BOOTS = "boots"  # of what is known: offset by boot, the newest last
_UNDATED_BOOT = "undated boot"  # of what is known: the newest of which undated batches were cut
_LOOK_BACK = 200  # batches
_CERTIFICATE = "certificate "  # of what is known, those that devices gave
_NONE: Mapping[str, bytes] = MappingProxyType({})
_BATCHES_A_PAGE = 20
_QUARANTINE_ROW = 256  # bytes of a row and of what is remembered of it, besides its texts

_SCHEMA = """
CREATE TABLE IF NOT EXISTS epoch (
    no INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    last_seq INTEGER  -- NULL while it is the newest
) STRICT;
CREATE TABLE IF NOT EXISTS incoming (id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS undated (
    id INTEGER PRIMARY KEY,
    boot TEXT NOT NULL,
    body BLOB NOT NULL  -- times since that boot's start
) STRICT;
CREATE TABLE IF NOT EXISTS batch (
    id INTEGER PRIMARY KEY,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    cut_at_ms INTEGER NOT NULL,
    oldest_ms INTEGER NOT NULL,
    newest_ms INTEGER NOT NULL,
    readings INTEGER NOT NULL,
    size INTEGER NOT NULL,
    payload BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS known (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS quarantine (
    id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    topic TEXT NOT NULL,
    reason TEXT NOT NULL,
    payload BLOB NOT NULL,
    received_at_ms INTEGER NOT NULL,
    late INTEGER NOT NULL DEFAULT 1
) STRICT;
"""
# What an earlier version kept may have been late for all anybody knows.
_LATE = "ALTER TABLE quarantine ADD COLUMN late INTEGER NOT NULL DEFAULT 1"


class Row(NamedTuple):
    """One reading as it enters."""

    series: Series
    at_ms: int
    counts: int
    quality: int


@dataclass(frozen=True, slots=True)
class Unfit:
    """Bytes that became no reading, and why. ``late``: they arrived at some time before."""

    topic: str
    reason: str
    payload: bytes
    received_at_ms: int
    late: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """A batch without a receipt."""

    id: int
    epoch: int
    seq: int
    cut_at_ms: int
    oldest_ms: int
    newest_ms: int
    readings: int
    size: int


@dataclass(frozen=True, slots=True)
class Sealer:
    """Who cuts: what every header repeats, and the key of the tag."""

    gateway: str
    kid: str
    key: bytes


@dataclass(frozen=True, slots=True)
class Level:
    """How full the outbox is, in bytes; ``limit`` allows for the disk's free space."""

    used: int
    limit: int


@dataclass(frozen=True, slots=True)
class Backlog:
    """What has no receipt; the times are measured times, both inside."""

    batches: int
    readings: int
    bytes: int
    oldest_ms: int | None
    newest_ms: int | None


class Impossible(Exception):
    """A receipt for more than was ever cut: not about this outbox. Nothing was applied."""


class Known(msgspec.Struct):
    """What the server has said, kept so that a restart does not send everything again."""

    received: dict[str, list[tuple[int, int]]] = {}
    refused: list[tuple[str, int, str]] = []
    below: int = 0  # every batch with an id up to here is receipted
    n: int = 0  # the highest arrival up to which a receipt spoke


@dataclass(slots=True)
class _Epoch:
    no: int
    name: str
    last_seq: int = 0
    received: Ranges = field(default_factory=Ranges)


class Outbox:
    """One process, several threads: every public method takes the lock for its duration."""

    def __init__(
        self,
        path: Path,
        sealer: Sealer,
        *,
        limit_bytes: int = 2 << 30,
        disk_reserve_bytes: int = 256 << 20,
        ballast_bytes: int = BALLAST_BYTES,
    ) -> None:
        self.path = path
        self._sealer = sealer
        self._limit = limit_bytes
        self._reserve = disk_reserve_bytes
        self._lock = threading.RLock()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._ballast = Ballast(
            path.with_suffix(".ballast"), ballast_bytes, leave_bytes=ballast_bytes
        )
        self._ballast.release_if_needed()  # opening needs a little room itself
        try:
            self._db = _open(path)
        except (*NO_ROOM, apsw.CantOpenError, OSError) as error:
            raise Full(f"{path} cannot be opened: {error}") from error
        self._epochs: dict[str, _Epoch] = {}
        self._waiting: dict[int, Waiting] = {}
        self._parked: dict[tuple[str, int], str] = {}  # refused, and why
        self._parked_ids: dict[int, tuple[str, int]] = {}
        self._receipted_n = 0
        self._lacking = False
        self._unsaved = False
        self._page_size = self._pragma("page_size")
        self._last_digest = b""
        self._previous: tuple[str, int] | None = None  # the epoch before, and its last seq
        self._pending = 0
        self._undated = 0  # readings that have no instant yet and are in no batch
        self._trusted_ms: int | None = None  # the newest instant that a trusted clock has shown
        self._reports: set[int] = set()  # of those that wait, the ones that carry no readings
        self._samples: dict[tuple[str, str], int] = {}
        self._quarantine_size = 0
        self._unfit_seen = 0
        self._epoch = self._load()
        self._ballast.hold()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # ---- in ----------------------------------------------------------------------------

    def take(
        self,
        rows: Sequence[Row],
        unfit: Sequence[Unfit],
        now_ms: int,
        clock: Clock,
        *,
        cut: bool,
        certificates: Mapping[str, bytes] = _NONE,
        released: Sequence[int] = (),
        undated: Sequence[Row] = (),
        since_boot_ms: int = 0,
    ) -> list[Waiting]:
        """Put readings and quarantine on disk in one commit; with ``cut``, as batches.

        ``certificates``: topic to what a device said there of itself, in place of what it said
        before; its later messages are understood by it. ``released``: what leaves quarantine
        because its readings are among these. ``undated``: rows whose times count from the start of
        ``clock.boot``, where it is ``since_boot_ms`` now. They wait for the boot's offset, for
        minutes; then they are cut as they are, and the server waits for it.

        Returns the batches that were cut. Raises ``Full`` when there is no room; then
        nothing of this call was kept. Cutting alone needs no room: it only moves, and what
        it makes can be sent, receipted, and then make room.
        """
        with self._lock:
            if rows or unfit or undated:
                self.make_room(now_ms, clock)
            made: list[Waiting] = []
            epoch = self._epoch
            was = (epoch.last_seq, self._last_digest, self._pending, self._undated)
            try:
                with transaction(self._db):
                    self._quarantine(unfit)
                    self._release(released)
                    for topic, certificate in certificates.items():
                        self._db.execute(
                            "INSERT OR REPLACE INTO known (key, value) VALUES (?, ?)",
                            (_CERTIFICATE + topic, certificate),
                        )
                    if undated:
                        self._keep_undated(undated, clock)
                    if cut:
                        dated, made = self._date(now_ms, clock, since_boot_ms)
                        made += self._cut([*rows, *dated], now_ms, clock)
                    elif rows:
                        self._keep(rows)
            except Full:
                self._ballast.release()
                epoch.last_seq, self._last_digest, self._pending, self._undated = was
                self._count_quarantine()
                raise
            for batch in made:
                self._waiting[batch.id] = batch
            return made

    # ---- without a time ----------------------------------------------------------------

    def boot_offset(self, boot: str) -> int | None:
        """What turns the time since this boot's start into UTC, if that was ever known."""
        with self._lock:
            return self._offsets().get(boot)

    def keep_boot_offset(self, boot: str, offset: int, now_ms: int) -> bool:
        """On disk before anything is dated by it: a boot has one offset, for ever. Where undated
        batches of the boot were cut, a report tells the server at once, for the machine may be off
        before the next reading. False when there is no room for it now."""
        with self._lock:
            epoch = self._epoch
            was = (epoch.last_seq, self._last_digest)
            made: Waiting | None = None
            try:
                with transaction(self._db):
                    newest = [*self._offsets().items(), (boot, offset)][-MOST_BOOTS:]
                    self._put_known(_BOOTS, msgspec.json.encode(dict(newest)))
                    if self._get_known(_UNDATED_BOOT) == boot.encode():
                        clock, span = Clock(True, offset, boot), (now_ms, now_ms)
                        body = events_v1.encode([])
                        made = self._append("event", body, 0, span, now_ms, clock)
            except Full:
                self._ballast.release()
                epoch.last_seq, self._last_digest = was
                return False
            if made is not None:
                self._waiting[made.id] = made
                self._reports.add(made.id)
            return True

    def _offsets(self) -> dict[str, int]:
        return msgspec.json.decode(self._get_known(_BOOTS) or b"{}", type=dict[str, int])

    def _put_known(self, key: str, value: bytes) -> None:
        self._db.execute("INSERT OR REPLACE INTO known (key, value) VALUES (?, ?)", (key, value))

    def _get_known(self, key: str) -> bytes:
        row = self._db.execute("SELECT value FROM known WHERE key = ?", (key,)).fetchone()
        return row[0] if row else b""

    def _keep_undated(self, rows: Sequence[Row], clock: Clock) -> None:
        for part in _portions(sorted(set(rows), key=_by_time)):
            self._db.execute(
                "INSERT INTO undated (boot, body) VALUES (?, ?)",
                (clock.boot, pack_readings(_columns(part))),
            )
            self._undated += len(part)

    def _date(
        self, now_ms: int, clock: Clock, since_boot_ms: int
    ) -> tuple[list[Row], list[Waiting]]:
        """Undated rows that can be dated now; and the others as batches, where they have waited
        long enough, are many, or belong to a boot that is over."""
        if not self._undated:
            return [], []
        boots: dict[str, list[Row]] = {}
        for boot, body in self._db.execute("SELECT boot, body FROM undated"):
            boots.setdefault(boot, []).extend(_rows(body))
        dated: list[Row] = []
        made: list[Waiting] = []
        for boot, rows in boots.items():
            offset = clock.offset if boot == clock.boot else self.boot_offset(boot)
            if offset is not None:
                dated += [row._replace(at_ms=row.at_ms + offset) for row in rows]
            elif boot == clock.boot and (
                len(rows) < MAX_READINGS
                and min(row.at_ms for row in rows) > since_boot_ms - UNDATED_WAIT_MS
            ):
                continue
            else:
                made += self._seal_undated(boot, rows, now_ms, clock)
            self._db.execute("DELETE FROM undated WHERE boot = ?", (boot,))
            self._undated -= len(rows)
        return dated, made

    def _seal_undated(
        self, boot: str, rows: Sequence[Row], now_ms: int, clock: Clock
    ) -> list[Waiting]:
        made = []
        if boot == clock.boot:
            self._put_known(_UNDATED_BOOT, boot.encode())
        for part in _portions(sorted(set(rows), key=_by_time)):
            undated = undated_v1.Undated(boot, self._trusted_ms, _columns(part))
            body, span = undated_v1.encode(undated), (now_ms, now_ms)
            made.append(self._append("undated", body, len(part), span, now_ms, clock))
        return made

    def held(self, ids: Iterable[int], topics: Iterable[str]) -> list[tuple[int, Unfit]]:
        """What of these is in quarantine: by its number, or on its topic."""
        found: dict[int, Unfit] = {}
        with self._lock:
            for where, names in (("id = ?", ids), ("topic = ?", topics)):
                for name in names:
                    rows = self._db.execute(
                        "SELECT id, topic, reason, payload, received_at_ms, late FROM quarantine"  # noqa: S608  # one of the two above
                        f" WHERE {where}",
                        (name,),
                    )
                    for id, topic, reason, payload, at_ms, late in rows:
                        found[id] = Unfit(topic, reason, payload, at_ms, bool(late))
        return sorted(found.items())

    def certificates(self) -> dict[str, bytes]:
        with self._lock:
            return {
                key.removeprefix(_CERTIFICATE): value
                for key, value in self._db.execute(
                    "SELECT key, value FROM known WHERE key GLOB ?", (f"{_CERTIFICATE}*",)
                )
            }

    def report(self, body: bytes, now_ms: int, clock: Clock) -> None:
        """Put events on disk as a batch of their own, which goes before everything else.
        Raises ``Full``; then nothing was kept."""
        with self._lock:
            self.make_room(now_ms, clock)
            epoch = self._epoch
            was = (epoch.last_seq, self._last_digest)
            try:
                with transaction(self._db):
                    made = self._append("event", body, 0, (now_ms, now_ms), now_ms, clock)
            except Full:
                self._ballast.release()
                epoch.last_seq, self._last_digest = was
                raise
            self._waiting[made.id] = made
            self._reports.add(made.id)

    def readings(self, since_ms: int) -> Iterator[list[Row]]:
        """What is held of the time since, in pages, newest batches first; then what is in no batch
        yet. Some of it is older; what was cut before, with a clock ahead, is left out."""
        before = LAST_MS
        while True:
            with self._lock:
                page: list[tuple[int, bytes, int]] = self._db.execute(  # type: ignore[assignment]  # its columns
                    "SELECT id, payload, readings FROM batch WHERE id < ? AND cut_at_ms >= ?"
                    " AND newest_ms >= ? ORDER BY id DESC LIMIT ?",
                    (before, since_ms, since_ms, _BATCHES_A_PAGE),
                ).fetchall()
            for id, payload, readings in page:
                before = id
                if readings:
                    header, body = open_batch(payload, lambda _gw, _kid: self._sealer.key)
                    if header.kind == "readings":
                        yield list(_rows(body))
            if len(page) < _BATCHES_A_PAGE:
                break
        with self._lock:
            incoming: list[tuple[bytes]] = self._db.execute(  # type: ignore[assignment]  # its column
                "SELECT body FROM incoming"
            ).fetchall()
        for (body,) in incoming:
            yield list(_rows(body))

    def mark(self) -> int:
        """Names everything that is held now; see ``receipted``."""
        with self._lock:
            return self._last_id() + (2 if self._pending else 0)  # a cut makes one or two

    def receipted(self, mark: int) -> bool:
        """The server has all of what ``mark`` named."""
        with self._lock:
            first = next(iter(self._waiting), None)
            cut = not self._pending or self._last_id() >= mark
            return cut and (first is None or first > mark)

    @property
    def receipted_n(self) -> int:
        """The highest arrival at the server up to which a receipt spoke; 0 before the first."""
        return self._receipted_n

    @property
    def lacking(self) -> bool:
        """The newest receipt had less than earlier ones: the store behind it was set back."""
        return self._lacking

    def heard(self) -> bool:
        """Some receipt counts here; one of before ``receipted_n`` was kept as well."""
        with self._lock:
            known = any(epoch.received for epoch in self._epochs.values())
            return known or bool(self._receipted_n or self._parked)

    def idle(self) -> bool:
        """No batch waits for a receipt."""
        with self._lock:
            return not self._waiting

    def pending(self) -> int:
        """Readings on disk that no batch holds yet."""
        with self._lock:
            return self._pending + self._undated

    def _keep(self, rows: Sequence[Row]) -> None:
        for part in _portions(sorted(set(rows), key=_by_time)):
            self._db.execute(
                "INSERT INTO incoming (body) VALUES (?)", (pack_readings(_columns(part)),)
            )
            self._pending += len(part)

    def _cut(self, rows: Sequence[Row], now_ms: int, clock: Clock) -> list[Waiting]:
        """Everything that waits, and ``rows``: the present and the past in separate batches,
        so that an hour of a probe's memory does not travel on the live lane."""
        all_rows = set(rows)
        if self._pending:
            for (body,) in self._db.execute("SELECT body FROM incoming"):
                all_rows.update(_rows(body))
            self._db.execute("DELETE FROM incoming")
            self._pending = 0
        live_from = now_ms - LIVE_MS
        ordered = sorted(all_rows, key=_by_time)
        past = [row for row in ordered if row.at_ms < live_from]
        present = ordered[len(past) :]
        return [
            self._seal(part, now_ms, clock) for span in (past, present) for part in _portions(span)
        ]

    def _seal(self, part: Sequence[Row], now_ms: int, clock: Clock) -> Waiting:
        body = pack_readings(_columns(part))
        span = (part[0].at_ms, part[-1].at_ms)
        return self._append("readings", body, len(part), span, now_ms, clock)

    def _append(
        self,
        kind: str,
        body: bytes,
        readings: int,
        span: tuple[int, int],
        now_ms: int,
        clock: Clock,
    ) -> Waiting:
        """The next batch of this epoch, of whatever kind; ``span``: oldest and newest ms."""
        epoch = self._epoch
        after = None
        if epoch.last_seq == 0:
            after = self._previous
            self._db.execute("INSERT INTO epoch (no, name) VALUES (?, ?)", (epoch.no, epoch.name))
            if after is not None:
                self._db.execute(
                    "UPDATE epoch SET last_seq = ? WHERE name = ?", (after[1], after[0])
                )
        seq = epoch.last_seq + 1
        header = Header(
            1, kind, self._sealer.gateway, self._sealer.kid, epoch.name, seq,
            self._last_digest, now_ms, clock, after,
        )  # fmt: skip
        payload = seal_batch(header, body, self._sealer.key)
        self._db.execute(
            "INSERT INTO batch (epoch, seq, cut_at_ms, oldest_ms, newest_ms, readings, size,"
            " payload) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (epoch.no, seq, now_ms, *span, readings, len(payload), payload),
        )
        epoch.last_seq = seq
        self._last_digest = digest(payload)
        if clock.trusted:
            self._trusted_ms = max(self._trusted_ms or 0, now_ms)
        return Waiting(
            self._db.last_insert_rowid(), epoch.no, seq, now_ms, *span, readings, len(payload)
        )

    def _quarantine(self, unfit: Iterable[Unfit]) -> None:
        for item in unfit:
            self._unfit_seen += 1
            samples = self._samples.get((item.topic, item.reason), 0)
            if (
                samples >= QUARANTINE_SAMPLES
                or self._quarantine_size + _size(item) > QUARANTINE_BYTES
            ):
                continue
            name = digest(item.topic.encode("utf-8", "surrogatepass") + b"\0" + item.payload)
            self._db.execute(
                "INSERT OR IGNORE INTO quarantine"
                " (digest, topic, reason, payload, received_at_ms, late) VALUES (?, ?, ?, ?, ?, ?)",
                (name, item.topic, item.reason, item.payload, item.received_at_ms, item.late),
            )
            if self._db.changes():
                self._samples[(item.topic, item.reason)] = samples + 1
                self._quarantine_size += _size(item)

    def _release(self, ids: Sequence[int]) -> None:
        for id in ids:
            self._db.execute("DELETE FROM quarantine WHERE id = ?", (id,))
        if ids:
            self._count_quarantine()

    # ---- out ---------------------------------------------------------------------------

    def due(
        self, live: bool, now_ms: int, in_flight: Container[int], room_bytes: int
    ) -> list[Waiting]:
        """Batches to send next on a lane, within ``room_bytes`` (one is always let through).

        Live: reports first, so that the server knows what people were told before it sees why,
        then newest first. Backlog: oldest first. Which lane a batch takes is decided when
        it is sent: what was live and found no receiver in time becomes backlog. So does
        what a clock that was wrong has dated ahead, in its readings or when it was cut.
        """
        chosen: list[Waiting] = []
        room = room_bytes
        with self._lock:
            for batch in self._in_order(live):
                if live and batch.readings and batch.cut_at_ms < now_ms - 2 * LIVE_MS:
                    break  # cut too long ago to hold anything of the present
                if _is_live(batch, now_ms) is not live or batch.id in in_flight:
                    continue
                if batch.size > room and (chosen or room < room_bytes):
                    break
                room -= batch.size
                chosen.append(batch)
                if room <= 0:
                    break
        return chosen

    def _in_order(self, live: bool) -> Iterator[Waiting]:
        if not live:
            yield from self._waiting.values()
            return
        yield from (self._waiting[id] for id in sorted(self._reports))
        yield from (b for b in reversed(self._waiting.values()) if b.readings)

    def payload(self, id: int) -> bytes | None:
        """The bytes of a batch, None when it was evicted meanwhile."""
        with self._lock:
            row = self._db.execute("SELECT payload FROM batch WHERE id = ?", (id,)).fetchone()
            return row[0] if row else None

    def apply(self, receipt: Receipt) -> list[int]:
        """Batches that need no further sending, by id. Applying again changes nothing.

        Raises ``Impossible`` when the receipt names more of an epoch than was cut.
        """
        with self._lock:
            for name, (through, ranges) in receipt.epochs.items():
                epoch = self._epochs.get(name)
                if epoch and max([through, *(high for _, high in ranges)]) > epoch.last_seq:
                    raise Impossible(f"epoch {name}: {epoch.last_seq} cut")
            if receipt.n > self._receipted_n:
                if self._receipted_n:  # else it may be one of before those that are known
                    self._lacking = self._lacks(receipt)
                self._receipted_n = receipt.n
            by_no = {epoch.no: epoch for epoch in self._epochs.values()}
            for name, (through, ranges) in receipt.epochs.items():
                if (epoch := self._epochs.get(name)) is not None:
                    epoch.received.add(1, through)
                    for low, high in ranges:
                        epoch.received.add(low, high)
            taken = [id for id, (name, seq) in self._parked_ids.items() if self._has(name, seq)]
            for id in taken:
                del self._parked[self._parked_ids.pop(id)]
            self._park(receipt)
            done = [
                batch.id
                for batch in self._waiting.values()
                if batch.seq in by_no[batch.epoch].received or batch.id in self._parked_ids
            ]
            for id in done:
                del self._waiting[id]
                self._reports.discard(id)
            self._unsaved = self._unsaved or bool(done or taken)
            return done

    def _lacks(self, receipt: Receipt) -> bool:
        """It speaks of a later state of the store than those before, and has less."""
        for name, epoch in self._epochs.items():
            if name not in receipt.epochs and len(receipt.epochs) >= MAX_EPOCHS:
                continue  # the least recently used are left out
            through, ranges = receipt.epochs.get(name, (0, []))
            held = Ranges([(1, through), *ranges])
            if list(Ranges([*held, *epoch.received])) != list(held):
                return True
        return False

    def _has(self, name: str, seq: int) -> bool:
        """The server has said so."""
        epoch = self._epochs.get(name)
        return epoch is not None and seq in epoch.received

    def _park(self, receipt: Receipt) -> None:
        """What waits and was refused. Not what only bears the name of other bytes: those were
        damaged on the way, or somebody made them."""
        refused = {(r.epoch, r.seq): r for r in receipt.refusals() if not self._has(r.epoch, r.seq)}
        if not refused:
            return
        names = {epoch.no: name for name, epoch in self._epochs.items()}
        for batch in self._waiting.values():
            name = (names[batch.epoch], batch.seq)
            refusal = refused.get(name)
            if refusal is not None and refusal.is_about(self.payload(batch.id) or b""):
                self._parked[name] = refusal.reason
                self._parked_ids[batch.id] = name

    def to_try(self, after_id: int, at_most: int) -> list[int]:
        """Refused batches, those after this one first, oldest first; then round again."""
        with self._lock:
            ids = sorted(self._parked_ids)
        later = [id for id in ids if id > after_id]
        return [*later, *ids[: len(ids) - len(later)]][:at_most]

    def forget_receipts(self) -> None:
        """Everything still held waits again: for a store that is not the one that had it. On disk
        first, or the next start would take that store's receipts for this one's. ``Full`` when
        there is no room for it; then nothing is forgotten."""
        with self._lock:
            if not self._write_known(Known()):
                raise Full("no room to forget the receipts of another store")
            for epoch in self._epochs.values():
                epoch.received = Ranges()
            self._receipted_n = 0
            self._lacking = False
            self._parked.clear()
            self._parked_ids.clear()
            self._load_waiting(0)

    def save(self) -> None:
        """Write down what the server has said. Late is safe: it says so again when asked."""
        with self._lock:
            self._ballast.hold()
            if not self._unsaved:
                return
            known = Known(
                {e.name: list(e.received) for e in self._epochs.values() if e.received},
                [(name, seq, reason) for (name, seq), reason in self._parked.items()],
                min([*self._waiting, *self._parked_ids], default=self._last_id() + 1) - 1,
                self._receipted_n,
            )
            self._write_known(known)

    def _write_known(self, known: Known) -> bool:
        """False when there is no room: later, then."""
        try:
            with transaction(self._db):
                self._put_known("server", msgspec.json.encode(known))
        except Full:
            self._ballast.release()
            return False
        self._unsaved = False
        return True

    # ---- room --------------------------------------------------------------------------

    def level(self) -> Level:
        with self._lock:
            pages = self._pragma("page_count") - self._pragma("freelist_count")
            wal = Path(f"{self.path}-wal")
            used = pages * self._page_size + (wal.stat().st_size if wal.exists() else 0)
            spare = self._ballast.free() - self._reserve - self._ballast.missing()
            free_pages = self._pragma("freelist_count") * self._page_size
            return Level(used, min(self._limit, used + free_pages + spare))

    def disk_free(self) -> int:
        return self._ballast.free()

    def evict(self, now_ms: int, *, keep_ms: int = KEEP_MS, at_most: int = 500) -> int:
        """Delete the oldest receipted batches cut before ``now_ms - keep_ms``; how many went.

        The newest batch stays: the next one carries its digest.
        """
        with self._lock:
            by_no = {epoch.no: epoch for epoch in self._epochs.values()}
            gone: list[tuple[int]] = []
            for id, no, seq, cut_at_ms in self._db.execute(
                "SELECT id, epoch, seq, cut_at_ms FROM batch WHERE id < ? ORDER BY id",
                (self._last_id(),),
            ):
                if cut_at_ms > now_ms - keep_ms or len(gone) >= at_most:
                    break
                if seq in by_no[no].received:
                    gone.append((id,))
            if not gone:
                return 0
            try:
                with transaction(self._db):
                    self._db.executemany("DELETE FROM batch WHERE id = ?", gone)
                    self._forget_epochs()
            except Full:
                self._ballast.release()  # deleting needs room as well; the next try has it
                return 0
            return len(gone)

    def _forget_epochs(self) -> None:
        """Epochs older than every batch that is left; nothing is ever said of them again."""
        [(oldest,)] = self._db.execute("SELECT epoch FROM batch ORDER BY id LIMIT 1")
        self._db.execute("DELETE FROM epoch WHERE no < ?", (oldest,))
        for name in [e.name for e in self._epochs.values() if e.no < oldest]:
            del self._epochs[name]
            self._unsaved = True

    def make_room(self, now_ms: int, clock: Clock) -> None:
        """Evict what is receipted, oldest first; then, at the outbox's own limit, bury the oldest
        that is not. Raises ``Full`` when it is the disk that is short: what fills it may go away,
        and nothing that was acknowledged is given up for it."""
        with self._lock:
            level = self.level()
            if level.used < level.limit:
                return
            self._empty_log()
            level = self.level()
            while level.used >= level.limit:
                # Whatever the clock says: it may have been set back since.
                if not self.evict(LAST_MS, keep_ms=0) and (
                    level.limit < self._limit or not self._bury(now_ms, clock)
                ):
                    raise Full(f"{level.used} bytes of {level.limit} hold what the server lacks")
                self._empty_log()
                level = self.level()

    def _bury(self, now_ms: int, clock: Clock) -> bool:
        """Replace the oldest run of readings without a receipt by its tombstone; False when
        there is none. The newest batch stays: the next one carries its digest."""
        run = self._oldest_run()
        if not run:
            return False
        names = {epoch.no: name for name, epoch in self._epochs.items()}
        first = run[0][0]
        lost = tombstone_v1.Tombstone(
            names[first.epoch],
            first.seq,
            tuple(digest(payload) for _, payload in run),
            sum(batch.readings for batch, _ in run),
            min(batch.oldest_ms for batch, _ in run),
            max(batch.newest_ms for batch, _ in run),
            "the outbox reached its limit without a receipt",
        )
        epoch = self._epoch
        was = (epoch.last_seq, self._last_digest)
        try:
            with transaction(self._db):
                self._db.executemany(
                    "DELETE FROM batch WHERE id = ?", [(batch.id,) for batch, _ in run]
                )
                made = self._append(
                    "tombstone", tombstone_v1.encode(lost), 0, (lost.oldest_ms, lost.newest_ms),
                    now_ms, clock,
                )  # fmt: skip
                self._forget_epochs()
        except Full:
            self._ballast.release()
            epoch.last_seq, self._last_digest = was
            raise
        for batch, _ in run:
            self._waiting.pop(batch.id, None)
            self._parked.pop((lost.epoch, batch.seq), None)
            self._parked_ids.pop(batch.id, None)
        self._waiting[made.id] = made
        self._reports.add(made.id)
        self._unsaved = True
        log.error(
            "readings without a receipt were given up for newer ones",
            extra={
                "readings": lost.readings,
                "epoch": lost.epoch,
                "seqs": [lost.first, lost.last],
                "measured_ms": [lost.oldest_ms, lost.newest_ms],
            },
        )
        return True

    def _oldest_run(self) -> list[tuple[Waiting, bytes]]:
        """Consecutive batches of one epoch, with their bytes."""
        run: list[tuple[Waiting, bytes]] = []
        for *row, payload in self._db.execute(
            "SELECT id, epoch, seq, cut_at_ms, oldest_ms, newest_ms, readings, size, payload"
            " FROM batch WHERE id < ? AND readings > 0 ORDER BY id LIMIT ?",
            (self._last_id(), tombstone_v1.MAX_BATCHES),
        ):
            batch = Waiting(*row)
            if run and (batch.epoch, batch.seq) != (run[-1][0].epoch, run[-1][0].seq + 1):
                break
            run.append((batch, payload))
        return run

    def _empty_log(self) -> None:
        try:
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except (*NO_ROOM, apsw.BusyError):
            self._ballast.release()  # the next try has room

    # ---- what it knows -----------------------------------------------------------------

    @property
    def epoch(self) -> str:
        return self._epoch.name

    def waiting(self) -> list[Waiting]:
        with self._lock:
            return list(self._waiting.values())

    def backlog(self) -> Backlog:
        with self._lock:
            batches = self._waiting.values()
            return Backlog(
                len(batches),
                sum(b.readings for b in batches),
                sum(b.size for b in batches),
                min((b.oldest_ms for b in batches), default=None),
                max((b.newest_ms for b in batches), default=None),
            )

    def quarantined(self) -> tuple[int, int]:
        """(held with their bytes, seen since the start)."""
        with self._lock:
            [(held,)] = self._db.execute("SELECT count(*) FROM quarantine")
            return held, self._unfit_seen

    def refused(self) -> dict[tuple[str, int], str]:
        with self._lock:
            return dict(self._parked)

    def close(self) -> None:
        with self._lock:
            self.save()
            self._db.close()

    # ---- start -------------------------------------------------------------------------

    def _load(self) -> _Epoch:
        """Pick up what the file holds; the epoch that begins now."""
        row = self._db.execute("SELECT value FROM known WHERE key = 'server'").fetchone()
        known = msgspec.json.decode(row[0], type=Known) if row else Known()
        self._receipted_n = known.n
        top = 0
        for no, name, last_seq in self._db.execute("SELECT no, name, last_seq FROM epoch"):
            received = Ranges()
            for low, high in known.received.get(name, []):
                received.add(low, high)
            self._epochs[name] = _Epoch(no, name, last_seq or 0, received)
            top = max(top, no)
        last = self._db.execute(
            "SELECT epoch.name, seq, payload FROM batch JOIN epoch ON epoch.no = batch.epoch"
            " ORDER BY batch.id DESC LIMIT 1"
        ).fetchone()
        if last:
            self._previous = (last[0], last[1])
            self._epochs[last[0]].last_seq = last[1]
            self._last_digest = digest(last[2])
        self._parked = {(name, seq): reason for name, seq, reason in known.refused}
        self._load_waiting(known.below)
        if len(self._parked_ids) < len(self._parked):  # of before, when only those were below
            self._load_waiting(0)
            self._parked = {name: self._parked[name] for name in self._parked_ids.values()}
        self._pending = sum(
            len(columns)
            for (body,) in self._db.execute("SELECT body FROM incoming")
            for _, columns in unpack_readings(body)
        )
        self._undated = sum(
            len(columns)
            for (body,) in self._db.execute("SELECT body FROM undated")
            for _, columns in unpack_readings(body)
        )
        self._trusted_ms = self._last_trusted()
        self._count_quarantine()
        epoch = _Epoch(top + 1, os.urandom(8).hex())
        self._epochs[epoch.name] = epoch
        return epoch

    def _count_quarantine(self) -> None:
        self._samples.clear()
        self._quarantine_size = 0
        for topic, reason, n, size in self._db.execute(
            "SELECT topic, reason, count(*), sum(length(payload)) FROM quarantine"
            " GROUP BY topic, reason"
        ):
            self._samples[(topic, reason)] = n
            self._quarantine_size += size + n * (len(topic) + len(reason) + _QUARANTINE_ROW)

    def _last_trusted(self) -> int | None:
        """From the newest batch that was cut by a trusted clock, looking back some way."""
        for (payload,) in self._db.execute(
            "SELECT payload FROM batch ORDER BY id DESC LIMIT ?", (_LOOK_BACK,)
        ):
            header, _ = open_batch(payload, lambda _gw, _kid: self._sealer.key)
            if header.clock.trusted:
                return header.cut_at_ms
        return None

    def _load_waiting(self, below: int) -> None:
        by_no = {epoch.no: epoch for epoch in self._epochs.values()}
        self._waiting.clear()
        self._reports.clear()
        self._parked_ids.clear()
        for row in self._db.execute(
            "SELECT id, epoch, seq, cut_at_ms, oldest_ms, newest_ms, readings, size FROM batch"
            " WHERE id > ? ORDER BY id",
            (below,),
        ):
            batch = Waiting(*row)
            epoch = by_no[batch.epoch]
            if batch.seq in epoch.received:
                continue
            if (epoch.name, batch.seq) in self._parked:
                self._parked_ids[batch.id] = (epoch.name, batch.seq)
            else:
                self._waiting[batch.id] = batch
                if not batch.readings:
                    self._reports.add(batch.id)

    def _last_id(self) -> int:
        [(last,)] = self._db.execute("SELECT coalesce(max(id), 0) FROM batch")
        return int(last)

    def _pragma(self, name: str) -> int:
        [(value,)] = self._db.execute(f"PRAGMA {name}")
        return int(value)


def _open(path: Path) -> apsw.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    db = apsw.Connection(str(path))
    db.set_busy_timeout(5_000)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA journal_size_limit = 8388608")
    db.execute("PRAGMA cache_size = -2048")
    db.execute(_SCHEMA)
    if "late" not in [row[1] for row in db.execute("PRAGMA table_info(quarantine)")]:
        db.execute(_LATE)
    return db


def _size(item: Unfit) -> int:
    return len(item.payload) + len(item.topic) + len(item.reason) + _QUARANTINE_ROW


def _is_live(batch: Waiting, now_ms: int) -> bool:
    if not batch.readings:
        return True
    just_cut = abs(batch.cut_at_ms - now_ms) <= 2 * LIVE_MS
    return just_cut and batch.newest_ms >= now_ms - LIVE_MS


def _by_time(row: Row) -> tuple[int, Series, int, int]:
    return (row.at_ms, row.series, row.counts, row.quality)


def _portions(rows: Sequence[Row]) -> list[Sequence[Row]]:
    """Cut rows in time order where a batch would be too long or too wide."""
    portions: list[Sequence[Row]] = []
    start = 0
    for i, row in enumerate(rows):
        if i - start == MAX_READINGS or row.at_ms - rows[start].at_ms > MAX_WIDTH_MS:
            portions.append(rows[start:i])
            start = i
    if start < len(rows):
        portions.append(rows[start:])
    return portions


def _columns(rows: Iterable[Row]) -> list[tuple[Series, Columns]]:
    found: dict[Series, Columns] = {}
    for series, at_ms, count, quality in rows:
        columns = found.setdefault(series, Columns())
        columns.at_ms.append(at_ms)
        columns.count.append(count)
        columns.quality.append(quality)
    return sorted(found.items())


def _rows(body: bytes) -> Iterable[Row]:
    for series, columns in unpack_readings(body):
        for at_ms, count, quality in columns:
            yield Row(series, at_ms, count, quality)
