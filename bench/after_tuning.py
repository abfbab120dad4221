"""What a month of tuning is worth: the same rooms before it and after, and what fails under it.

    python -m bench after_tuning --room-months 365 --failures 500 --seed 1 --kept DIRECTORY

Each room runs a month under the profile's own limits. Then what ``coldtrail tuning --propose``
proposes for it (``domain.proposing``, from that month's readings and what people said of its
alarms) is accepted, and the next month is counted. The failures happen in rooms of the same
numbers, once under the profile's limits and once under the accepted ones.

Each room and each failure is kept in a file as soon as it is done, so a run that was stopped goes
on where it was, several can share the work, and the report is of what is there. Room by room
through the seeds, so a part is of all seeds alike.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

from bench import failures, normal_operation
from bench.failures import Told, heard, story
from bench.machine import figure, note
from bench.operation.diary import DAY_S
from bench.operation.equipment import AS_DRAWN, Equipment, add_to, asked_for
from bench.operation.kept import Kept
from bench.operation.month import Month, live
from bench.operation.naming import looked_at_again, named
from bench.operation.rooms import drawn
from bench.operation.tally import Tally, tally
from bench.operation.watch import Watched, rule_of, watch
from domain.profile import level
from domain.proposing import Changed, Past, forbidding, suggest
from domain.reading import Series
from domain.retelling import Arrived

DAYS = 30
WARMING_UP = 8  # days before the second month, from which its habits are known
DAY_MS = round(DAY_S * 1000)


@dataclass(frozen=True, slots=True)
class Room:
    """``before``, ``after``: the first month and the second."""

    profile: str
    curtain: bool
    before: Tally
    after: Tally
    overrides: Mapping[str, Any]
    changes: tuple[Changed, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    number: int
    before: Told
    after: Told
    tuned: bool


def room_of(seed: int, number: int, equipment: Equipment = AS_DRAWN, *, days: int = DAYS) -> Room:
    life = live(seed, equipment.of(drawn(seed, number)), 2 * days)
    half_ms = life.start_ms + days * DAY_MS
    first = cut(life, life.start_ms, half_ms)
    watched = watch(first, seed)
    overrides, changes = accepted(first, watched, seed)
    second = cut(life, half_ms - WARMING_UP * DAY_MS, life.until_ms)
    rules = rule_of(life), rule_of(life, half_ms, overrides)
    after = tally(second, watch(second, seed, rules=rules), half_ms)
    return Room(
        life.room.kind.profile, bool(life.room.curtain), tally(first, watched), after,
        overrides, changes,
    )  # fmt: skip


def cut(month: Month, from_ms: int, until_ms: int) -> Month:
    """What arrived in between; of what holds its value until it changes, the last before as
    well. Instants of the truth still count from the month's start."""
    held: dict[Series, Arrived] = {}
    within: list[Arrived] = []
    for arrived in month.arrivals:
        if arrived.arrived_ms > until_ms:
            break
        if arrived.arrived_ms >= from_ms:
            within.append(arrived)
        elif not arrived.series.quantity.endswith("temperature"):
            held[arrived.series] = arrived
    before = sorted(held.values(), key=lambda arrived: arrived.arrived_ms)
    actions = [acted for acted in month.actions if acted.arrived_ms <= until_ms]
    return replace(month, arrivals=[*before, *within], actions=actions, until_ms=until_ms)


def accepted(
    month: Month, watched: Watched, seed: int
) -> tuple[Mapping[str, Any], tuple[Changed, ...]]:
    """What is proposed after the month, once mistaken causes of alarms that forbade it are
    corrected, and taken as it is."""
    past = Past(
        held=rule_of(month),
        readings=watched.asked.readings,
        actions=watched.asked.actions,
        judgement=watched.judgement,
        causes=named(month, watched.judgement, seed),
        span=(month.start_ms, month.until_ms),
    )
    if forbids := forbidding(past):
        past = replace(past, causes=looked_at_again(month, past.causes, forbids))
    found = suggest(past)
    return (found.rule.overrides, found.changes) if found else ({}, ())


def failure_of(
    seed: int, number: int, overrides_of: Callable[[int, int], Any], equipment: Equipment = AS_DRAWN
) -> Failure:
    failing = story(number, seed, equipment)
    month = live(seed, failing.room, 0, failing.fault)
    before = heard(failing, month, seed)
    overrides = overrides_of(seed, failing.room.number)
    if not overrides:
        return Failure(number, before, before, tuned=False)
    after = heard(failing, month, seed, (rule_of(month, 0, overrides),))
    return Failure(number, before, after, tuned=True)


def together(
    rooms: Sequence[tuple[int, int]], fails: Sequence[tuple[int, int]]
) -> Iterator[tuple[str, int, int]]:
    """Two failures to a room, so that a part that was done is of both."""
    waiting = iter(fails)
    for seed, number in rooms:
        yield "room", seed, number
        for failing in islice(waiting, 2):
            yield "failure", *failing
    for failing in waiting:
        yield "failure", *failing


