"""When a device says it measured: instants as devices write them, in ms since 1970 UTC.

A clock that was never set counts from its start, so what lies before 2^28 s (1978) is no time
at all and the arrival stands instead.
"""

from datetime import UTC, datetime, timedelta

from gateway.decoders.reading import number_of

_FROM_MS = (1 << 28) * 1000
_UNTIL_MS = 1 << 48  # beyond the year 9999
_MS_FROM = 10**11  # as seconds it would be the year 5138: so it counts milliseconds
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def at(value: object, received_at_ms: int) -> tuple[int, bool]:
    """(when, whether the device said so): seconds, milliseconds, or text as in RFC 3339.

    Text without an offset is read as UTC. What cannot be read gives the arrival.
    """
    said_ms = _text_ms(value) if isinstance(value, str) else _number_ms(value)
    if said_ms is None or not _FROM_MS <= said_ms < _UNTIL_MS:
        return received_at_ms, False
    return said_ms, True


def _number_ms(value: object) -> int | None:
    number = number_of(value)
    if number is None or not 0 < number < _UNTIL_MS:
        return None
    return int(number if number >= _MS_FROM else number * 1000)


def _text_ms(text: str) -> int | None:
    if text.isascii() and text.isdecimal():
        return _number_ms(int(text)) if len(text) < 16 else None
    try:
        said = datetime.fromisoformat(text)
    except ValueError:
        return None
    if said.tzinfo is None:
        said = said.replace(tzinfo=UTC)
    return (said - _EPOCH) // timedelta(milliseconds=1)
