"""A gateway's config: its rooms, their probes, rules and people, signed by the server.

JSON, so that a person can read it on the broker. The signature is its last member and covers
the bytes before it: it is checked before anything is parsed. A config is newer than another
when its (m, made_at) is greater; those of two stores cannot be compared. The words are those
of records; a gateway that holds the newest one judges its rooms as the server does.
"""

from collections.abc import Callable
from typing import Any, Literal

import msgspec

from domain.roster import Shift

MAX_PAYLOAD = 1 << 20
LONGEST_TEXT = 500
_PURPOSE = b"coldtrail config1\n"  # so that nothing else that the key has signed is a config
_SIG_HEX = 128
_SIG_OPEN = b',"sig":"'
_SIG_CLOSE = b'"}'

Sign = Callable[[bytes], bytes]
Genuine = Callable[[bytes, bytes], bool]
"""``genuine(signature, message)``: the pinned key made it."""


class BadConfig(Exception):
    """Not a config, or not from our server."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Site(msgspec.Struct, frozen=True):
    id: str
    kind: str
    name_zh: str
    name_en: str


class Probe(msgspec.Struct, frozen=True, rename={"from_ms": "from", "to_ms": "to"}):
    """Measures the room from an instant to an instant (None: still)."""

    probe: str
    from_ms: int
    to_ms: int | None = None


class RuleVersion(msgspec.Struct, frozen=True, rename={"from_ms": "from"}):
    """In force until the next one; ``m`` is the change that recorded it."""

    m: int
    from_ms: int
    profile: str
    commodities: tuple[str, ...]
    interval_s: int
    overrides: dict[str, Any] = {}


class Action(msgspec.Struct, frozen=True, rename={"at_ms": "at"}):
    at_ms: int
    kind: str
    by: str
    detail: dict[str, Any] = {}


class Contact(msgspec.Struct, frozen=True):
    """A person as the room's ladder sees them, on duty or not. No shifts: always on duty."""

    id: str
    role: Literal["operator", "second", "township", "county"]
    phone: str
    lang: str = "zh"
    quiet_hours: bool = True
    shifts: tuple[Shift, ...] = ()


class Silence(msgspec.Struct, frozen=True, rename={"from_ms": "from", "to_ms": "to"}):
    """Somebody asked not to hear of a code from an instant to an instant."""

    code: str
    from_ms: int
    to_ms: int


class Room(msgspec.Struct, frozen=True):
    """``rules`` oldest first, ``actions`` by (at, order recorded), ``contacts`` empty for a
    gateway that cannot tell anybody."""

    id: str
    site: str
    kind: str
    name_zh: str
    name_en: str
    probes: tuple[Probe, ...] = ()
    rules: tuple[RuleVersion, ...] = ()
    actions: tuple[Action, ...] = ()
    contacts: tuple[Contact, ...] = ()
    silences: tuple[Silence, ...] = ()


class Config(msgspec.Struct, frozen=True, rename={"made_at_ms": "made_at"}):
    """``store``: id of the records that it was made from; ``m``: their last change then.
    ``was``: ids that these records had before they were put back from a backup."""

    v: int
    gateway: str
    store: str
    m: int
    made_at_ms: int
    sites: tuple[Site, ...] = ()
    rooms: tuple[Room, ...] = ()
    was: tuple[str, ...] = ()
    calendar: dict[str, str] = {}  # date to what it counts as; see domain.roster

    def newer_than(self, other: "Config") -> bool:
        """Of one store."""
        return (self.m, self.made_at_ms) > (other.m, other.made_at_ms)

    def content(self) -> tuple[object, ...]:
        """What it says, whenever it was said."""
        return self.gateway, self.store, self.sites, self.rooms, self.calendar


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Config)


def encode(config: Config, sign: Sign) -> bytes:
    """``BadConfig`` when it is larger than a config may be."""
    said = _encoder.encode(config)[:-1]
    payload = said + _SIG_OPEN + sign(_PURPOSE + said).hex().encode() + _SIG_CLOSE
    if len(payload) > MAX_PAYLOAD:
        raise BadConfig("larger than a config may be")
    return payload


def decode(payload: bytes, genuine: Genuine) -> Config:
    """Raises ``BadConfig``, and nothing else, whatever the bytes are."""
    if len(payload) > MAX_PAYLOAD:
        raise BadConfig("larger than a config may be")
    tail = len(_SIG_OPEN) + _SIG_HEX + len(_SIG_CLOSE)
    said, end = payload[:-tail], payload[-tail:]
    if not (said and end.startswith(_SIG_OPEN) and end.endswith(_SIG_CLOSE)):
        raise BadConfig("without a signature at its end")
    try:
        signature = bytes.fromhex(end[len(_SIG_OPEN) : -len(_SIG_CLOSE)].decode("ascii"))
    except ValueError as error:
        raise BadConfig("without a signature at its end") from error
    if not genuine(signature, _PURPOSE + said):
        raise BadConfig("not signed by our server")
    try:
        parsed = _decoder.decode(said + b"}")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadConfig("unreadable") from error
    if parsed.v != 1:
        raise BadConfig(f"version {parsed.v} is not known here")
    return parsed