def work(
    kept: Kept,
    rooms: Sequence[tuple[int, int]],
    fails: Sequence[tuple[int, int]],
    until_s: float,
    equipment: Equipment = AS_DRAWN,
) -> None:
    def overrides_of(seed: int, number: int) -> Any:
        name = f"room-{seed}-{number}"
        room = kept.get(name)
        if room is None:
            month = live(seed, equipment.of(drawn(seed, number)), DAYS)
            return accepted(month, watch(month, seed), seed)[0]
        return room.overrides

    def all_of_it() -> Iterator[tuple[str, Callable[[], object]]]:
        for kind, seed, number in together(rooms, fails):
            if kind == "room":
                yield f"room-{seed}-{number}", partial(room_of, seed, number, equipment)
            else:
                do = partial(failure_of, seed, number, overrides_of, equipment)
                yield f"failure-{seed}-{number}", do

    for name, do in all_of_it():
        if time.monotonic() > until_s:
            return
        if kept.get(name) is not None or not kept.claim(name):
            continue
        began = time.process_time()
        try:
            kept.put(name, do())
        except BaseException:
            kept.give_up(name)
            raise
        print(f"{name} {time.process_time() - began:.1f} s", file=sys.stderr, flush=True)


# --- what came out


def report(rooms: Sequence[tuple[int, Room]], fails: Sequence[tuple[int, Failure]]) -> None:
    for what in ("before", "after"):
        total = Tally()
        for _, room in rooms:
            total.add(getattr(room, what))
        seeds = ", ".join(str(seed) for seed in sorted({seed for seed, _ in rooms}))
        note(f"--- {what} tuning")
        if total.rooms:
            normal_operation.report(total, seeds)
            _by_kind([room for _, room in rooms], what)
            _by_seed(rooms, what)
    _proposed([room for _, room in rooms])
    for what in ("before", "after"):
        note(f"--- failures {what} tuning")
        if fails:
            failures.report([getattr(each, what) for _, each in fails], "as above")
    _lead([each for _, each in fails])


def _by_kind(rooms: Sequence[Room], what: str) -> None:
    kinds = {
        "vehicles": [r for r in rooms if r.profile == "FT"],
        "rooms without a curtain": [r for r in rooms if r.profile != "FT" and not r.curtain],
        "rooms with one": [r for r in rooms if r.profile != "FT" and r.curtain],
    }
    for name, some in kinds.items():
        if some:
            quiet = sum(_false(r, what) == 0 for r in some)
            note(f"  {name} ({len(some)}): without any false critical: {quiet}")


def _false(room: Room, what: str) -> int:
    of: Tally = getattr(room, what)
    return of.criticals("false")


def _by_seed(rooms: Sequence[tuple[int, Room]], what: str) -> None:
    for seed in sorted({seed for seed, _ in rooms}):
        total = Tally()
        for s, room in rooms:
            if s == seed:
                total.add(getattr(room, what))
        note(
            f"  seed {seed}: {total.rooms} rooms, {total.criticals('false') / total.rooms:.3f}"
            f" false criticals a room-month, {total.messages / total.weeks:.2f} messages a room-week"
        )


def _proposed(rooms: Sequence[Room]) -> None:
    changed = Counter((c.code, c.field) for room in rooms for c in room.changes)
    some = sum(bool(room.changes) for room in rooms)
    note(f"--- proposed for {some} of {len(rooms)} rooms")
    for (code, field), n in changed.most_common():
        of = [c for r in rooms for c in r.changes if (c.code, c.field) == (code, field)]
        moved = median(c.after - c.before for c in of)
        note(f"  {n:4}  {code}.{field}: median {moved:+g}")


def _lead(fails: Sequence[Failure]) -> None:
    tuned = [each for each in fails if each.tuned]
    note(f"--- {len(tuned)} of {len(fails)} failures in rooms with a changed rule")
    later = [
        (each.after.told_s - each.before.told_s) / 60
        for each in tuned
        if each.after.told_s is not None and each.before.told_s is not None
    ]
    moved = [minutes for minutes in later if minutes > 0]
    if later:
        figure("told later than before, of those", f"{len(moved)} of {len(later)}")
    if moved:
        figure("  by, of the later", f"median {median(moved):.0f} min, most {max(moved):.0f} min")
    lost = [e for e in tuned if e.after.told_s is None and e.before.told_s is not None]
    figure("told before tuning and not after", str(len(lost)), "0")
    for each in lost:
        note(f"  {each.after}")
    first = Counter(max(each.before.codes, key=level) for each in tuned if each.before.codes)
    note("  first told, before: " + ", ".join(f"{code} {n}" for code, n in first.most_common(6)))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench after_tuning", description=__doc__)
    parser.add_argument("--room-months", type=int, default=365)
    parser.add_argument("--failures", type=int, default=500)
    parser.add_argument("--seed", type=int, nargs="+", default=[1], help="an equal share of each")
    parser.add_argument("--kept", type=Path, required=True, help="directory of what is done")
    parser.add_argument("--minutes", type=float, default=1e6, help="then stop and report")
    add_to(parser)
    asked = parser.parse_args()
    equipment = asked_for(asked)
    until_s = time.monotonic() + asked.minutes * 60
    shares = (asked.room_months // len(asked.seed), asked.failures // len(asked.seed))
    rooms, fails = ([(s, n) for n in range(share) for s in asked.seed] for share in shares)
    kept = Kept(asked.kept / equipment.name)
    work(kept, rooms, fails, until_s, equipment)
    report(list(kept.all("room")), list(kept.all("failure")))


if __name__ == "__main__":
    main()
