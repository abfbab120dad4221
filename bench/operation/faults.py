"""How a plant fails: what breaks, when, and what that does to the room's box and surroundings."""

from dataclasses import dataclass, replace
from math import exp, inf
from random import Random
from typing import Literal

from firmware_sim.room import Box

from bench.operation.diary import DAY_S, HOUR_S
from bench.operation.rooms import Room

What = Literal[
    "compressor", "power", "door", "gas loss", "set too warm", "set too cold", "freezing"
]
WHATS: tuple[What, ...] = (
    "compressor", "power", "door", "gas loss", "set too warm", "set too cold", "freezing",
)  # fmt: skip
CHILLED_ONLY = ("set too cold", "freezing")  # nobody minds a freezer that is colder
GAS_HALVES_S = (6 * HOUR_S, 36 * HOUR_S)  # half of the cooling power is gone after so long
SET_WRONG_K = (4.0, 8.0)
QUIET_S = DAY_S  # of normal running before it
AT_MOST_S = 5 * DAY_S  # the story ends then, or some hours after the goods left their limits
AFTERWARDS_S = 12 * HOUR_S


@dataclass(frozen=True, slots=True)
class Fault:
    what: What
    begin_s: float
    size: float  # K for set points, seconds for the gas


def drawn_fault(what: What, random: Random) -> Fault:
    size = 0.0
    if what == "gas loss":
        size = random.uniform(*GAS_HALVES_S)
    elif what == "set too warm":
        size = random.uniform(*SET_WRONG_K)
    elif what == "set too cold":
        size = -random.uniform(*SET_WRONG_K)
    begin = QUIET_S + 10.0 * random.randrange(int(DAY_S / 10))
    return Fault(what, begin, size)


def set_point(room: Room, fault: Fault | None) -> float:
    """What the controller shows."""
    moved = fault is not None and fault.what in ("set too warm", "set too cold")
    return room.set_c + (fault.size if fault and moved else 0.0)


def broken(box: Box, fault: Fault, since_s: float) -> Box:
    """The box ``since_s`` after the fault began."""
    match fault.what:
        case "compressor":  # the contactor is open; the fan goes on
            return replace(box, on_at_c=inf, off_at_c=inf)
        case "freezing":  # the contactor is welded: it never rests
            return replace(box, on_at_c=-inf, off_at_c=-inf, min_off_s=0.0)
        case "gas loss":
            return replace(box, cooling_w=box.cooling_w * exp(-0.693 * since_s / fault.size))
        case "set too warm" | "set too cold":
            return replace(
                box, on_at_c=box.on_at_c + fault.size, off_at_c=box.off_at_c + fault.size
            )
        case "power" | "door":
            return box
