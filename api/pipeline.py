"""Is anything lost? What was received, stored and set aside, and how far everybody has read."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from api.context import Context
from domain.ranges import Ranges
from domain.reading import GatewayId
from store.ports import EpochLedger, ReadingReader
from wire import tombstone_v1, undated_v1
from wire.status_v1 import BadStatus, Status, decode


@dataclass(frozen=True, slots=True)
class Follower:
    """``behind``: arrivals not yet read; None when it never said how far it is. Of InfluxDB's:
    lines that it ``refused``, and readings older than it keeps (``outside``)."""

    name: str
    n: int | None
    behind: int | None
    why: str = ""
    refused: int = 0
    outside: int = 0


@dataclass(frozen=True, slots=True)
class Lost:
    """A tombstone. ``missing``: of its batches, how many are not here after all; the receipt of
    the others was on its way when the gateway gave them up."""

    stone: tombstone_v1.Tombstone
    said_ms: int
    missing: int


@dataclass(frozen=True, slots=True)
class WithoutTime:
    """Readings of one boot whose instant is not known yet, and the bounds of it: an instant that
    was past when they came (None: unknown), and when the server had the last of them."""

    boot: str
    readings: int
    not_before_ms: int | None
    not_after_ms: int


@dataclass(frozen=True, slots=True)
class GatewayNow:
    """What the gateway last said of itself, which of its batches are on disk here, what it had to
    let go before a receipt, and what is here without a time."""

    id: GatewayId
    status: Status | None
    heard_ms: int | None
    epochs: Mapping[str, Mapping[str, Any]]
    lost: Sequence[Lost]
    without_time: Sequence[WithoutTime]


@dataclass(frozen=True, slots=True)
class Pipeline:
    totals: Mapping[str, int]
    last_arrival: int
    last_stored_ms: int | None
    gateways: list[GatewayNow]
    followers: list[Follower]

    @property
    def received(self) -> int:
        """Readings that came in batches: new ones, repeated ones, conflicting ones, too late ones."""
        return sum(self.totals[name] for name in ("stored", "duplicates", "conflicts", "too_late"))


def pipeline_now(context: Context, reader: ReadingReader) -> Pipeline:
    n = reader.last_arrival()
    newest = reader.arrivals(n - 1, 1) if n else []
    statuses = reader.statuses()
    stones = _stones(reader)
    gateways = sorted({*reader.gateways(), *statuses})
    waiting = _without_time(reader)
    return Pipeline(
        reader.totals(),
        n,
        newest[0].stored_at_ms if newest else None,
        [
            _gateway(reader, one, statuses.get(one), stones.get(one, ()), waiting.get(one, ()))
            for one in gateways
        ],
        followers(context, n),
    )


def _gateway(
    reader: ReadingReader,
    gateway: GatewayId,
    status: tuple[bytes, int] | None,
    stones: Sequence[tuple[tombstone_v1.Tombstone, int]],
    waiting: Sequence[WithoutTime],
) -> GatewayNow:
    ledger = reader.ledger(gateway)
    epochs = {
        epoch: {"through": held.through, "ranges": [list(r) for r in held.ranges]}
        for epoch, held in ledger.items()
    }
    said = _status(status[0]) if status else None
    lost = [Lost(stone, at_ms, _missing(stone, ledger.get(stone.epoch))) for stone, at_ms in stones]
    return GatewayNow(
        gateway, said, status[1] if status else None, epochs,
        [one for one in lost if one.missing], waiting,
    )  # fmt: skip


def _without_time(reader: ReadingReader) -> dict[GatewayId, list[WithoutTime]]:
    boots: dict[tuple[GatewayId, str], WithoutTime] = {}
    for one in reader.undated():
        body = undated_v1.decode(one.body)  # ingest has checked each
        key = (one.batch.gateway, one.boot)
        many = sum(len(columns) for _, columns in body.rows)
        new = WithoutTime(one.boot, many, body.not_before_ms, one.stored_at_ms)
        before = boots.get(key)
        if before is not None:
            bounds = [b for b in (before.not_before_ms, new.not_before_ms) if b is not None]
            new = WithoutTime(
                one.boot, before.readings + many, min(bounds, default=None),
                max(before.not_after_ms, one.stored_at_ms),
            )  # fmt: skip
        boots[key] = new
    found: dict[GatewayId, list[WithoutTime]] = {}
    for (gateway, _), of_boot in boots.items():
        found.setdefault(gateway, []).append(of_boot)
    return found


def _stones(reader: ReadingReader) -> dict[GatewayId, list[tuple[tombstone_v1.Tombstone, int]]]:
    found: dict[GatewayId, list[tuple[tombstone_v1.Tombstone, int]]] = {}
    after = 0
    while page := reader.notes("tombstone", after):
        after = page[-1].n
        for note in page:  # ingest has checked each
            try:
                stone = tombstone_v1.decode(note.body)
            except tombstone_v1.BadTombstone:
                continue  # an earlier ingest let it in
            found.setdefault(note.batch.gateway, []).append((stone, note.cut_at_ms))
    return found


def _missing(stone: tombstone_v1.Tombstone, held: EpochLedger | None) -> int:
    here = Ranges([(1, held.through), *held.ranges] if held else ())
    return sum(seq not in here for seq in range(stone.first, stone.last + 1))


def _status(body: bytes) -> Status | None:
    """Made by another program, perhaps a newer one: what cannot be read is not known."""
    try:
        return decode(body)
    except BadStatus:
        return None


def _json(body: bytes) -> dict[str, Any]:
    """Another role's file: anything but an object is nothing."""
    try:
        said = json.loads(body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def followers(context: Context, n: int) -> list[Follower]:
    found = []
    facts = context.sources.facts
    read = facts.ask(lambda reader: reader.cursor()[0])
    found.append(_follower("alerts", read, n, facts.why_not))
    trace = context.sources.trace
    read = trace.ask(lambda reader: reader.cursor()[0])
    found.append(_follower("traceability", read, n, trace.why_not))
    path = context.settings.influx_cursor_path
    if path and Path(path).exists():
        said = _json(Path(path).read_bytes())
        read, refused, outside = (_number(said.get(key)) for key in ("n", "refused", "outside"))
        influx = _follower("influx", read, n, "no cursor")
        found.append(replace(influx, refused=refused or 0, outside=outside or 0))
    return found


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _follower(name: str, read: int | None, n: int, why_not: str) -> Follower:
    if read is None:
        return Follower(name, None, None, why_not)
    return Follower(name, read, max(n - read, 0))
