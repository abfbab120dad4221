"""What was sent, counted by the sender: the other side of every comparison of the fault harness.

Nothing in here is learnt from the system. A reading is offered when it was handed to MQTT and
acknowledged when its PUBACK came; it is offered again until then, so at the end all are
acknowledged, and while a fault lasts the store may hold what is not.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from domain.quantity import QUANTITIES
from tests.support.workload import Sent

Key = tuple[str, str, int]  # probe, quantity, measured_at in ms


@dataclass(frozen=True, slots=True)
class Reading:
    """One distinct reading, as its device stamped it; ``probe`` as the store names it."""

    probe: str
    quantity: str
    at_ms: int
    count: int

    @property
    def key(self) -> Key:
        return self.probe, self.quantity, self.at_ms

    @classmethod
    def of(cls, one: Sent, gateway: str) -> "Reading":
        count = QUANTITIES[one.quantity].count(one.value)
        return cls(f"mqtt:{gateway}:{one.device}", one.quantity, one.at_ms, count)


@dataclass(frozen=True, slots=True)
class RoomSaid:
    """A room with its only rule, and the probes that are in it, all since ``from_ms``."""

    id: str
    profile: str
    commodities: tuple[str, ...]
    interval_s: int
    from_ms: int
    probes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ActionSaid:
    """Answered by the api with success: it is in the record."""

    id: str
    room: str
    kind: str
    at_ms: int
    by: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Ledger:
    """``readings``: each distinct reading that was ever offered, and whether it is acknowledged.
    ``unfit``: messages that are no readings, by their text, and whether they are acknowledged.
    ``phones``: person's id to number, of everybody who may be told something."""

    rooms: dict[str, RoomSaid] = field(default_factory=dict)
    readings: dict[Reading, bool] = field(default_factory=dict)
    actions: dict[str, ActionSaid] = field(default_factory=dict)
    phones: dict[str, str] = field(default_factory=dict)
    unfit: dict[str, bool] = field(default_factory=dict)

    def offer(self, readings: Iterable[Reading]) -> None:
        for one in readings:
            self.readings.setdefault(one, False)

    def acknowledge(self, readings: Iterable[Reading]) -> None:
        for one in readings:
            self.readings[one] = True

    def unacknowledged(self) -> Iterator[Reading]:
        return (one for one, acked in self.readings.items() if not acked)

    def values(self) -> dict[Key, set[int]]:
        """Every count that was offered under a key: more than one is a conflict."""
        found: dict[Key, set[int]] = {}
        for one in self.readings:
            found.setdefault(one.key, set()).add(one.count)
        return found

    def save(self, path: Path) -> None:
        said = {
            "rooms": list(self.rooms.values()),
            "readings": [
                (r.probe, r.quantity, r.at_ms, r.count, acked) for r, acked in self.readings.items()
            ],
            "unfit": self.unfit,
            "actions": list(self.actions.values()),
            "phones": self.phones,
        }
        path.write_bytes(msgspec.json.encode(said))

    @classmethod
    def load(cls, path: Path) -> "Ledger":
        said = msgspec.json.decode(path.read_bytes())
        rooms = msgspec.convert(said["rooms"], list[RoomSaid])
        actions = msgspec.convert(said["actions"], list[ActionSaid])
        return cls(
            {room.id: room for room in rooms},
            {Reading(*row): acked for *row, acked in said["readings"]},
            {action.id: action for action in actions},
            said["phones"],
            said["unfit"],
        )
