"""What must hold in a data folder, whatever was done to the system that wrote it.

The files are read as they lie there, read-only and with queries of their own; what was sent is
known from the sender's ``Ledger`` alone. The system must be quiet: nothing is offered any more,
every process runs, and what was on its way has had the time to arrive. What is not there
then, is lost.

Each broken law is one sentence that names the probe and the instant, or the number, so that
whoever reads it can look the same thing up. A law that is broken a thousand times is told
by its first few and their number.
"""

import sqlite3
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import apsw
import msgspec

from alerts.room_watch import AHEAD_MS
from domain import admission
from domain.decision import Notice, PersonState
from domain.incident import LIMIT_CODES, Known
from domain.instant import rfc3339
from domain.judgement import Action, Asked, Fact, Flag, Judgement, Pause, Rule
from domain.quantity import QUANTITIES
from domain.reading import CONFLICT, NOT_VALID, Columns, ProbeId, Series, winner
from domain.retelling import SAMPLES
from domain.room import judge
from store.sqlite.spans import unpack
from tests.faults.sent import Key, Ledger, RoomSaid
from tests.support.influx import influxql
from tests.support.system import System
from wire import tombstone_v1
from wire.batch_v1 import Header, digest

SHOWN = 3  # of one broken law
HOUR_MS = 3_600_000


def violations(
    data: Path, sent: Ledger, *, influx_url: str | None, api: System | None, full: bool
) -> list[str]:
    """Empty when all laws hold. ``full``: also those whose check takes seconds: alarms by the
    rules, InfluxDB point by point, hourly sums, and what the api says of all this."""
    broken = by_law(data, sent, influx_url=influx_url, api=api, full=full)
    return [sentence for sentences in broken.values() for sentence in sentences]


def by_law(
    data: Path, sent: Ledger, *, influx_url: str | None, api: System | None, full: bool
) -> dict[str, list[str]]:
    """The broken laws by name, each with its sentences."""
    if not (data / "server" / "readings.db").exists():
        return {"readings": ["there is no server/readings.db"]}
    with Store.of(data) as store:
        laws: dict[str, Iterable[str]] = {
            "readings": readings(store, sent),
            "arrivals": arrivals(store),
            "batches": ledger(store, outboxes(data)),
            "quarantine": quarantined(data, sent),
            "followers": cursors(data, store),
            "told": told(data, sent),
        }
        if full:
            laws |= {"sums": sums(store), "alarms": alarms(data, sent)}
            if influx_url is not None:
                laws["influx"] = in_influx(data, store, influx_url)
            if api is not None:
                laws["api"] = by_api(store, api)
        found = {law: list(sentences) for law, sentences in laws.items()}
    return {law: sentences for law, sentences in found.items() if sentences}


def few(found: Iterable[str]) -> Iterator[str]:
    """The first sentences of one law; the last of them says how many more there are."""
    every = list(found)
    if len(every) <= SHOWN:
        yield from every
        return
    yield from every[: SHOWN - 1]
    yield f"{every[SHOWN - 1]} (and {len(every) - SHOWN} more like it)"


def read_only(path: Path) -> apsw.Connection:
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    db.set_busy_timeout(5_000)
    return db


def rows_of(path: Path, query: str) -> list[Any]:
    """Of a file that SQLAlchemy writes; nothing while it has yet to be made."""
    if not path.exists():
        return []
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as db:
        try:
            return db.execute(query).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return []
            raise


# --- the store


@dataclass(slots=True)
class Batches:
    """Of one (gateway, epoch): seq to digest, and the ranges that the ledger says."""

    digests: dict[int, bytes] = field(default_factory=dict)
    ranges: list[tuple[int, int]] = field(default_factory=list)


