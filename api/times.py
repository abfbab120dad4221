"""Instants as programs write them: whole milliseconds or RFC 3339, always with an offset."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import BeforeValidator

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LAST_MS = 4_102_444_800_000  # 2100-01-01: later is a mistake in the unit


def instant_ms(given: object) -> int:
    """``ValueError`` for anything that is not an instant between 1970 and 2100."""
    if isinstance(given, bool) or not isinstance(given, int | str):
        raise ValueError("not an instant: give milliseconds or RFC 3339")  # noqa: TRY004 - pydantic turns ValueError into the answer
    text = str(given).strip()
    at_ms = int(text) if text.lstrip("-").isdecimal() and len(text) < 20 else _rfc3339(text)
    if not 0 <= at_ms < LAST_MS:
        raise ValueError("not between 1970 and 2100")
    return at_ms


def _rfc3339(text: str) -> int:
    # A plus sign in a query string arrives as a space.
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    except ValueError:
        raise ValueError("not an instant: give milliseconds or RFC 3339") from None
    if moment.tzinfo is None:
        raise ValueError("a time without Z or offset")
    return (moment - _EPOCH) // timedelta(milliseconds=1)


Instant = Annotated[int, BeforeValidator(instant_ms)]
