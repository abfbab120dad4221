"""How early a failing plant is told, against the moment at which the goods leave their band.

    python -m bench failures --failures 500 --seed 1

A day of normal running, then something breaks at any hour of the second: compressor, power, a
door left open, gas that leaks away, a set point too warm or too cold, a thermostat that never
stops. The story goes on until twelve hours after the room's goods left the profile's warning
limits, at most five days. Told is the first text message that speaks of something that this failure causes and that
began after it: a door opened by chance, a silent probe or a forgotten button does not count.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from random import Random
from statistics import median

from bench.machine import figure, note, percentile
from bench.normal_operation import PROCESSES
from bench.operation.equipment import AS_DRAWN, Equipment, add_to, asked_for
from bench.operation.faults import CHILLED_ONLY, WHATS, Fault, What, drawn_fault
from bench.operation.month import Month, live
from bench.operation.rooms import Room, drawn
from bench.operation.watch import watch
from domain.decision import Notice
from domain.judgement import Rule

MINUTE_S = 60.0
BY_CHANCE = ("DOOR_OPEN", "LOADING", "DATA_GAP", "SENSOR", "PRECOOL", "DEFROST")


@dataclass(frozen=True, slots=True)
class Told:
    """Seconds since the failure began; ``told_s`` None: nobody was told while the story lasted.
    ``left_s``, ``beyond_s``: when the goods left their band, and the warning limits; None: never."""

    what: What
    profile: str
    told_s: float | None
    codes: tuple[str, ...]
    left_s: float | None
    beyond_s: float | None


@dataclass(frozen=True, slots=True)
class Story:
    room: Room
    fault: Fault


def story(number: int, seed: int, equipment: Equipment = AS_DRAWN) -> Story:
    """Failure ``number`` of a seed, in one of the rooms that run as they should there."""
    what = WHATS[number % len(WHATS)]
    place = number // len(WHATS)
    room = drawn(seed, place)
    while what in CHILLED_ONLY and room.kind.frozen:
        place += 1
        room = drawn(seed, place)
    fault = drawn_fault(what, Random(f"{seed}/fault/{number}"))  # noqa: S311 - a simulation
    return Story(equipment.of(room), fault)


def measure(number: int, seed: int, equipment: Equipment = AS_DRAWN) -> Told:
    failing = story(number, seed, equipment)
    return heard(failing, live(seed, failing.room, 0, failing.fault), seed)


def heard(failing: Story, month: Month, seed: int, rules: Sequence[Rule] = ()) -> Told:
    """What people heard of it, under the profile's own rule or under ``rules``."""
    fault = failing.fault
    began_ms = month.start_ms + round(fault.begin_s * 1000)
    told_s: float | None = None
    codes: tuple[str, ...] = ()
    for notice in watch(month, seed, rules=rules).notices:
        codes = _speaks_of(notice, fault.what, began_ms)
        if notice.kind in ("raise", "digest") and notice.channel == "sms" and codes:
            told_s = (notice.at_ms - began_ms) / 1000
            break
    left_s, beyond_s = (
        None if at_s is None else at_s - fault.begin_s
        for at_s in (month.left_band_s, month.left_limits_s)
    )
    return Told(fault.what, failing.room.kind.profile, told_s, codes, left_s, beyond_s)


def _speaks_of(notice: Notice, what: What, began_ms: int) -> tuple[str, ...]:
    """Codes of the notice that the failure can have caused."""
    new = {k.code for _, k in notice.about if k.fired_ms >= began_ms} & {*notice.codes}
    chance = tuple(code for code in BY_CHANCE if not (what == "door" and code == "DOOR_OPEN"))
    return tuple(sorted(code for code in new if not code.startswith(chance)))


def measured(numbers: Sequence[int], seed: int, equipment: Equipment) -> Iterator[Told]:
    one = partial(measure, seed=seed, equipment=equipment)
    with ProcessPoolExecutor(PROCESSES) as pool:
        for done, each in enumerate(pool.map(one, numbers), 1):
            print(f"\r{done} of {len(numbers)}", end="", file=sys.stderr, flush=True)
            yield each
    print("\r", end="", file=sys.stderr)


def report(told: Sequence[Told], seeds: str) -> None:
    missed = [t for t in told if t.told_s is None]
    harmed = [t for t in missed if t.beyond_s is not None]
    figure(f"{len(told)} failures, seeds {seeds}: goods beyond their limits, nobody told",
           str(len(harmed)), "0")  # fmt: skip
    figure(
        "  nobody told, and the goods stayed within the warning limits",
        str(len(missed) - len(harmed)),
    )
    for t in missed:
        note(f"  not told: {t.what} in a room of {t.profile}")
    for where, leads in (("band", _leads(told)), ("warning limits", _leads(told, beyond=True))):
        early = sum(lead >= 0 for lead in leads) / max(len(leads), 1)
        figure(
            f"first message before the goods left their {where}: median lead",
            f"{median(leads):.1f} h; {early:.0%} of {len(leads)} before",
        )
    for what in WHATS:
        of = [t for t in told if t.what == what]
        if of:
            figure(f"  {what} ({len(of)})", _line(of))
            _codes(of)


def _leads(told: Sequence[Told], *, beyond: bool = False) -> list[float]:
    """Hours, of those that were told and left."""
    ends = [(t.told_s, t.beyond_s if beyond else t.left_s) for t in told]
    return [(left - at) / 3600 for at, left in ends if at is not None and left is not None]


def _line(of: Sequence[Told]) -> str:
    after = [t.told_s / MINUTE_S for t in of if t.told_s is not None]
    parts = [f"told after {median(after):.0f} min (p90 {percentile(after, 0.9):.0f})"]
    for where, leads in (("band", _leads(of)), ("limits", _leads(of, beyond=True))):
        if leads:
            early = sum(lead >= 0 for lead in leads)
            parts.append(
                f"before the {where}: median {median(leads):.1f} h, worst {min(leads):.1f} h,"
                f" {early} of {len(leads)}"
            )
    stayed = sum(t.left_s is None for t in of)
    if stayed:
        parts.append(f"in {stayed} the goods stayed in their band")
    return "; ".join(parts)


def _codes(of: Sequence[Told]) -> None:
    first = Counter("+".join(t.codes) for t in of if t.codes)
    note("  first: " + ", ".join(f"{code} {n}" for code, n in first.most_common(5)))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench failures", description=__doc__)
    parser.add_argument("--failures", type=int, default=500)
    parser.add_argument("--seed", type=int, nargs="+", default=[1], help="an equal share of each")
    add_to(parser)
    asked = parser.parse_args()
    equipment = asked_for(asked)
    began = time.monotonic()
    share = range(asked.failures // len(asked.seed))
    told = [each for seed in asked.seed for each in measured(share, seed, equipment)]
    report(told, ", ".join(map(str, asked.seed)))
    note(f"took {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
