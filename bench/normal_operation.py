"""How often a room that runs as it should calls somebody.

    python -m bench normal_operation --room-months 365 --seed 1

Rooms of seven profiles over all months and two counties live through their loads, doors,
defrosts and weather (``bench.operation``); what their probes said is judged and told by the
rules' own code. The truth is known, so each alarm is a true one or not. Two processes; the same
seed gives the same figures. ``--probes``, ``--curtains`` and ``--flags`` equip the very same rooms
otherwise.

With ``--kept DIRECTORY`` each room is kept in a file as soon as it is done: a run that was stopped
goes on where it was, several can share the work, and the report is of what is there.
"""

import argparse
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bench.machine import figure, note
from bench.operation.equipment import AS_DRAWN, Equipment, add_to, asked_for
from bench.operation.kept import Kept
from bench.operation.month import live
from bench.operation.rooms import drawn
from bench.operation.tally import Tally, tally
from bench.operation.watch import watch
from domain.profile import level

DAYS = 30
PROCESSES = 2


def measure(
    number: int,
    seed: int,
    equipment: Equipment = AS_DRAWN,
    *,
    days: int = DAYS,
    uplink_fails: bool = False,
) -> Tally:
    room = equipment.of(drawn(seed, number))
    month = live(seed, room, days, uplink_fails=uplink_fails)
    return tally(month, watch(month, seed))


@dataclass(frozen=True, slots=True)
class Work:
    """One room of it, in whichever process; None: somebody else does it, or time is up."""

    equipment: Equipment
    uplink_fails: bool
    kept: Kept | None
    until_s: float

    def __call__(self, place: tuple[int, int]) -> tuple[int, Tally] | None:
        seed, number = place
        name = f"room-{seed}-{number}"
        if self.kept and (found := self.kept.get(name)) is not None:
            return seed, found
        if time.monotonic() > self.until_s or (self.kept and not self.kept.claim(name)):
            return None
        try:
            done = measure(number, seed, self.equipment, uplink_fails=self.uplink_fails)
        except BaseException:
            if self.kept:
                self.kept.give_up(name)
            raise
        if self.kept:
            self.kept.put(name, done)
        return seed, done


def measured(places: Sequence[tuple[int, int]], work: Work) -> Iterator[tuple[int, Tally]]:
    """(seed, its room)"""
    with ProcessPoolExecutor(PROCESSES) as pool:
        for done, each in enumerate(pool.map(work, places), 1):
            print(f"\r{done} of {len(places)}", end="", file=sys.stderr, flush=True)
            if each is not None:
                yield each
    print("\r", end="", file=sys.stderr)


def report(total: Tally, seeds: str) -> None:
    months = total.months(DAYS)
    false, said = total.criticals("false"), total.criticals("as said")
    where = f"{months:.0f} room-months, seeds {seeds}, {total.samples / 1e6:.2f} M samples"
    figure(f"false critical alarms per room-month ({where})", f"{false / months:.3f}", "< 0.05")
    figure("critical, as said: a door that did stand open 30 min", f"{said / months:.3f}")
    true = total.criticals("true")
    figure("critical with goods outside their limits", f"{true / months:.3f}")
    a_week = total.messages / total.weeks
    of_true = total.sms_true / total.weeks
    figure("text messages per room and week, to all people together", f"{a_week:.2f}", "<= 1")
    figure("  of those, of goods outside their limits", f"{of_true:.2f}")
    _by_rule(total, months)
    _by_notice(total)
    _by_kind(total)
    _by_profile(total)


def _by_rule(total: Tally, months: float) -> None:
    rows: dict[str, dict[str, int]] = defaultdict(dict)
    for (code, verdict), n in total.alarms.items():
        rows[code][verdict] = n
    note("alarms per room-month by rule: false / as said / true")
    for code in sorted(rows, key=lambda c: (level(c), -sum(rows[c].values()))):
        parts = [f"{rows[code].get(v, 0) / months:.3f}" for v in ("false", "as said", "true")]
        note(f"  {level(code):8} {code:18} {' / '.join(parts)}")


def _by_notice(total: Tally) -> None:
    note("text messages per room and week by kind and codes")
    for (kind, codes), n in total.sms.most_common(15):
        note(f"  {n / total.weeks:.3f}  {kind} {'+'.join(codes)}")


def _by_kind(total: Tally) -> None:
    note("by kind of room: rooms, false criticals a room-month, messages a room-week")
    for kind in sorted({kind for kind, _ in total.by_kind}):
        rooms = total.by_kind[kind, "rooms"]
        weeks = total.weeks * rooms / total.rooms
        false, sms = (total.by_kind[kind, what] for what in ("false", "sms"))
        note(f"  {kind} ({rooms}): {false / rooms:.3f}, {sms / weeks:.2f}")
        for (of, code), n in total.false.most_common():
            if of == kind:
                note(f"    false {code:18} {n:5}  {n / rooms:.3f} a room-month")
        told: dict[str, Counter[str]] = defaultdict(Counter)
        for (of, code, notice), n in total.gravest.items():
            if of == kind:
                told[code][notice] += n
        for code in sorted(told, key=lambda code: -told[code].total())[:12]:
            parts = ", ".join(f"{k} {n / weeks:.3f}" for k, n in told[code].most_common())
            note(f"    told  {code:18} {told[code].total() / weeks:.3f} a room-week: {parts}")


def _by_profile(total: Tally) -> None:
    note("by profile: false criticals a room-month, messages a room-week")
    for profile in sorted({profile for profile, _ in total.by_profile}):
        rooms, false, sms = (total.by_profile[profile, what] for what in ("rooms", "false", "sms"))
        note(f"  {profile}  {false / rooms:.2f}  {sms / rooms / (DAYS / 7):.2f}")
    note("alarms that were not true, by profile, rule, what was going on and how long they lasted")
    for (profile, code, cause, lasted), n in total.causes.most_common(40):
        note(f"  {n:4}  {profile}  {code:16}  {cause:10}  {lasted}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench normal_operation", description=__doc__)
    parser.add_argument("--room-months", type=int, default=365)
    parser.add_argument("--seed", type=int, nargs="+", default=[1], help="an equal share of each")
    parser.add_argument(
        "--uplink-fails", action="store_true", help="and the gateway's uplink fails now and then"
    )
    parser.add_argument("--kept", type=Path, help="directory of what is done")
    parser.add_argument("--minutes", type=float, default=1e6, help="then begin no other room")
    add_to(parser)
    asked = parser.parse_args()
    began = time.monotonic()
    equipment = asked_for(asked)
    work = Work(
        equipment,
        asked.uplink_fails,
        Kept(asked.kept / equipment.name) if asked.kept else None,
        began + asked.minutes * 60,
    )
    share = asked.room_months // len(asked.seed)
    of_seed: dict[int, Tally] = defaultdict(Tally)
    for seed, each in measured([(s, n) for n in range(share) for s in asked.seed], work):
        of_seed[seed].add(each)
    total = Tally()
    for seed, some in sorted(of_seed.items()):
        if len(asked.seed) > 1:
            months = some.months(DAYS)
            note(
                f"seed {seed}: {some.criticals('false') / months:.3f} false criticals a"
                f" room-month, {some.messages / some.weeks:.2f} messages a room-week"
            )
        total.add(some)
    note(f"rooms: {equipment.name}; {total.rooms} of {share * len(asked.seed)} are done")
    if total.rooms:
        report(total, ", ".join(map(str, sorted(of_seed))))
    note(f"took {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
