"""Which single readings may enter, and what is noted against them.

The gateway asks this of each record a device sends, ingest again of each row a gateway
sends: neither trusts the other side's arithmetic. A refused reading is quarantined with
the reason; its neighbours are stored.
"""

from domain.quantity import QUANTITIES
from domain.reading import Quality

EARLIEST_MS = 1_577_836_800_000  # 2020-01-01T00:00:00Z: before it, a clock was never set
LATEST_MS = (
    4_102_444_800_000  # 2100-01-01: later is a mistake in the unit, whoever trusts his clock
)
_OUTSIDE_RANGE = int(Quality.OUTSIDE_RANGE)  # plain integers: this is asked of every reading
FUTURE_MS = 5 * 60_000  # further ahead of a trusted clock than this is a wrong clock


def objection(quantity: str, at_ms: int, trusted_now_ms: int | None) -> str | None:
    """Why the reading may not enter, or None. Without a trusted clock nothing is "future", up to
    the end of this century."""
    if quantity not in QUANTITIES:
        return f"unknown quantity {quantity[:64]!r}"
    if at_ms < EARLIEST_MS:
        return "measured before 2020"
    if trusted_now_ms is not None and at_ms > trusted_now_ms + FUTURE_MS:
        return "measured more than 5 min ahead of a trusted clock"
    if at_ms >= LATEST_MS:
        return "measured after 2099"
    return None


def quality(quantity: str, count: int, bits: int = 0) -> int:
    """The bits with OUTSIDE_RANGE set or cleared by the count itself."""
    plausible = QUANTITIES[quantity].plausible(count)
    return bits & ~_OUTSIDE_RANGE if plausible else bits | _OUTSIDE_RANGE
