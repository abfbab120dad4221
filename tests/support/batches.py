"""Batches as a gateway would cut and seal them."""

from array import array

from domain.reading import Columns, ProbeId, Series
from wire.batch_v1 import Clock, Header, pack_readings, seal_batch

KEY = bytes(range(32))
NOON_MS = 1_780_315_200_000  # 2026-06-01T12:00:00Z
MINUTE_MS = 60_000
AIR = Series(ProbeId("ieee:00158d0001a2b3c4"), "temperature")

Row = tuple[int, int, int]  # at_ms, count, quality


def columns(*rows: Row) -> Columns:
    return Columns(
        array("q", [row[0] for row in rows]),
        array("q", [row[1] for row in rows]),
        array("H", [row[2] for row in rows]),
    )


def sealed(
    seq: int,
    *rows: Row,
    series: Series = AIR,
    gateway: str = "g1",
    kid: str = "k1",
    epoch: str = "e1",
    key: bytes = KEY,
    cut_at_ms: int = NOON_MS,
    trusted: bool = True,
    kind: str = "readings",
    body: bytes | None = None,
    after: tuple[str, int] | None = None,
) -> bytes:
    """The payload of one batch with the rows in one series, or with ``body`` as it is."""
    header = Header(1, kind, gateway, kid, epoch, seq, b"", cut_at_ms, Clock(trusted), after)
    packed = pack_readings([(series, columns(*rows))]) if body is None else body
    return seal_batch(header, packed, key)
