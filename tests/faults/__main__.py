"""Break a running system, round after round: ``python -m tests.faults --rounds 1000 --seed 2026``."""

import argparse
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.faults.house import Late, can_mount
from tests.faults.rounds import Counted, Start
from tests.faults.totals import SameSeed, Totals, WrongVersion, load, report, save, together


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--rounds", type=int, default=50, help="of this seed, in all")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--state", type=Path, help="totals; a run is taken up where it ended")
    parser.add_argument("--only", metavar="SEED:ROUND[-ROUND]", help="these alone, in a new system")
    parser.add_argument(
        "--report", type=Path, metavar="FILE", nargs="+", help="print states, summed, as a table"
    )
    parser.add_argument("--kind", action="append", help="of fault: only these (with --only)")
    given = parser.parse_args()
    try:
        if given.report:
            print("\n".join(report(together(map(load, given.report)))))
            return 0
        totals = load(given.state) if given.state else Totals()
    except (WrongVersion, SameSeed) as error:
        print(error, file=sys.stderr)
        return 2
    if not can_mount():
        print("full disks are left out: only root may mount small file systems")
    if given.only:
        seed, _, span = given.only.partition(":")
        first, _, last = span.partition("-")
        return _only(int(seed), int(first), int(last or first), given.kind or ())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))  # and take down what was started
    failed = len(totals.failures)
    while (first := totals.next.get(given.seed, 0)) < given.rounds:
        _start(totals, given.seed, first, given.rounds - first, given.state)
    print("\n".join(report(totals)))
    return int(len(totals.failures) > failed)


def _start(totals: Totals, seed: int, first: int, count: int, state: Path | None) -> None:
    folder = Path(tempfile.mkdtemp(prefix=f"faults-{seed}-{first}-"))
    totals.starts += 1
    start = Start(folder / "system", seed, first, {})
    try:
        for counted in start.rounds(count):
            _add(totals, counted, folder, state)
    except (
        Late,
        AssertionError,
        OSError,
    ) as error:  # not a law, but no reason to end a night's run
        left = Counted(start.next_plan(), start.since, wrong={"harness": [repr(error)]})
        _add(totals, left, folder, state)
    if not any(failure.folder == str(folder) for failure in totals.failures):
        shutil.rmtree(folder)


def _add(totals: Totals, counted: Counted, folder: Path, state: Path | None) -> None:
    totals.add(counted, folder)
    _print(counted, folder)
    if state:
        save(state, totals)


def _only(seed: int, first: int, last: int, names: Sequence[str]) -> int:
    folder = Path(tempfile.mkdtemp(prefix=f"faults-{seed}-{first}-"))
    failed = False
    for counted in Start(folder / "system", seed, first, {}, names).rounds(last - first + 1):
        failed = failed or bool(counted.wrong)
        _print(counted, folder)
    print(f"left in {folder}")
    return int(failed)


def _print(counted: Counted, folder: Path) -> None:
    done = counted.plan
    deaths = f"  ended by itself: {', '.join(counted.deaths)}" if counted.deaths else ""
    print(
        f"{done.seed}:{done.round}  {counted.seconds:5.1f} s  {counted.sent} sent"
        f"  {' + '.join(done.faults)}{deaths}",
        flush=True,
    )
    for law, sentences in counted.awaited.items():
        print(f"    long awaited: {law}: {sentences[0]}", flush=True)
    for law, sentences in counted.wrong.items():
        for said in sentences:
            print(f"    {law}: {said}", flush=True)
    if counted.wrong:
        print(f"    again: python -m tests.faults --only {done.seed}:{done.round}", flush=True)
        print(f"    in its start: --only {done.seed}:{counted.since}-{done.round}", flush=True)
        print(f"    left in {folder}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