class Store:
    """``readings.db``, read once. Rows are keyed (series number, measured at in ms)."""

    def __init__(self, db: apsw.Connection) -> None:
        with db:  # one instant
            self.store_id = self._one(db, "SELECT value FROM meta WHERE key = 'store_id'")
            self.names: dict[int, tuple[str, str]] = {
                id: (probe, quantity)
                for id, probe, quantity in db.execute("SELECT id, probe, quantity FROM series")
            }
            self.rows: dict[tuple[int, int], tuple[int, int]] = {
                (id, at): (count, quality)
                for id, at, count, quality in db.execute(
                    "SELECT series, ts, count, quality FROM reading"
                )
            }
            self.hours: list[tuple[int, int, int]] = db.execute(  # type: ignore[assignment]  # its columns
                "SELECT series, ts, hour FROM reading WHERE hour != ts / 3600000"
            ).fetchall()
            self.too_late: set[tuple[int, int]] = {
                (id, at) for id, at in db.execute("SELECT series, ts FROM too_late")
            }
            self.newest: dict[int, tuple[int, int]] = {
                id: (at, count)
                for id, at, count in db.execute("SELECT series, ts, count FROM latest")
            }
            self.arrivals = [(n, unpack(spans)) for n, spans in db.execute(
                "SELECT n, spans FROM arrival ORDER BY n"
            )]  # fmt: skip
            self.batches = self._batches(db)
            self.stones = [
                (gateway, tombstone_v1.decode(body))
                for gateway, body in db.execute(
                    "SELECT e.gateway, o.body FROM note o JOIN epoch e ON e.id = o.epoch"
                    " WHERE o.kind = 'tombstone'"
                )
            ]
            self.rollup: list[tuple[int, ...]] = db.execute(  # type: ignore[assignment]  # its columns
                "SELECT hour, series, rows, n, ifnull(low, 0), ifnull(high, 0), total, conflicts"
                " FROM rollup"
            ).fetchall()
            self.closed = int(self._one(db, "SELECT value FROM meta WHERE key = 'closed'") or 0)
        self._db = db

    @classmethod
    def of(cls, data: Path) -> "Store":
        return cls(read_only(data / "server" / "readings.db"))

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    @cached_property
    def times(self) -> dict[int, list[int]]:
        """Measured times of each series, in order."""
        times: dict[int, list[int]] = defaultdict(list)
        for id, at in self.rows:
            times[id].append(at)
        for found in times.values():
            found.sort()
        return times

    @property
    def last_arrival(self) -> int:
        return self.arrivals[-1][0] if self.arrivals else 0

    def said(self, id: int, at_ms: int) -> str:
        return said((*self.names.get(id, ("series without a name", str(id))), at_ms))

    @staticmethod
    def _one(db: apsw.Connection, query: str) -> Any:
        row = db.execute(query).fetchone()
        return None if row is None else row[0]

    @staticmethod
    def _batches(db: apsw.Connection) -> dict[tuple[str, str], Batches]:
        found: dict[tuple[str, str], Batches] = defaultdict(Batches)
        for gateway, epoch, seq, name in db.execute(
            "SELECT e.gateway, e.epoch, b.seq, b.digest FROM batch b JOIN epoch e ON e.id = b.epoch"
        ):
            found[gateway, epoch].digests[seq] = name
        for gateway, epoch, first, last in db.execute(
            "SELECT e.gateway, e.epoch, l.first, l.last FROM ledger l"
            " JOIN epoch e ON e.id = l.epoch ORDER BY e.id, l.first"
        ):
            found[gateway, epoch].ranges.append((first, last))
        return found


def said(key: Key) -> str:
    probe, quantity, at_ms = key
    return f"{probe} {quantity} at {rfc3339(at_ms)}"


def value(quantity: str, count: int) -> str:
    known = QUANTITIES[quantity]
    return f"{known.value(count)} {known.unit}"


# --- every reading once, with its value, and nothing else


def readings(store: Store, sent: Ledger) -> Iterator[str]:
    """What was acknowledged is stored, or its loss was announced by a tombstone; what is stored
    was offered, at that instant and with that value."""
    ids = {name: id for id, name in store.names.items()}
    if len(ids) != len(store.names):
        yield "a series has two numbers"
    offered: dict[tuple[int, int], int] = {}
    contradicted: dict[tuple[int, int], set[int]] = {}
    missing: list[tuple[int, str]] = []
    rows = store.rows
    for one, acknowledged in sent.readings.items():
        key = (ids.get((one.probe, one.quantity), 0), one.at_ms)
        if offered.setdefault(key, one.count) != one.count:
            contradicted.setdefault(key, {offered[key]}).add(one.count)
        if acknowledged and key not in rows and key not in store.too_late:
            missing.append((one.at_ms, f"{said(one.key)}: acknowledged, and not in the store"))
    yield from few(sentence for sentence in _not_announced(store, missing))
    yield from few(
        f"{store.said(*key)}: in the store, and never offered"
        for key in sorted(rows.keys() - offered.keys())
    )
    yield from few(_other_values(store, sent, offered, contradicted))
    yield from few(
        f"{store.said(id, at)}: filed under hour {hour}" for id, at, hour in sorted(store.hours)
    )


