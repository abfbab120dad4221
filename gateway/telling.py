"""What a gateway does about its own alarms: ring, and tell people when nobody else can.

The decision itself is the server's own (``domain.decision``), run over the gateway's rooms. Of
its notices the gateway sends few: the server tells whatever it can know. A notice is the
server's as soon as every reading on which it rests is on the server's disk.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from domain.decision import Notice, State
from domain.incident import Known, RoomState
from wire.events_v1 import Acked, Told

NEWS = frozenset({"raise", "digest"})
FOLLOWS = frozenset({"escalate", "repeat", "clear"})  # of what the gateway itself has raised


@dataclass(frozen=True, slots=True)
class Ring:
    """A room whose alarm is to be heard there and then, and its gravest code."""

    code: str
    level: str


@dataclass(frozen=True, slots=True)
class Owed:
    """A notice that may be the gateway's to send. ``mark``: the last batch on which it rests."""

    notice: Notice
    mark: int


@dataclass(frozen=True, slots=True)
class Handed:
    """A message in the modem's hands, and what the server will hear of it once it is sent."""

    event: Told


@dataclass(frozen=True, slots=True)
class Memory:
    """What must outlive the process. ``ours``: incidents, as (room, number), that the gateway
    has raised by its modem. ``rung``: what the hook was last told of each room."""

    state: State = field(default_factory=State)
    owed: tuple[Owed, ...] = ()
    handed: tuple[Handed, ...] = ()
    unreported: tuple[Acked, ...] = ()
    ours: frozenset[tuple[str, int]] = frozenset()
    rung: Mapping[str, Ring] = field(default_factory=dict)


def ringing(state: State, *, warnings: bool = False) -> dict[str, Ring]:
    """Rooms with an active alarm that nobody has acknowledged: critical ones, or all."""
    found = {}
    for room, one in state.rooms.items():
        if one.incident is not None and one.incident.acked_ms is not None:
            continue
        heard = [k for k in one.known if k.active and (k.told_critical or warnings)]
        if heard:
            gravest = min(heard, key=lambda k: (k.level != "critical", k.fired_ms, k.code))
            found[room] = Ring(gravest.code, gravest.level)
    return found


def acknowledged(one: RoomState) -> bool:
    return one.incident is not None and one.incident.acked_ms is not None


def concerns_us(notice: Notice, ours: frozenset[tuple[str, int]]) -> bool:
    """The gateway may have to send it."""
    if notice.kind in FOLLOWS:
        return (notice.room, notice.incident) in ours
    return notice.kind in NEWS


def still_so(notice: Notice, state: State) -> tuple[tuple[str, Known], ...]:
    """Of what the notice tells, what is worth telling now. An end is always worth it."""
    if notice.kind == "clear":
        return notice.about
    return tuple(
        (room, known) for room, known in notice.about if _active(state.rooms.get(room), known.code)
    )


def _active(one: RoomState | None, code: str) -> bool:
    return one is not None and any(k.active and k.code == code for k in one.known)
