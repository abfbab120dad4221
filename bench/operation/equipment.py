"""How rooms are equipped, other things equal.

The same seed gives the same room, loads, doors, defrosts and weather, whatever hangs in it; only
what a curtain keeps out and what a probe makes of the air differ.
"""

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass, replace

from bench.operation.rooms import CURTAIN, Room


@dataclass(frozen=True, slots=True)
class Equipment:
    """``buffered``: every air probe hangs in a bottle of glycol, and its papers say so.
    ``curtains``: every door has strips. ``flags``: every controller says when it defrosts."""

    buffered: bool = False
    curtains: bool = False
    flags: bool = False

    @property
    def name(self) -> str:
        parts = [("buffered", self.buffered), ("curtains", self.curtains), ("flags", self.flags)]
        return "+".join(name for name, has in parts if has) or "as-drawn"

    def of(self, room: Room) -> Room:
        heater = room.watched.heater or self.flags
        watched = replace(room.watched, buffered=self.buffered, heater=heater)
        return replace(room, watched=watched, curtain=CURTAIN if self.curtains else room.curtain)


AS_DRAWN = Equipment()


def add_to(parser: ArgumentParser) -> None:
    parser.add_argument("--probes", choices=("air", "buffered"), default="air")
    parser.add_argument("--curtains", choices=("drawn", "all"), default="drawn")
    parser.add_argument("--flags", choices=("drawn", "all"), default="drawn")


def asked_for(asked: Namespace) -> Equipment:
    return Equipment(
        buffered=asked.probes == "buffered",
        curtains=asked.curtains == "all",
        flags=asked.flags == "all",
    )