def _not_announced(store: Store, missing: Sequence[tuple[int, str]]) -> Iterator[str]:
    """Without those that tombstones speak of: their times, and no more than their number."""
    spans = [(stone.oldest_ms, stone.newest_ms) for _, stone in store.stones]
    announced = sum(stone.readings for _, stone in store.stones)
    for at_ms, sentence in sorted(missing):
        if announced and any(first <= at_ms <= last for first, last in spans):
            announced -= 1
        else:
            yield sentence


def _other_values(
    store: Store,
    sent: Ledger,
    offered: Mapping[tuple[int, int], int],
    contradicted: Mapping[tuple[int, int], set[int]],
) -> Iterator[str]:
    for key, (count, quality) in store.rows.items():
        if key in contradicted or (offered.get(key) == count and not quality & CONFLICT):
            continue
        if key not in offered:
            continue
        quantity = store.names[key[0]][1]
        marked = ", marked as contradicted" if quality & CONFLICT else ""
        yield (
            f"{store.said(*key)}: {value(quantity, offered[key])} was offered,"
            f" {value(quantity, count)} is stored{marked}"
        )
    for key, counts in contradicted.items():
        if key not in store.rows:
            continue
        quantity = store.names[key[0]][1]
        bits, count = standing(quantity, counts)
        if store.rows[key] != (count, bits):
            yield (
                f"{store.said(*key)}: of {len(counts)} contradicting values"
                f" {value(quantity, count)} must stand, marked; there is"
                f" {value(quantity, store.rows[key][0])} with quality {store.rows[key][1]}"
            )


def standing(quantity: str, counts: Iterable[int]) -> tuple[int, int]:
    """(quality, count) of what stands of the values that were offered under one key."""
    rows = [(admission.quality(quantity, count), count) for count in sorted(counts)]
    best = rows[0]
    for row in rows[1:]:
        best = winner(best, row)
    return best


# --- the journal of arrivals


def arrivals(store: Store) -> Iterator[str]:
    """Numbered from 1 without holes; each speaks of readings that are there, and every reading
    is spoken of: a follower reads what an arrival names, and nothing else."""
    numbers = [n for n, _ in store.arrivals]
    yield from few(
        f"arrivals {before + 1} to {n - 1} are missing"
        for before, n in pairwise([0, *numbers])
        if n != before + 1
    )
    times = store.times
    told: Counter[int] = Counter()
    spans: dict[int, list[tuple[int, int]]] = defaultdict(list)
    empty: list[str] = []
    for n, found in store.arrivals:
        for id, first, last, rows in found:
            told[id] += rows
            spans[id].append((first, last))
            of = times.get(id, [])
            there = bisect_right(of, last) - bisect_left(of, first)
            if (id, first) not in store.rows or (id, last) not in store.rows or there < rows:
                empty.append(
                    f"arrival {n} brought {rows} readings, {store.said(id, first)} to"
                    f" {rfc3339(last)}; {there} are there"
                )
    yield from few(empty)
    yield from few(_never_arrived(store, spans))
    contradicted = {id for (id, _), (_, quality) in store.rows.items() if quality & CONFLICT}
    for id, of in sorted(times.items()):
        more = told[id] - len(of)
        if more < 0 or (more > 0 and id not in contradicted):
            probe, quantity = store.names.get(id, ("?", str(id)))
            yield f"{probe} {quantity}: arrivals brought {told[id]} readings, {len(of)} are there"
    for id, of in sorted(times.items()):
        newest = (of[-1], store.rows[id, of[-1]][0])
        if store.newest.get(id) != newest:
            yield f"{store.said(id, of[-1])}: is the newest, and not said to be"


def _never_arrived(store: Store, spans: Mapping[int, list[tuple[int, int]]]) -> Iterator[str]:
    for id, of in store.times.items():
        until = -1
        ordered = iter(sorted(spans.get(id, [])))
        begin, end = next(ordered, (1 << 62, 0))
        for at in of:
            while begin <= at:
                until = max(until, end)
                begin, end = next(ordered, (1 << 62, 0))
            if at > until:
                yield f"{store.said(id, at)}: in the store, and no arrival speaks of it"


