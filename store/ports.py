"""Readings, the ledger of received batches and the arrivals journal: one store, one writer.

Ingest is the only writer. Everything else is a follower: it remembers how far it has
read, asks for the arrivals after that, and reads the series that they name.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, NewType, Protocol

from domain.reading import Columns, GatewayId, Series

ArrivalNo = NewType("ArrivalNo", int)


@dataclass(frozen=True, slots=True)
class BatchId:
    gateway: GatewayId
    epoch: str
    seq: int


@dataclass(frozen=True, slots=True)
class AdmittedBatch:
    """A batch that passed every check. ``rows`` may repeat a series; ``digest`` names its bytes."""

    id: BatchId
    digest: bytes
    kind: str  # readings | event | tombstone | undated | seal
    rows: Sequence[tuple[Series, Columns]]
    cut_at_ms: int
    note: bytes = b""  # body of a kind that carries no readings, kept as it came
    boot: str = ""  # of the gateway, when it was cut
    offset_ms: int | None = None  # from times since that boot's start to UTC, once it is known
    undated: str = ""  # of the kind undated: the boot whose offset it waits for


@dataclass(frozen=True, slots=True)
class Span:
    """One series that an arrival touched; ``last_ms`` is inside."""

    series: Series
    first_ms: int
    last_ms: int
    rows: int


@dataclass(frozen=True, slots=True)
class Arrival:
    """One commit that changed something: what it brought, and when the server stored it.

    ``backlog`` is true when every batch in it came on the backlog lane."""

    n: ArrivalNo
    stored_at_ms: int
    spans: Sequence[Span]
    backlog: bool


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a group of batches. ``n`` is None when nothing changed."""

    n: ArrivalNo | None
    stored: int  # readings new to the store
    duplicates: int  # readings it had, same value
    conflicts: int  # readings it had, other value; now marked 128
    too_late: int  # older than the floor: kept in a list of their own, not judged
    refused: Sequence[tuple[BatchId, str]]  # known name, other bytes


@dataclass(frozen=True, slots=True)
class EpochLedger:
    """Received of one epoch: everything up to ``through``, and these ranges above it (ends inside)."""

    through: int
    ranges: Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Conflict:
    series: Series
    at_ms: int
    count: int
    quality: int


@dataclass(frozen=True, slots=True)
class Quarantined:
    """Bytes that were not admitted, unique by (source, digest)."""

    id: int
    source: str  # gateway id, or whatever stood in its place in the topic
    topic: str
    reason: str
    payload: bytes
    received_at_ms: int
    state: str  # held | retried


@dataclass(frozen=True, slots=True)
class Note:
    """What a gateway said besides readings: an event, a tombstone, a seal. ``body`` as it came."""

    batch: BatchId
    kind: str
    cut_at_ms: int
    n: int  # the arrival that brought it
    body: bytes


@dataclass(frozen=True, slots=True)
class Undated:
    """A batch whose readings have no instant: ``body`` as it came (``wire.undated_v1``). ``boot``:
    what its times count from; ``offset_ms``: what turns them into UTC, None while unknown."""

    batch: BatchId
    boot: str
    offset_ms: int | None
    cut_at_ms: int
    stored_at_ms: int
    body: bytes


class Latest(NamedTuple):  # asked for by the thousand: quicker to make than a frozen dataclass
    series: Series
    at_ms: int
    count: int  # type: ignore[assignment] # the reading's, where a tuple has a method
    quality: int
    stored_at_ms: int


class Bucket(NamedTuple):
    """Readings with ``start_ms <= measured_at < start_ms + width``; sums are exact counts."""

    start_ms: int
    n: int
    low: int
    high: int
    total: int


class ReadingReader(Protocol):
    """Every home keeps these promises; ``tests/contract`` checks each of them.

    - What ``write`` returned from is seen by every call made afterwards.
    - No call holds a read transaction longer than 200 ms: it pages by key.
    """

    @property
    def store_id(self) -> str:
        """Random, made with the store; a restored store gets a new one."""
        ...

    def last_arrival(self) -> ArrivalNo: ...

    def arrivals(self, after: int, limit: int = 500) -> list[Arrival]:
        """Arrivals with ``n > after``, in order, without holes."""
        ...

    def series(self) -> list[Series]: ...

    def between(
        self, series: Series, start_ms: int, end_ms: int, limit: int | None = None
    ) -> Columns:
        """Readings with ``start_ms <= measured_at < end_ms``, oldest first, at most ``limit``."""
        ...

    def latest(self, series: Sequence[Series] | None = None) -> list[Latest]:
        """The newest reading of each series (all when None), by measured_at."""
        ...

    def buckets(self, series: Series, start_ms: int, end_ms: int, width_ms: int) -> list[Bucket]:
        """Valid readings in buckets that start at multiples of ``width_ms`` from ``start_ms``."""
        ...

    def overview(self, start_ms: int, end_ms: int) -> dict[Series, Bucket]:
        """Every series' valid readings of the span as one bucket; those without any are left out."""
        ...

    def conflicts(self, series: Series, start_ms: int, end_ms: int) -> list[Conflict]:
        """The losers' values of keys in conflict, oldest first."""
        ...

    def ledger(self, gateway: GatewayId) -> dict[str, EpochLedger]: ...

    def gateways(self) -> list[GatewayId]: ...

    def notes(self, kind: str, after: int = 0, limit: int = 500) -> list[Note]:
        """Those of arrivals with ``n > after``, in order of arrival; of the last arrival all, so
        there may be more than ``limit``."""
        ...

    def undated(self, *, known: bool = False) -> list[Undated]:
        """Batches that wait for their boot's offset, in order of arrival; with ``known`` only
        those whose offset has come, so that they can be dated."""
        ...

    def quarantined(self, after_id: int = 0, limit: int = 100) -> list[Quarantined]: ...

    def statuses(self) -> dict[GatewayId, tuple[bytes, int]]:
        """Each gateway's last status message (JSON as it came) and when it was received."""
        ...

    def totals(self) -> dict[str, int]:
        """``stored``, ``duplicates``, ``conflicts``, ``quarantined``, ``batches``, ``too_late``;
        ``rows`` is counted from the table, the rest are running totals."""
        ...

    def close(self) -> None: ...


class ReadingStore(ReadingReader, Protocol):
    """The writer's side.

    - Writing a reading again changes nothing.
    - What ``write`` returned from is on disk: readings, conflicts, ledger and arrival together.
    - Each write that changed something is one arrival; arrivals are numbered without holes.
    - The offset of a boot is learnt with the batch that tells it; the first one stays.
    - A call that raises ``disk.room.Full`` kept nothing and may be made again.
    """

    def write(
        self, batches: Sequence[AdmittedBatch], stored_at_ms: int, *, backlog: bool = False
    ) -> Written: ...

    def holds(self, batch: BatchId, digest: bytes) -> bool:
        """These very bytes are on disk under this name: ``write`` would name the batch as
        repeated."""
        ...

    def date(
        self, batch: BatchId, rows: Sequence[tuple[Series, Columns]], stored_at_ms: int
    ) -> Written:
        """The readings of an undated batch, which waits no more: one arrival of the past. Done
        again it changes nothing."""
        ...

    def quarantine(
        self, source: str, topic: str, reason: str, payload: bytes, received_at_ms: int
    ) -> bool:
        """Keep the bytes; False when they were already there or the source's byte limit is
        reached (then they are counted, not kept)."""
        ...

    def quarantine_retried(self, id: int) -> None: ...

    def put_status(self, gateway: GatewayId, body: bytes, received_at_ms: int) -> None:
        """The newest replaces the one before; no arrival."""
        ...
