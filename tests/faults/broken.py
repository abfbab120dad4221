"""The program with one law broken: what a harness that deserves its name must notice.

``python -m tests.faults.broken VARIANT run ROLE --data DIR`` runs a role of the real program in
which a function has been replaced (or the two or three that it takes), in this process alone:
nothing in the program asks whether it is being tested. Each variant is a mistake that people make, most of them made by some
system in use. Where the right order and the wrong one lie microseconds apart, the wrong one is
given a second, so that a fault of ordinary clumsiness falls into it.

``exposed_by`` names the kinds of fault in which it must show, first the one of
``tests.faults.small``; those of ``tests.faults.kinds`` are for a whole system.
"""

import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # a role imports its own packages alone
    from alerts.engine import Engine
    from alerts.notices import Notifier
    from alerts.sending import Sender
    from channels.ports import Channel, Outgoing, Sent
    from domain.engine import RoomEngine
    from domain.reading import Series
    from gateway.outbox import Outbox, Row, Waiting
    from gateway.receive import Admission, Message, Receiver
    from gateway.uplink import Uplink
    from ingest.influx import Follower
    from store.facts import JudgedRoom, SqlFactsStore
    from store.notices import SqlNoticesStore, WaitingNotice
    from store.ports import AdmittedBatch, Arrival, BatchId, EpochLedger, Written
    from store.sqlite.ledger import Ledger
    from store.sqlite.writer import SqliteStore

LATE_S = 1.0  # how long the wrong order stays wrong
NEVER_S = float("inf")


@dataclass(frozen=True, slots=True)
class Variant:
    """``what`` it does instead of what it should. ``law``: the one that it breaks, as the oracle
    names it. ``break_`` replaces the function."""

    role: str
    law: str
    what: str
    exposed_by: tuple[str, ...]
    break_: Callable[[], None]


VARIANTS: dict[str, Variant] = {}


def variant(
    name: str, law: str, what: str, *exposed_by: str
) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """The role is the first word of the name."""

    def add(break_: Callable[[], None]) -> Callable[[], None]:
        VARIANTS[name] = Variant(name.partition("-")[0], law, what, exposed_by, break_)
        return break_

    return add


def instead(owner: Any, name: str, wrong: Callable[..., Any]) -> None:
    """Puts ``wrong`` in its place; it is given the right one as its first argument."""
    right = getattr(owner, name)

    def replaced(*args: Any, **kwargs: Any) -> Any:
        return wrong(right, *args, **kwargs)

    setattr(owner, name, replaced)


# --- gateway


@variant(
    "gateway-acknowledges-first",
    "readings",
    "acknowledges to the edge broker, and commits to the outbox a second later",
    "kill gateway",
)
def _() -> None:
    from gateway.receive import Receiver

    held: list[Message] = []
    since_s = [0.0]

    def step(right: Callable[..., None], self: "Receiver", group: "list[Message]") -> None:
        for message in group:
            if message.answer is None and message.qos and message.connection == self._connection:
                self._client.ack(message.mid, message.qos)
        if group and not held:
            since_s[0] = time.monotonic()
        held.extend(replace(message, qos=0) for message in group)
        if not held or time.monotonic() - since_s[0] >= LATE_S:
            late, held[:] = list(held), []
            right(self, late)

    instead(Receiver, "_step", step)


@variant(
    "gateway-trusts-the-puback",
    "readings",
    "deletes a batch when the central broker has acknowledged it, without a receipt",
    "kill ingest",
    "kill broker",
    "link ingest cut",
)
def _() -> None:
    from gateway.uplink import Uplink

    def send_due(right: Callable[..., bool], self: "Uplink", client: Any) -> bool:
        went = right(self, client)
        outbox = self._outbox
        for id in [i for i, flight in self._in_flight.items() if flight.said.is_published()]:
            with outbox._lock:
                outbox._db.execute("DELETE FROM batch WHERE id = ?", (id,))
                outbox._waiting.pop(id, None)
                outbox._reports.discard(id)
            del self._in_flight[id]
        return went

    instead(Uplink, "_send_due", send_due)


