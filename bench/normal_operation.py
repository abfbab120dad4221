"""How often a room that runs as it should calls somebody.

    python -m bench normal_operation --room-months 365 --seed 1

Rooms of seven profiles over all months and two counties live through their loads, doors,
defrosts and weather (``bench.operation``); what their probes said is judged and told by the
rules' own code. The truth is known, so each alarm is a true one or not. Two processes; the same
seed gives the same figures.
"""

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from bench.machine import figure, note
from bench.operation.month import live
from bench.operation.rooms import drawn
from bench.operation.tally import Tally, tally
from bench.operation.watch import watch
from domain.profile import level

DAYS = 30
PROCESSES = 2


def measure(number: int, seed: int, *, days: int = DAYS, uplink_fails: bool = False) -> Tally:
    month = live(seed, drawn(seed, number), days, uplink_fails=uplink_fails)
    return tally(month, watch(month, seed))


def measured(numbers: Sequence[int], seed: int, *, uplink_fails: bool) -> Iterator[Tally]:
    one = partial(measure, seed=seed, uplink_fails=uplink_fails)
    with ProcessPoolExecutor(PROCESSES) as pool:
        for done, each in enumerate(pool.map(one, numbers), 1):
            print(f"\r{done} of {len(numbers)}", end="", file=sys.stderr, flush=True)
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
    asked = parser.parse_args()
    began = time.monotonic()
    total = Tally()
    share = range(asked.room_months // len(asked.seed))
    for seed in asked.seed:
        of_seed = Tally()
        for each in measured(share, seed, uplink_fails=asked.uplink_fails):
            of_seed.add(each)
        if len(asked.seed) > 1:
            months = of_seed.months(DAYS)
            note(
                f"seed {seed}: {of_seed.criticals('false') / months:.3f} false criticals a"
                f" room-month, {of_seed.messages / of_seed.weeks:.2f} messages a room-week"
            )
        total.add(of_seed)
    report(total, ", ".join(map(str, asked.seed)))
    note(f"took {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