# --- batches: what gateways hold, what receipts promised


@dataclass(frozen=True, slots=True)
class Held:
    """A batch in an outbox."""

    header: Header
    digest: bytes


@dataclass(frozen=True, slots=True)
class OutboxSeen:
    """``promised``: what the gateway knows by receipts, epoch to ranges."""

    name: str
    batches: Sequence[Held]
    promised: Mapping[str, Sequence[tuple[int, int]]]
    uncut: int


class _Known(msgspec.Struct):
    """What a gateway writes down of receipts."""

    received: dict[str, list[tuple[int, int]]] = {}


def outboxes(data: Path) -> list[OutboxSeen]:
    return [_outbox(path) for path in sorted(data.glob("gateway*/outbox.db"))]


def _outbox(path: Path) -> OutboxSeen:
    with closing(read_only(path)) as db, db:
        held = []
        for (payload,) in db.execute("SELECT payload FROM batch ORDER BY id"):
            head, _, _ = msgspec.msgpack.decode(payload, type=tuple[bytes, bytes, bytes])
            held.append(Held(msgspec.msgpack.decode(head, type=Header), digest(payload)))
        row = db.execute("SELECT value FROM known WHERE key = 'server'").fetchone()
        known = msgspec.json.decode(row[0], type=_Known) if row else _Known()
        [(uncut,)] = db.execute("SELECT count(*) FROM incoming")
    return OutboxSeen(path.parent.name, held, known.received, uncut)


def ledger(store: Store, gateways: Sequence[OutboxSeen]) -> Iterator[str]:
    """The batches of each epoch are there without holes, but for those that a tombstone names;
    every batch that a gateway holds is there with those bytes; what receipts promised is there;
    each batch carries the digest of the one before."""
    buried = {
        (gateway, stone.epoch, stone.first + i): name
        for gateway, stone in store.stones
        for i, name in enumerate(stone.digests)
    }
    for (gateway, epoch), batches in store.batches.items():
        seqs = sorted(batches.digests)
        listed = [seq for first, last in batches.ranges for seq in range(first, last + 1)]
        if listed != seqs:
            odd = min(set(listed) ^ set(seqs), default=0)
            yield f"{gateway} epoch {epoch}: the ledger and the batches differ, first at {odd}"
        holes = sorted(set(range(1, seqs[-1] if seqs else 0)) - set(seqs))
        yield from few(
            f"{gateway} epoch {epoch}: batch {seq} never came, {seqs[-1]} did"
            for seq in holes
            if (gateway, epoch, seq) not in buried
        )
    for seen in gateways:
        if seen.uncut:
            yield f"{seen.name}: {seen.uncut} commits of readings are in no batch"
        yield from few(_not_there(store, seen))
        yield from few(_cut_short(store, seen, buried))
        yield from few(_broken_promises(store, seen, buried))
        yield from few(_broken_chain(store, seen, buried))


_Buried = Mapping[tuple[str, str, int], bytes]


def _not_there(store: Store, seen: OutboxSeen) -> Iterator[str]:
    for held in seen.batches:
        h = held.header
        of = store.batches.get((h.gw, h.epoch), Batches())
        there = of.digests.get(h.seq)
        if there is None:
            yield f"{h.gw} epoch {h.epoch}: batch {h.seq} is in the outbox and not in the store"
        elif there != held.digest:
            yield f"{h.gw} epoch {h.epoch}: batch {h.seq} is in the store with other bytes"


def _cut_short(store: Store, seen: OutboxSeen, buried: _Buried) -> Iterator[str]:
    """An epoch's first batch says how far the one before went."""
    for held in seen.batches:
        h = held.header
        if h.after is None:
            continue
        epoch, ended = h.after
        seqs = [
            *store.batches.get((h.gw, epoch), Batches()).digests,
            *(seq for gateway, name, seq in buried if (gateway, name) == (h.gw, epoch)),
        ]
        if max(seqs, default=0) != ended:
            yield (
                f"{h.gw} epoch {epoch}: ended with batch {ended}, the store has them up to"
                f" {max(seqs, default=0)}"
            )


