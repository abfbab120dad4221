"""Messages as the makers' own documentation shows them, and what becomes of each."""

from domain.quantity import QUANTITIES
from gateway.decoders import NO_BIRTHS, Births, DeviceReading, Unusable, decode

NOW = 1_780_000_000_000

Said = tuple[str, str, str, int | None]  # probe, quantity, value, ms after NOW; None: no time


def said(
    topic: str, payload: str | bytes, births: Births = NO_BIRTHS, now_ms: int = NOW
) -> list[Said]:
    """The readings of a message. Own ids stand as they are, other names after ``local:``."""
    raw = payload.encode() if isinstance(payload, str) else payload
    return [
        (
            one.probe if one.own_id else f"local:{one.probe}",
            one.quantity,
            str(_value(one)),
            one.at_ms if one.timed else None,
        )
        for one in decode(topic, raw, now_ms, births)
        if isinstance(one, DeviceReading)
    ]


def unusable(topic: str, payload: str | bytes, births: Births = NO_BIRTHS) -> list[str]:
    raw = payload.encode() if isinstance(payload, str) else payload
    return [one.reason for one in decode(topic, raw, NOW, births) if isinstance(one, Unusable)]


def _value(one: DeviceReading) -> object:
    return QUANTITIES[one.quantity].value(one.count)
