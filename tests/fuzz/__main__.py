import argparse
import sys
from pathlib import Path

from tests.fuzz.run import Totals, load, only, run
from tests.fuzz.targets import all_targets


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--state", type=Path, help="kept here, and taken up from here")
    parser.add_argument("--only", type=int, help="one message of the seed alone")
    names = [one.name for one in all_targets()]
    parser.add_argument("--target", choices=names, default="", help="that one alone")
    told = parser.parse_args()
    if told.only is not None:
        sys.stdout.write(only(told.seed, told.only, told.target) + "\n")
        return 0
    totals = load(told.state, told.seed) if told.state else Totals(told.seed)
    totals = run(totals, told.messages, told.state, told.target)
    say = sys.stdout.write
    say(f"seed {totals.seed}: {totals.done} messages in {totals.seconds:.0f} s of the processor\n")
    for name, counts in sorted(totals.outcomes.items()):
        each = ", ".join(f"{n} {what}" for what, n in sorted(counts.items()))
        say(f"  {name}: {sum(counts.values())}: {each}\n")
    say(f"  longest {totals.longest_ms:.1f} ms (message {totals.longest}); ")
    say(f"above 1 s by the clock: {totals.interrupted}, and again: {len(totals.slow)}; ")
    say(f"failures: {len(totals.failures)}\n")
    say(f"  resident {totals.resident_early_kb} kB early, {totals.resident_late_kb} kB late\n")
    for i, what in totals.failures[:20]:
        say(f"  --only {i}: {what}\n")
    return 1 if totals.failures or totals.slow else 0


if __name__ == "__main__":
    raise SystemExit(main())
