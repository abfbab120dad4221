"""The spans of an arrival as one small blob.

Live, a commit brings one reading of each of many series, so the journal would be larger
than the readings: 32 bytes a span as plain integers, 4 to 7 in columns behind zlib.
"""

import zlib
from array import array
from collections.abc import Iterable, Mapping, Sequence

Packed = tuple[int, int, int, int]  # series id, first_ms, last_ms, rows


def pack(spans: Mapping[int, Sequence[int]]) -> bytes:
    """Series id to (first_ms, last_ms, rows)."""
    base_ms = min((span[0] for span in spans.values()), default=0)
    columns: Iterable[Iterable[int]] = (
        (base_ms,),
        spans,
        (span[0] - base_ms for span in spans.values()),
        (span[1] - span[0] for span in spans.values()),
        (span[2] for span in spans.values()),
    )
    flat = array("q")
    for column in columns:
        flat.extend(column)
    return zlib.compress(flat.tobytes(), 1)


def unpack(blob: bytes) -> list[Packed]:
    flat = array("q", zlib.decompress(blob))
    base_ms, n = flat[0], len(flat) // 4
    ids, first, length, rows = (flat[1 + n * i : 1 + n * (i + 1)] for i in range(4))
    return [
        (id_, base_ms + begun, base_ms + begun + long, count)
        for id_, begun, long, count in zip(ids, first, length, rows, strict=True)
    ]
