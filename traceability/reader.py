"""What is known of a lot, for the api: stays, exposure, certificates with every version."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, Row, Select, select

from domain.reading import LotId
from store.errors import NotReady
from store.migrate import open_reader
from traceability import tables as t

__all__ = ["CertificateVersion", "LotTrace", "NotReady", "TraceReader", "open_trace_reader"]

PAGE_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class CertificateVersion:
    """``because``: first | event | late data | judgement | extended."""

    lot: LotId
    version: int
    issued_at_ms: int
    until_ms: int
    verdict: str  # pass | attention | fail | no data
    because: str


@dataclass(frozen=True, slots=True)
class LotTrace:
    """The lot's record as of ``made_at_ms``, newer than its last certificate perhaps.

    ``body`` has the certificate's members ``lot``, ``journey``, ``contradictions``,
    ``stays``, ``verdict`` (docs in ``traceability.certificate``). ``open``: it is in a room.
    """

    lot: LotId
    code: str
    made_at_ms: int
    until_ms: int
    open: bool
    verdict: str
    body: dict[str, Any]
    certificates: Sequence[CertificateVersion]  # oldest first


class TraceReader:
    """Each call opens, reads and closes; safe to share between threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def close(self) -> None:
        self._engine.dispose()

    def _rows(self, query: Select[Any]) -> Sequence[Row[Any]]:
        with self._engine.connect() as connection:
            return connection.execute(query.limit(PAGE_ROWS)).all()

    def cursor(self) -> tuple[int, int]:
        """(n, m): how far arrivals and changes have been followed."""
        rows = self._rows(select(t.cursor.c.n, t.cursor.c.m))
        return (rows[0].n, rows[0].m) if rows else (0, 0)

    def lot(self, lot: LotId) -> LotTrace | None:
        """None until the lot has been in a room."""
        return self._trace(select(t.exposures).where(t.exposures.c.lot == lot))

    def by_code(self, code: str) -> LotTrace | None:
        return self._trace(select(t.exposures).where(t.exposures.c.code == code))

    def versions(self, lot: LotId) -> list[CertificateVersion]:
        """Oldest first."""
        c = t.certificates.c
        columns = (c.version, c.issued_at_ms, c.until_ms, c.verdict, c.because)
        rows = self._rows(select(*columns).where(c.lot == lot).order_by(c.version))
        return [
            CertificateVersion(
                lot, row.version, row.issued_at_ms, row.until_ms, row.verdict, row.because
            )
            for row in rows
        ]

    def certificate(self, lot: LotId, version: int | None = None) -> bytes | None:
        """The signed bytes as they were issued; the newest when no version is named."""
        c = t.certificates.c
        query = select(c.bytes).where(c.lot == lot)
        if version is not None:
            query = query.where(c.version == version)
        rows = self._rows(query.order_by(c.version.desc()).limit(1))
        return bytes(rows[0].bytes) if rows else None

    def misfits(self, event_id: str) -> list[tuple[str, str]]:
        """(object, reason) of what did not fit when the event was folded: a capture job's errors."""
        c = t.misfits.c
        rows = self._rows(select(c.object, c.reason).where(c.event_id == event_id))
        return [(row.object, row.reason) for row in rows]

    def _trace(self, query: Select[Any]) -> LotTrace | None:
        rows = self._rows(query)
        if not rows:
            return None
        row = rows[0]
        lot = LotId(row.lot)
        return LotTrace(
            lot,
            row.code,
            row.made_at_ms,
            row.until_ms,
            row.open,
            row.verdict,
            row.body,
            self.versions(lot),
        )


def open_trace_reader(path: Path | str) -> TraceReader:
    """Waits for nothing; ``NotReady`` when the file or its version is missing."""
    return TraceReader(open_reader(path, t.VERSION))