@variant(
    "gateway-keeps-its-epoch",
    "readings",
    "starts again under the epoch of its life before, with batch number 1",
    "kill gateway",
    "all killed",
)
def _() -> None:
    from gateway.outbox import Outbox

    def load(right: Callable[..., Any], self: "Outbox") -> Any:
        epoch = right(self)
        del self._epochs[epoch.name]
        if (before := self._epochs.pop("always", None)) is not None:
            before.name = f"always, the {before.no}."
            self._epochs[before.name] = before
            self._db.execute("UPDATE epoch SET name = ? WHERE no = ?", (before.name, before.no))
        epoch.name = "always"
        self._epochs[epoch.name] = epoch
        return epoch

    instead(Outbox, "_load", load)


@variant(
    "gateway-never-resends",
    "readings",
    "takes what was in flight for sent when the connection is lost, and never sends it again",
    "kill broker",
    "kill ingest",
    "link uplink deaf",
)
def _() -> None:
    from gateway.uplink import Uplink

    class Once(dict[int, Any]):
        def clear(self) -> None:
            pass

    def init(right: Callable[..., None], self: "Uplink", *args: Any, **kwargs: Any) -> None:
        right(self, *args, **kwargs)
        self._in_flight = Once()

    def fill(right: Callable[..., None], self: "Uplink", *args: Any) -> None:
        right(self, *args)
        for flight in self._in_flight.values():
            flight.resend_at_s = NEVER_S

    instead(Uplink, "__init__", init)
    instead(Uplink, "_fill", fill)


@variant(
    "gateway-overwrites-the-oldest",
    "readings",
    "makes room by deleting the oldest batch without a receipt, and leaves no tombstone",
    "outbox at its limit",
)
def _() -> None:
    from disk.transaction import transaction
    from gateway.outbox import Outbox

    def bury(_right: Callable[..., bool], self: "Outbox", _now_ms: int, _clock: Any) -> bool:
        run = self._oldest_run()
        with transaction(self._db):
            self._db.executemany("DELETE FROM batch WHERE id = ?", [(one.id,) for one, _ in run])
        for one, _ in run:
            self._waiting.pop(one.id, None)
        return bool(run)

    instead(Outbox, "_bury", bury)
    small_outbox()


@variant(
    "gateway-acknowledges-without-room",
    "readings",
    "goes on when the disk is full, as if what it could not write were written",
    "short files gateway",
)
def _() -> None:
    from disk.room import Full
    from gateway.outbox import Outbox

    def take(
        right: Callable[..., "list[Waiting]"], self: "Outbox", *args: Any, **kwargs: Any
    ) -> "list[Waiting]":
        try:
            return right(self, *args, **kwargs)
        except Full:
            return []

    instead(Outbox, "take", take)


@variant(
    "gateway-forgets-what-waits",
    "readings",
    "begins a life with nothing to send: takes what its outbox holds for receipted",
    "kill gateway",
    "all killed",
)
def _() -> None:
    from gateway.outbox import Outbox

    def load_waiting(right: Callable[..., None], self: "Outbox", _below: int) -> None:
        right(self, self._last_id())

    instead(Outbox, "_load_waiting", load_waiting)


