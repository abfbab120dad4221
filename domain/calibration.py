"""What papers say of a probe: whether it may still be believed, and how slow it is.

A reading is never changed by its papers: the certificate's offset is shown beside it, an overdue
probe's readings carry a mark (SENSOR_DRIFT, CAL_DUE: alarm practice, section 7). Only the lag
reaches the rules: a buffered probe shows late what an air probe shows at once, so its time
constant is taken off the delays of the room's limits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from domain.span import FOREVER, Span

DAY_MS = 86_400_000
LOCAL_OFFSET_MS = 8 * 3_600_000  # a due date is a day in China
SOON_MS = 30 * DAY_MS
DRIFT_ABOVE_0 = 50  # counts of 0.01 degC between a check and what the probe showed
DRIFT_BELOW_0 = 100
LONGEST_LAG_S = 3_600
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Papers:
    """In force from ``from_ms`` until the probe's next. ``due_on``: the last day on which the
    certificate holds. ``offset_c``: what the certificate adds to a shown value. ``lag_s``: the
    time constant."""

    probe: str
    from_ms: int
    serial: str = ""
    certificate: str = ""
    due_on: date | None = None
    offset_c: Decimal = Decimal(0)
    lag_s: int = 0


@dataclass(frozen=True, slots=True)
class Check:
    """Beside the probe a calibrated thermometer was read; both in counts of 0.01 degC."""

    at_ms: int
    shown: int
    reference: int


def in_force(papers: Sequence[Papers], at_ms: int) -> Papers | None:
    """``papers`` of one probe, oldest first."""
    return next((p for p in reversed(papers) if p.from_ms <= at_ms), None)


def expires_ms(papers: Papers) -> int | None:
    """The first moment at which the certificate holds no longer."""
    if papers.due_on is None:
        return None
    return (papers.due_on + timedelta(days=1) - _EPOCH).days * DAY_MS - LOCAL_OFFSET_MS


def state(papers: Sequence[Papers], now_ms: int) -> str:
    """none (no due date is known), ok, due (within 30 days), overdue."""
    held = in_force(papers, now_ms)
    ends_ms = expires_ms(held) if held else None
    if ends_ms is None:
        return "none"
    if now_ms >= ends_ms:
        return "overdue"
    return "due" if now_ms >= ends_ms - SOON_MS else "ok"


def overdue(papers: Sequence[Papers], from_ms: int, to_ms: int) -> list[Span]:
    """When within [from, to) the certificate then in force had run out."""
    spans: list[Span] = []
    for i, held in enumerate(papers):
        ends_ms = expires_ms(held)
        until_ms = papers[i + 1].from_ms if i + 1 < len(papers) else FOREVER
        if ends_ms is None:
            continue
        begin, end = max(ends_ms, held.from_ms, from_ms), min(until_ms, to_ms)
        if begin < end:
            spans.append((begin, end))
    return spans


def drift(papers: Sequence[Papers], check: Check) -> int | None:
    """How far the probe was off in counts, when that is more than it may be; its certificate's
    offset is allowed for."""
    held = in_force(papers, check.at_ms)
    shown = check.shown + (int(held.offset_c * 100) if held else 0)
    apart = shown - check.reference
    allowed = DRIFT_ABOVE_0 if check.reference >= 0 else DRIFT_BELOW_0
    return apart if abs(apart) > allowed else None
