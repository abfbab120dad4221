"""Is anything lost? What was received, stored and set aside, and how far everybody has read."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.context import Context
from domain.reading import GatewayId
from store.ports import ReadingReader
from wire.status_v1 import BadStatus, Status, decode


@dataclass(frozen=True, slots=True)
class Follower:
    """``behind``: arrivals not yet read; None when it never said how far it is."""

    name: str
    n: int | None
    behind: int | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class GatewayNow:
    """What the gateway last said of itself, and which of its batches are on disk here."""

    id: GatewayId
    status: Status | None
    heard_ms: int | None
    epochs: Mapping[str, Mapping[str, Any]]


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
    gateways = sorted({*reader.gateways(), *statuses})
    return Pipeline(
        reader.totals(),
        n,
        newest[0].stored_at_ms if newest else None,
        [_gateway(reader, one, statuses.get(one)) for one in gateways],
        _followers(context, n),
    )


def _gateway(
    reader: ReadingReader, gateway: GatewayId, status: tuple[bytes, int] | None
) -> GatewayNow:
    epochs = {
        epoch: {"through": held.through, "ranges": [list(r) for r in held.ranges]}
        for epoch, held in reader.ledger(gateway).items()
    }
    said = _status(status[0]) if status else None
    return GatewayNow(gateway, said, status[1] if status else None, epochs)


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


def _followers(context: Context, n: int) -> list[Follower]:
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
        influx = said.get("n")
        found.append(
            _follower("influx", influx if isinstance(influx, int) else None, n, "no cursor")
        )
    return found


def _follower(name: str, read: int | None, n: int, why_not: str) -> Follower:
    if read is None:
        return Follower(name, None, None, why_not)
    return Follower(name, read, max(n - read, 0))
