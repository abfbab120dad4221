"""Derived facts as followers and readers see them. Alerts is the only writer of ``facts.db``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from domain.reading import RoomId


@dataclass(frozen=True, slots=True)
class StoredFact:
    """One version of one alarm. Times in ms UTC; ``peak`` in degC; see alarm decisions, section D.

    Identity: ``id`` is carried from version to version by largest overlap of
    [began, cleared); it names the instant at which the alarm was first seen to fire, which may
    be another one in a file that was made anew. ``version`` counts from 1; ``withdrawn`` says that newer data removed it.
    (n, m, core) name the arrival, the change and the rules' code that made this version.
    """

    id: str
    version: int
    room: RoomId
    code: str
    level: str  # warning | critical
    began_at_ms: int
    fired_at_ms: int
    cleared_at_ms: int | None
    peak: float | None
    degree_minutes: float
    minutes_unknown: float
    rule: str  # change number and SHA-256 of the resolved limits
    withdrawn: bool
    n: int
    m: int
    core: str
    seq: int  # position in the journal of fact versions, for followers


@dataclass(frozen=True, slots=True)
class StoredPause:
    room: RoomId
    cause: str
    from_ms: int
    to_ms: int | None


@dataclass(frozen=True, slots=True)
class StoredFlag:
    at_ms: int
    room: RoomId
    probe: str
    quantity: str
    reason: str


class FactsReader(Protocol):
    """Each call opens, reads and closes within 50 ms."""

    def facts(
        self,
        room: RoomId | None = None,
        *,
        active: bool | None = None,
        from_ms: int | None = None,
        to_ms: int | None = None,
        limit: int = 1000,
    ) -> list[StoredFact]:
        """Newest version of each fact not withdrawn that overlaps [from, to). The newest fired
        first; of those that fired in one minute the active before the ended, critical before
        warning."""
        ...

    def fact(self, id: str) -> list[StoredFact]:
        """Every version, oldest first. An id of a file that was made anew since means the alarm
        of its code in its room that rang at its instant, or nearest to it within a day."""
        ...

    def versions_after(self, seq: int, limit: int = 500) -> list[StoredFact]:
        """The journal of versions, for followers (InfluxDB, traceability)."""
        ...

    def pauses(self, room: RoomId, from_ms: int, to_ms: int) -> list[StoredPause]: ...
    def flags(self, room: RoomId, from_ms: int, to_ms: int) -> list[StoredFlag]: ...

    def judged(self) -> Mapping[RoomId, tuple[int, int, int]]:
        """Room to (n, m, horizon_ms): how far each room has been judged."""
        ...

    def cursor(self) -> tuple[int, int]:
        """(n, m) up to which every room has been judged."""
        ...
