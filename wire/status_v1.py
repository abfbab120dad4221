"""A gateway's word on itself: retained on the broker, and left as its last will.

It is not authenticated beyond the broker's own access list: it informs people, and nothing
is stored, forgotten or judged because of it.
"""

import msgspec

from wire.numbers import Instant, Whole

MAX_PAYLOAD = 1 << 14
MAX_HOURS_OFF = 10


class BadStatus(Exception):
    """Not a status."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Clock(msgspec.Struct, frozen=True):
    """``step_ms``: when somebody last set it since the gateway's start, by ``step_by_ms``."""

    trusted: bool
    now_ms: Instant | None = None
    boot: str = ""
    step_ms: Instant | None = None
    step_by_ms: Whole = 0


class Backlog(msgspec.Struct, frozen=True):
    """Batches not yet receipted."""

    batches: Whole = 0
    readings: Whole = 0
    bytes: Whole = 0


class Config(msgspec.Struct, frozen=True):
    """Which config a gateway goes by: the records' store id and their change."""

    store: str
    m: Whole


class Receipted(msgspec.Struct, frozen=True):
    """The highest arrival of this store up to which a receipt spoke. ``lacking``: that receipt had
    less than earlier ones of this store."""

    store: str
    n: Whole
    lacking: bool = False


class Status(msgspec.Struct, frozen=True):
    """``state``: online, full (acknowledges nothing until there is room), or offline.

    ``oldest_ms``, ``newest_ms``: measured times of what is not yet receipted, None when
    nothing waits. ``full_in_h`` at the rate of the last minutes, None when it does not fill.
    ``hours_off``: topics of devices that send local time as UTC, at most ``MAX_HOURS_OFF``.
    ``alarms``: how many are active by the gateway's own judgement, None where it judges nothing.
    ``configs_refused`` since the start: unsigned, altered, older or another gateway's.
    ``receipts_refused``: why the newest receipt was ignored, "" when it was taken. ``receipted``:
    None before the first. A store that has not come so far, or whose receipts lack what they had,
    was set back.
    """

    state: str
    epoch: str
    version: str
    v: int = 1
    oldest_ms: Instant | None = None
    newest_ms: Instant | None = None
    backlog: Backlog = Backlog()
    full_in_h: float | None = None
    clock: Clock = Clock(trusted=False)
    quarantined: Whole = 0
    refused: Whole = 0
    config: Config | None = None
    configs_refused: Whole = 0
    hours_off: dict[str, Whole] = {}
    alarms: Whole | None = None
    receipts_refused: str = ""
    receipted: Receipted | None = None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Status)


def encode(status: Status) -> bytes:
    return _encoder.encode(status)


def decode(payload: bytes) -> Status:
    """Raises ``BadStatus``, and nothing else, whatever the bytes are."""
    if len(payload) > MAX_PAYLOAD:
        raise BadStatus("larger than a status may be")
    try:
        status = _decoder.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadStatus("unreadable") from error
    if status.v != 1:
        raise BadStatus(f"version {status.v} is not known here")
    return status