def _broken_promises(store: Store, seen: OutboxSeen, buried: _Buried) -> Iterator[str]:
    gateway = seen.batches[-1].header.gw if seen.batches else ""
    for epoch, ranges in seen.promised.items():
        there = store.batches.get((gateway, epoch), Batches()).digests
        for first, last in ranges:
            for seq in range(first, last + 1):
                if seq not in there and (gateway, epoch, seq) not in buried:
                    yield f"{gateway} epoch {epoch}: batch {seq} was receipted and is not there"


def _broken_chain(store: Store, seen: OutboxSeen, buried: _Buried) -> Iterator[str]:
    here = {(held.header.epoch, held.header.seq): held.digest for held in seen.batches}
    for held in seen.batches:
        h = held.header
        before = (h.epoch, h.seq - 1) if h.seq > 1 else h.after
        if before is None:
            known: bytes | None = b""
        else:
            epoch, seq = before
            known = (
                here.get((epoch, seq))
                or store.batches.get((h.gw, epoch), Batches()).digests.get(seq)
                or buried.get((h.gw, epoch, seq))
            )
        if known is not None and known != h.prev:
            yield f"{h.gw} epoch {h.epoch}: batch {h.seq} does not carry the digest of the one before"


def quarantined(data: Path, sent: Ledger) -> Iterator[str]:
    """What nobody understands is kept with its bytes before it is acknowledged, once."""
    kept: Counter[str] = Counter()
    for path in data.glob("gateway*/outbox.db"):
        with closing(read_only(path)) as db, db:
            for (payload,) in db.execute("SELECT payload FROM quarantine"):
                kept[bytes(payload).decode(errors="replace")] += 1
    yield from few(
        f"acknowledged, and neither understood nor in quarantine: {text!r}"
        for text, acknowledged in sent.unfit.items()
        if acknowledged and text not in kept
    )
    yield from few(
        f"in quarantine, and never offered or not once: {text!r}"
        for text, times in kept.items()
        if times > 1 or text not in sent.unfit
    )


# --- followers


def cursors(data: Path, store: Store) -> Iterator[str]:
    """Nobody says to have followed further than there is, and when all is quiet nobody is behind."""
    server = data / "server"
    last_m = max((m for (m,) in rows_of(server / "records.db", "SELECT m FROM changes")), default=0)
    heads = {"arrival": store.last_arrival, "change": last_m}
    at: dict[str, tuple[str, int, int]] = {}
    for who, file in (("alerts", "facts.db"), ("traceability", "trace.db")):
        for store_id, n, m in rows_of(server / file, "SELECT readings_store, n, m FROM cursor"):
            at[who] = (store_id, n, m)
    cursor = server / "influx-cursor.json"
    if cursor.exists():
        said = msgspec.json.decode(cursor.read_bytes())
        at["influx"] = (said["store"], said["n"], said["m"])
    for who, (store_id, *stands) in at.items():
        if store_id != store.store_id:
            yield f"{who} follows store {store_id}, this is {store.store_id}"
            continue
        for (what, head), number in zip(heads.items(), stands, strict=True):
            if number != head:
                yield f"{who} stands at {what} {number} of {head}"


# --- alarms


_Judged = Fact | Pause | Flag


def alarms(data: Path, sent: Ledger) -> Iterator[str]:
    """Alarms, pauses and flags are what the rules make of what was sent, as of the instant at
    which the room was last judged."""
    server = data / "server"
    judged = dict(rows_of(server / "facts.db", "SELECT room, horizon_ms FROM rooms"))
    for room in sent.rooms.values():
        if room.id not in judged:
            yield f"room {room.id} was never judged"
            continue
        expected = specified(room, sent, judged[room.id])
        stored = _judged(server / "facts.db", room.id)
        compared: Sequence[tuple[str, Sequence[_Judged], Sequence[_Judged]]] = (
            ("alarm", stored.facts, expected.facts),
            ("pause", stored.pauses, expected.pauses),
            ("flag", stored.flags, expected.flags),
        )
        for what, there, right in compared:
            found, due = Counter(there), Counter(right)
            yield from few(f"room {room.id}: not said: {what} {shown(one)}" for one in due - found)
            yield from few(f"room {room.id}: not so: {what} {shown(one)}" for one in found - due)


