"""Instants as text, as programs read and write them: RFC 3339."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant_ms(text: str) -> int:
    """Whole milliseconds UTC, fractions cut; ``ValueError`` for what is no time, or has no offset."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"a time without offset: {text}")
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def rfc3339(at_ms: int) -> str:
    """UTC with ``Z``; no fraction when the second is whole, else three digits."""
    moment = _EPOCH + timedelta(milliseconds=at_ms)
    precision = "milliseconds" if at_ms % 1000 else "seconds"
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")
