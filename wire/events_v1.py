"""Body of an ``event`` batch: what happened at a gateway that is no reading.

JSON, because events are few and a person may want to read them. An event's ``key`` is its name
for ever: the server takes it once, however often the batch comes.
"""

import msgspec

from wire.numbers import Instant, Whole

MAX_BODY = 1 << 16
MAX_EVENTS = 100


class BadEvents(Exception):
    """Not a body of events."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class About(
    msgspec.Struct,
    frozen=True,
    rename={"began_ms": "began", "fired_ms": "fired", "cleared_ms": "cleared"},
):
    """An alarm as the gateway's own judgement had it; ``cleared`` None: still active then."""

    room: str
    code: str
    level: str
    began_ms: Instant
    fired_ms: Instant
    cleared_ms: Instant | None = None
    peak: Whole | None = None


class Told(msgspec.Struct, frozen=True, tag="told", rename={"at_ms": "at"}):
    """A message that the gateway's modem has sent while the server could not be reached."""

    key: str
    at_ms: Instant
    person: str
    phone: str
    kind: str  # raise | escalate | repeat | clear | digest
    room: str  # "" spans rooms
    codes: tuple[str, ...]
    about: tuple[About, ...]
    text: str


class Acked(msgspec.Struct, frozen=True, tag="acked", rename={"at_ms": "at"}):
    """Somebody acknowledged a room's alarms at the gateway."""

    key: str
    at_ms: Instant
    room: str
    by: str


class ClockSet(msgspec.Struct, frozen=True, tag="clock", rename={"at_ms": "at"}):
    """The gateway's clock was set: at ``at_ms`` it showed ``by_ms`` more (or less) than before."""

    key: str
    at_ms: Instant
    by_ms: Whole


Event = Told | Acked | ClockSet


class _Body(msgspec.Struct, frozen=True):
    v: int
    events: list[Event]


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_Body)


def encode(events: list[Event]) -> bytes:
    return _encoder.encode(_Body(1, events))


def decode(body: bytes) -> list[Event]:
    """Raises ``BadEvents``, and nothing else, whatever the bytes are."""
    if len(body) > MAX_BODY:
        raise BadEvents("larger than a body of events may be")
    try:
        parsed = _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadEvents("unreadable") from error
    if parsed.v != 1:
        raise BadEvents(f"version {parsed.v} is not known here")
    if len(parsed.events) > MAX_EVENTS:
        raise BadEvents("too many events")
    return parsed.events