@variant(
    "gateway-stamps-what-comes-late",
    "readings",
    "gives a message that is delivered again the time of its arrival, not the device's own",
    "kill gateway",
    "kill edge-broker",
)
def _() -> None:
    from gateway.receive import Admission

    def row(
        right: Callable[..., "Row"], self: "Admission", item: Any, late: bool, *args: Any
    ) -> Any:
        if late:
            item = replace(item, timed=False, at_ms=time.time_ns() // 1_000_000)
        return right(self, item, late, *args)

    instead(Admission, "_row", row)


# --- ingest


@variant(
    "ingest-receipts-first",
    "readings",
    "sends receipt and acknowledgement while the transaction stays open for another second",
    "kill ingest",
    "all killed",
)
def _() -> None:
    from store.sqlite.writer import SqliteStore

    @contextmanager
    def transaction(_right: object, self: "SqliteStore") -> Iterator[None]:
        db = self._db
        if not db.in_transaction:
            db.execute("BEGIN IMMEDIATE")
            threading.Timer(LATE_S, commit, (self,)).start()
        db.execute("SAVEPOINT one")
        try:
            yield
            db.execute("RELEASE one")
        except BaseException:
            db.execute("ROLLBACK TO one; RELEASE one")
            raise

    def commit(self: "SqliteStore") -> None:
        with self._one_at_a_time:
            if self._db.in_transaction:
                self._db.execute("COMMIT")

    instead(SqliteStore, "_transaction", transaction)


@variant(
    "ingest-receipts-what-found-no-room",
    "readings",
    "goes on when the disk is full: the receipt names batches that were not stored",
    "short files ingest",
    "full disk server",
)
def _() -> None:
    import apsw

    from disk.room import Full
    from domain.ranges import Ranges
    from store.ports import EpochLedger, Written
    from store.sqlite.writer import SqliteStore

    promised: dict[tuple[str, str], set[int]] = {}

    def write(
        right: "Callable[..., Written]",
        self: "SqliteStore",
        batches: "Sequence[AdmittedBatch]",
        *args: Any,
        **kwargs: Any,
    ) -> "Written":
        try:
            return right(self, batches, *args, **kwargs)
        except (Full, apsw.IOError):
            for one in batches:
                promised.setdefault((one.id.gateway, one.id.epoch), set()).add(one.id.seq)
            return Written(None, 0, 0, 0, 0, [])

    def ledger(
        right: "Callable[..., dict[str, EpochLedger]]", self: "SqliteStore", gateway: str
    ) -> "dict[str, EpochLedger]":
        found = right(self, gateway)
        for (of, epoch), seqs in promised.items():
            if of != gateway:
                continue
            held = found.get(epoch, EpochLedger(0, []))
            ranges = Ranges([*([(1, held.through)] if held.through else []), *held.ranges])
            for seq in seqs:
                ranges.add(seq, seq)
            pairs = list(ranges)
            through = pairs[0][1] if pairs and pairs[0][0] == 1 else 0
            found[epoch] = EpochLedger(through, [p for p in pairs if p[0] > through])
        return found

    instead(SqliteStore, "write", write)
    instead(SqliteStore, "ledger", ledger)


@variant(
    "ingest-forgets-names",
    "arrivals",
    "keeps no ledger: a batch that comes again is stored and told of as if it were new",
    "same batches",
    "hello",
    "link ingest deaf",
)
def _() -> None:
    from store.sqlite.ledger import Ledger
    from store.sqlite.writer import SqliteStore

    def digest(_right: object, _self: "Ledger", _batch: "BatchId") -> None:
        return None

    def put(right: Callable[..., None], self: "Ledger", batches: "Sequence[AdmittedBatch]") -> None:
        for one in batches:
            name = (self._epoch(one.id), one.id.seq)
            self._db.execute("DELETE FROM batch WHERE epoch = ? AND seq = ?", name)
            self._db.execute("DELETE FROM note WHERE epoch = ? AND seq = ?", name)
        right(self, batches)

    def settle(
        right: "Callable[..., tuple[int, int] | None]",
        self: "SqliteStore",
        group: Any,
        id_: int,
        ts: int,
        stood: tuple[int, int],
        *args: int,
    ) -> tuple[int, int]:
        return right(self, group, id_, ts, stood, *args) or stood

    instead(Ledger, "digest", digest)
    instead(Ledger, "put", put)
    instead(SqliteStore, "_settle", settle)


@variant(
    "ingest-skips-numbers",
    "arrivals",
    "takes the next arrival number before it knows whether there is anything to number",
    "only what is known",
)
def _() -> None:
    from store.sqlite.writer import SqliteStore

    def commit(right: Callable[..., Any], self: "SqliteStore", *args: Any) -> Any:
        n = right(self, *args)
        if n is None:
            self._n += 1  # type: ignore[assignment]  # a number is a number
        return n

    instead(SqliteStore, "_commit", commit)


@variant(
    "ingest-tells-of-arrivals-apart",
    "arrivals",
    "commits readings and ledger, and a second later, in another transaction, the arrival",
    "kill ingest",
    "all killed",
)
def _() -> None:
    from store.sqlite.writer import SqliteStore

    def commit(right: Callable[..., Any], self: "SqliteStore", *args: Any) -> Any:
        with self._one_at_a_time:
            n = right(self, *args)
            if n is not None:
                where = (n,)
                row = self._db.execute("SELECT * FROM arrival WHERE n = ?", where).fetchone()
                self._db.execute("DELETE FROM arrival WHERE n = ?", where)
                threading.Timer(LATE_S, tell, (self, row)).start()
        return n

    def tell(self: "SqliteStore", row: tuple[Any, ...]) -> None:
        with self._one_at_a_time:
            self._db.execute("INSERT INTO arrival VALUES(?, ?, ?, ?)", row)

    instead(SqliteStore, "_commit", commit)


# --- influx


@variant(
    "influx-moves-first",
    "influx",
    "moves its cursor, and writes to InfluxDB afterwards",
    "link influx cut",
    "link influx stall",
)
def _() -> None:
    from ingest.influx import Follower, coalesced

    def follow(_right: object, self: "Follower") -> bool:
        arrivals = self._readings.arrivals(self._cursor.n, 200)
        if not arrivals:
            return False
        self._move(n=arrivals[-1].n)
        for series, spans in coalesced(arrivals).items():
            for first_ms, last_ms in spans:
                placed = self._cursor.placement
                self._write(self._span_lines(series, first_ms, last_ms + 1, placed))
        return True

    instead(Follower, "_follow_readings", follow)


@variant(
    "influx-drops-what-is-refused",
    "influx",
    "gives up the whole write when InfluxDB refuses something in it",
    "InfluxDB takes little at once",
)
def _() -> None:
    from ingest.influx import Follower
    from ingest.influx_server import BadLines

    def land(_right: object, self: "Follower", batch: list[str]) -> None:
        with suppress(BadLines):
            self._influx.write(batch)

    instead(Follower, "_land", land)


@variant(
    "influx-goes-by-the-newest",
    "influx",
    "writes what was measured after the newest that it has written: late data is old to it",
    "late data",
    "same packs",
)
def _() -> None:
    from ingest import influx

    newest: dict[Series, int] = {}

    def coalesced(
        right: "Callable[..., dict[Series, list[tuple[int, int]]]]", arrivals: "Sequence[Arrival]"
    ) -> "dict[Series, list[tuple[int, int]]]":
        found = {}
        for series, spans in right(arrivals).items():
            after = newest.get(series, 0)
            found[series] = [(max(first, after + 1), last) for first, last in spans if last > after]
            newest[series] = max([after, *(last for _, last in spans)])
        return found

    instead(influx, "coalesced", coalesced)


# --- alerts


@variant(
    "alerts-moves-first",
    "alarms",
    "moves its cursor, and a second later writes what it judged",
    "kill alerts",
    "all killed",
)
def _() -> None:
    from store.facts import SqlFactsStore

    def write(
        right: Callable[..., None],
        self: "SqlFactsStore",
        judged: "Sequence[JudgedRoom]",
        **rest: Any,
    ) -> None:
        if judged:
            right(self, [], **rest)
            time.sleep(LATE_S)
        right(self, judged, **rest)

    instead(SqlFactsStore, "write", write)


@variant(
    "alerts-ignores-late-data",
    "alarms",
    "judges on from its newest checkpoint: what comes in before it changes nothing",
    "kill alerts",
    "late data",
)
def _() -> None:
    from domain.engine import RoomEngine

    def touch(_right: object, self: "RoomEngine", _from_ms: int, _to_ms: int) -> None:
        pass

    instead(RoomEngine, "touch", touch)


@variant(
    "alerts-trusts-its-checkpoints",
    "alarms",
    "writes checkpoints and cursor a second before the facts, and judges nothing at a start",
    "kill alerts",
    "all killed",
)
def _() -> None:
    from alerts.engine import Engine
    from store.facts import SqlFactsStore

    def write(
        right: Callable[..., None],
        self: "SqlFactsStore",
        judged: "Sequence[JudgedRoom]",
        **rest: Any,
    ) -> None:
        if judged:
            from sqlalchemy.dialects.sqlite import insert as upsert

            from store.facts import schema as t

            with self._engine.begin() as connection:
                for one in judged:
                    row = {
                        "n": one.n, "m": one.m, "horizon_ms": one.horizon_ms,
                        "checkpoints": one.checkpoints,
                    }  # fmt: skip
                    connection.execute(
                        upsert(t.rooms)
                        .values(room=one.room, **row)
                        .on_conflict_do_update(index_elements=["room"], set_=row)
                    )
            right(self, [], **rest)
            time.sleep(LATE_S)
        right(self, judged, **rest)

    def load(right: Callable[..., None], self: "Engine") -> None:
        right(self)
        kept = self._facts.checkpoints()
        for room in [r for r in self._owed if kept.get(r, (0, b""))[1]]:
            del self._owed[room]
            self._watches[room].judged_at_ms = 0

    instead(SqlFactsStore, "write", write)
    instead(Engine, "_load", load)


class _Held:
    """A channel that says it has sent, and keeps the message."""

    def __init__(self) -> None:
        self.message: Outgoing | None = None

    def send(self, message: "Outgoing") -> "Sent":
        from channels.ports import Sent

        self.message = message
        return Sent(f"early-{message.key}")

    def close(self) -> None:
        pass


@variant(
    "alerts-marks-first",
    "told",
    "marks a notice as sent, and a second later gives it to the carrier",
    "kill alerts",
    "kill sms-centre",
)
def _() -> None:
    from alerts.sending import Sender
    from channels.ports import Refused, TryLater

    def attempt(
        right: "Callable[..., bool | None]",
        self: "Sender",
        channel: "Channel",
        one: "WaitingNotice",
    ) -> bool | None:
        held = _Held()
        went = right(self, held, one)
        if held.message is not None:
            time.sleep(LATE_S)
            with suppress(Refused, TryLater):
                channel.send(held.message)
        return went

    instead(Sender, "_attempt", attempt)


class _Keyless:
    """A channel to which no two sendings are the same."""

    def __init__(self, channel: "Channel") -> None:
        self._channel = channel

    def send(self, message: "Outgoing") -> "Sent":
        key = f"{message.key}-{secrets.token_hex(4)}"
        sent = self._channel.send(replace(message, key=key))
        time.sleep(LATE_S)
        return sent

    def close(self) -> None:
        pass


@variant(
    "alerts-sends-without-a-key",
    "told",
    "sends without a key that names the sending for ever, and marks it a second later",
    "kill alerts",
)
def _() -> None:
    from alerts.sending import Sender

    def attempt(
        right: "Callable[..., bool | None]",
        self: "Sender",
        channel: "Channel",
        one: "WaitingNotice",
    ) -> bool | None:
        return right(self, _Keyless(channel), one)

    instead(Sender, "_attempt", attempt)


@variant(
    "alerts-forgets-whom-it-told",
    "told",
    "writes the notices and not the state of the ladder that gave them",
    "kill alerts",
    "all killed",
)
def _() -> None:
    from store.notices import SqlNoticesStore

    def decide(
        right: Callable[..., None],
        self: "SqlNoticesStore",
        _states: Mapping[str, bytes],
        *args: Any,
        **kwargs: Any,
    ) -> None:
        right(self, {}, *args, **kwargs)

    instead(SqlNoticesStore, "decide", decide)


@variant(
    "alerts-tells-from-its-start",
    "told",
    "tells nothing of what was over before its process began",
    "kill alerts",
    "all killed",
)
def _() -> None:
    from alerts.notices import Notifier

    def init(
        right: Callable[..., None],
        self: "Notifier",
        engine: Any,
        records: Any,
        facts: Any,
        notices: Any,
        now_ms: int,
        *args: Any,
    ) -> None:
        right(self, engine, records, facts, notices, now_ms, *args)
        self._tell_from_ms = now_ms

    instead(Notifier, "__init__", init)


# --- right, under a condition


def small_outbox() -> None:
    """The program as it is, with an outbox of 60 kB and no reserve on its disk: nobody waits for
    two gibibytes, and a small file system can be filled."""
    from gateway.outbox import Outbox

    def init(right: Callable[..., None], self: "Outbox", *args: Any, **kwargs: Any) -> None:
        small = {"limit_bytes": 60_000, "disk_reserve_bytes": 0, "ballast_bytes": 0}
        right(self, *args, **(kwargs | small))

    instead(Outbox, "__init__", init)


def break_(name: str) -> None:
    """In this process, from now on."""
    if name == "small-outbox":
        small_outbox()
    else:
        VARIANTS[name].break_()


def main(words: Iterable[str]) -> None:
    name, run, role, option, data = words
    if (run, option) != ("run", "--data"):
        sys.exit("usage: python -m tests.faults.broken VARIANT run ROLE --data DIR")
    break_(name)
    from coldtrail import roles, settings

    roles.run(settings.load(Path(data)), role)


if __name__ == "__main__":
    main(sys.argv[1:])