def shown(one: _Judged) -> str:
    match one:
        case Fact():
            return (
                f"{one.code} from {rfc3339(one.began_at_ms)}, fired {rfc3339(one.fired_at_ms)},"
                f" {_until(one.cleared_at_ms)}, peak {one.peak}, excess {one.excess_count_ms},"
                f" unknown {one.unknown_ms} ms"
            )
        case Pause():
            return f"{one.cause} from {rfc3339(one.from_ms)}, {_until(one.to_ms)}"
        case Flag():
            return f"{one.reason} on {said((one.probe, one.quantity, one.at_ms))}"


def _until(end_ms: int | None) -> str:
    return "not over" if end_ms is None else f"until {rfc3339(end_ms)}"


def specified(room: RoomSaid, sent: Ledger, horizon_ms: int) -> Judgement:
    """By ``domain.room.judge``, from what the senders and people said."""
    rules = [Rule("", room.from_ms, room.profile, room.commodities, room.interval_s, {})]
    actions = [
        Action(a.at_ms, a.kind, a.by, a.detail)
        for a in sorted(sent.actions.values(), key=lambda a: a.at_ms)
        if a.room == room.id
    ]
    values: dict[Series, dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    probes = set(room.probes)
    for one in sent.readings:
        if one.probe in probes and one.at_ms >= room.from_ms:
            values[Series(ProbeId(one.probe), one.quantity)][one.at_ms].add(one.count)
    columns: dict[Series, Columns] = {}
    for series, by_time in values.items():
        rows = columns[series] = Columns()
        for at_ms, counts in sorted(by_time.items()):
            bits, count = standing(series.quantity, counts)
            rows.at_ms.append(at_ms)
            rows.count.append(count)
            rows.quality.append(bits)
    return judge(Asked(rules, columns, actions), horizon_ms + AHEAD_MS).known_at(horizon_ms)


def _judged(path: Path, room: str) -> Judgement:
    def ask(query: str) -> list[Any]:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as db:
            return db.execute(query, (room,)).fetchall()

    return Judgement(
        tuple(
            Fact(*row)
            for row in ask(
                "SELECT code, level, began_ms, fired_ms, cleared_ms, peak, excess, unknown_ms"
                " FROM facts WHERE room = ? AND newest AND NOT withdrawn"
            )
        ),
        tuple(
            Pause(*row) for row in ask("SELECT cause, from_ms, to_ms FROM pauses WHERE room = ?")
        ),
        tuple(
            Flag(*row)
            for row in ask("SELECT at_ms, probe, quantity, reason FROM flags WHERE room = ?")
        ),
    )


# --- hourly sums, InfluxDB, the api


def sums(store: Store) -> Iterator[str]:
    """Each closed hour's sums are those of its readings."""
    right: dict[tuple[int, int], list[int]] = {}
    for (id, at), (count, quality) in store.rows.items():
        if at // HOUR_MS >= store.closed:
            continue
        one = right.setdefault((at // HOUR_MS, id), [0, 0, 0, 0, 0, 0])
        one[0] += 1
        one[5] += bool(quality & CONFLICT)
        if not quality & NOT_VALID:
            one[2] = min(one[2], count) if one[1] else count
            one[3] = max(one[3], count) if one[1] else count
            one[1] += 1
            one[4] += count
    there = {(hour, id): list(rest) for hour, id, *rest in store.rollup}
    yield from few(
        f"{store.said(id, hour * HOUR_MS)}: the hour's (rows, valid, low, high, sum, conflicts) are"
        f" {tuple(right.get((hour, id), ()))}, kept as {tuple(there.get((hour, id), ()))}"
        for hour, id in sorted(right.keys() | there.keys())
        if right.get((hour, id)) != there.get((hour, id))
    )


def in_influx(data: Path, store: Store, url: str) -> Iterator[str]:
    """Every valid reading is one point with its value, in the room where its probe was by what
    the records say now; there is no other point."""
    right: dict[Key, int] = {
        (*store.names[id], at): count
        for (id, at), (count, quality) in store.rows.items()
        if not quality & NOT_VALID
    }
    there: dict[Key, int] = {}
    rooms: dict[Key, list[str]] = defaultdict(list)
    for quantity in sorted({quantity for _, quantity in store.names.values()}):
        query = f'SELECT "value" FROM "{quantity}" GROUP BY "probe", "room"'  # noqa: S608 - a quantity's own name
        for one in influxql(url, query):
            for at_ms, found in one["values"]:
                if found is not None:
                    key = (one["tags"]["probe"], quantity, at_ms)
                    there[key] = QUANTITIES[quantity].count(float(found))
                    rooms[key].append(one["tags"]["room"])
    was_in = _places(data / "server" / "records.db")
    yield from few(
        f"{said(key)}: its room is {was_in(key[0], key[2])}, in InfluxDB {' and '.join(found)}"
        for key, found in sorted(rooms.items())
        if found != [was_in(key[0], key[2])]
    )
    yield from few(f"{said(key)}: not in InfluxDB" for key in sorted(right.keys() - there.keys()))
    yield from few(
        f"{said(key)}: in InfluxDB, and no valid reading of the store"
        for key in sorted(there.keys() - right.keys())
    )
    yield from few(
        f"{said(key)}: {value(key[1], count)} in the store, {value(key[1], there[key])} in InfluxDB"
        for key, count in sorted(right.items())
        if there.get(key, count) != count
    )


def _places(path: Path) -> Callable[[str, int], str]:
    """(probe, instant) to the room that it was in, by the assignment begun last."""
    stays: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
    for probe, room, from_ms, to_ms in rows_of(
        path, "SELECT probe, room, from_ms, to_ms FROM assignments ORDER BY from_ms"
    ):
        stays[probe].append((from_ms, 1 << 62 if to_ms is None else to_ms, room))

    def was_in(probe: str, at_ms: int) -> str:
        held = [room for begin, end, room in stays[probe] if begin <= at_ms < end]
        return held[-1] if held else "unassigned"

    return was_in


def by_api(store: Store, api: System) -> Iterator[str]:
    """The api tells what is in the store, all of it."""
    rows = api.pipeline()["rows"]
    if rows != len(store.rows):
        yield f"the api counts {rows} readings, {len(store.rows)} are there"
    for id, of in sorted(store.times.items()):
        probe, quantity = store.names[id]
        count = QUANTITIES[quantity].count
        told = [(at_ms, count(value)) for at_ms, value in api.readings(probe, quantity)]
        right = [(at, store.rows[id, at][0]) for at in of]
        if told != right:
            odd = min(set(told) ^ set(right), default=(0, 0))
            yield f"{probe} {quantity}: the api tells otherwise, first at {rfc3339(odd[0])}"


# --- what people were told


@dataclass(frozen=True, slots=True)
class Telling:
    """A row of ``notices``."""

    notice: Notice | None
    key: str
    person: str
    phone: str
    channel: str
    kind: str
    room: str
    incident: int
    text: str
    state: str

    @property
    def out(self) -> bool:
        return self.state in ("sent", "delivered")


def told(data: Path, sent: Ledger) -> Iterator[str]:
    """What is marked as sent is on a phone; what is on a phone was decided, and its key is on
    none twice; nobody has the first word of one alarm twice; and somebody has it of each
    critical alarm."""
    server = data / "server"
    tellings = _tellings(server / "notices.db")
    if (server / "sms-centre.db").exists():
        yield from _on_the_phones(server / "sms-centre.db", tellings)
    firsts = Counter(
        (t.person, room, known.code, known.fired_ms)
        for t in tellings
        if t.out and t.kind in ("raise", "past") and t.channel == "sms" and t.notice is not None
        for room, known in t.notice.about
    )
    yield from few(
        f"{person} was told {times} times that {code} of room {room} began, fired"
        f" {rfc3339(fired_ms)}"
        for (person, room, code, fired_ms), times in sorted(firsts.items())
        if times > 1
    )
    clears = Counter(
        (t.person, t.room, t.incident) for t in tellings if t.out and t.kind == "clear"
    )
    yield from few(
        f"{person} was given {times} all-clears of room {room}, incident {incident}"
        for (person, room, incident), times in sorted(clears.items())
        if times > 1 and incident
    )
    if sent.phones:
        yield from few(_untold(server, tellings, sent))


def _on_the_phones(path: Path, tellings: Sequence[Telling]) -> Iterator[str]:
    with closing(read_only(path)) as db, db:
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'part'").fetchall():
            return  # it has yet to be made
        parts: list[tuple[str, str, int, str]] = db.execute(  # type: ignore[assignment]  # its columns
            "SELECT p.key, m.phone, m.id, p.text FROM part p JOIN message m ON m.id = p.message"
            " WHERE m.mine = 0 AND p.key IS NOT NULL ORDER BY m.id, p.place"
        ).fetchall()
    messages: dict[str, set[int]] = defaultdict(set)
    phones: dict[str, tuple[str, str]] = {}
    for key, phone, id, text in parts:
        name = key.rpartition("#")[0].rpartition(".")[0]  # the channel and the part stand behind
        messages[name].add(id)
        phones[name] = (phone, text)
    known = {t.key: t for t in tellings}
    yield from few(
        f"{t.kind} to {t.person} is marked as {t.state}, and on no phone: {t.text!r} (key {t.key})"
        for t in tellings
        if t.out and t.key not in messages
    )
    yield from few(
        f"on the phone {phones[name][0]}, and nobody decided it: {phones[name][1]!r} (key {name})"
        for name in messages.keys() - known.keys()
        if not name.startswith("test.")  # the daily message that asks whether a channel works
    )
    yield from few(
        f"{len(ids)} times on the phone {phones[name][0]}: {phones[name][1]!r} (key {name})"
        for name, ids in messages.items()
        if len(ids) > 1
    )


def _untold(server: Path, tellings: Sequence[Telling], sent: Ledger) -> Iterator[str]:
    """Critical alarms that nobody heard of and nobody is about to. Holes in the record are told
    as silent links, by arrival."""
    began = rows_of(server / "notices.db", "SELECT value FROM about WHERE key = 'tell_from_ms'")
    if not began:
        return
    tell_from_ms = int(began[0][0])
    old = _stale(server, sent)
    heard: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    about = [one for t in tellings if t.state != "dropped" and t.notice for one in t.notice.about]
    for room, known in [*about, *_held_back(server)]:
        end_ms = known.seen_ms if known.cleared_ms is None else known.cleared_ms
        heard[room, known.code].append((known.fired_ms, max(end_ms, known.fired_ms + 1)))
    for room, code, fired_ms, cleared_ms in rows_of(
        server / "facts.db",
        "SELECT room, code, fired_ms, cleared_ms FROM facts WHERE newest AND NOT withdrawn"
        " AND level = 'critical' AND code NOT LIKE 'DATA_GAP%' ORDER BY fired_ms",
    ):
        over_ms = 1 << 62 if cleared_ms is None else cleared_ms
        if room not in sent.rooms or over_ms <= tell_from_ms:
            continue
        if cleared_ms is None and code in LIMIT_CODES and room in old:
            continue  # told when it is over: an old upload does not ring as if it were now
        if not any(begin < over_ms and end > fired_ms for begin, end in heard[room, code]):
            yield f"nobody heard of {code} of room {room}, fired {rfc3339(fired_ms)}"


def _stale(server: Path, sent: Ledger) -> set[str]:
    """Rooms whose newest sample is not of now."""
    newest: dict[str, int] = defaultdict(int)
    for one in sent.readings:
        if one.quantity in SAMPLES:
            newest[one.probe] = max(newest[one.probe], one.at_ms)
    return {
        room
        for room, horizon_ms in rows_of(server / "facts.db", "SELECT room, horizon_ms FROM rooms")
        if room in sent.rooms
        and max((newest[p] for p in sent.rooms[room].probes), default=0)
        <= horizon_ms - 3 * sent.rooms[room].interval_s * 1000
    }


class _Spanning(msgspec.Struct):
    """The state of telling that spans rooms."""

    people: dict[str, PersonState] = {}


def _held_back(server: Path) -> Iterator[tuple[str, Known]]:
    """What the caps hold for a person's next summary."""
    for (state,) in rows_of(server / "notices.db", "SELECT state FROM states WHERE room = ''"):
        for person in msgspec.json.decode(state, type=_Spanning).people.values():
            yield from person.held


def _tellings(path: Path) -> list[Telling]:
    return [
        Telling(_notice(body), *row)
        for *row, body in rows_of(
            path,
            "SELECT key, person, phone, channel, kind, room, incident, text, state, body"
            " FROM notices ORDER BY seq",
        )
    ]


def _notice(body: bytes) -> Notice | None:
    """None for what is no notice of an alarm: an answer, word of a channel."""
    try:
        return msgspec.json.decode(body, type=Notice)
    except msgspec.DecodeError:
        return None
