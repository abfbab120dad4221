"""Run so many of them, from a seed: ``python -m tests.fuzz --messages 1000000 --state FILE``.

Message *i* of a seed is always the same one, so a run can be interrupted and taken up again,
and one message can be looked at alone (``--only I``).
"""

import contextlib
import json
import random
import resource
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter, thread_time

from tests.fuzz.targets import Target, Weighted, all_targets

SAVE_EVERY = 5_000
SLOW_S = 1.0


@dataclass
class Totals:
    """What a run has seen.

    Times are the processor's; ``slow`` took more than a second by the clock, and again when it
    was tried again (``interrupted`` did so only once: the machine was busy with something
    else). Memory in kB: resident after the first part, and at the end.
    """

    seed: int
    done: int = 0
    outcomes: dict[str, dict[str, int]] = field(default_factory=dict)
    longest_ms: float = 0.0
    longest: int = 0  # which message
    slow: list[int] = field(default_factory=list)
    interrupted: int = 0
    failures: list[tuple[int, str]] = field(default_factory=list)
    seconds: float = 0.0
    resident_early_kb: int = 0
    resident_late_kb: int = 0


def run(totals: Totals, messages: int, state: Path | None = None, target: str = "") -> Totals:
    """From where ``totals`` stands until so many are done in all; of one target, if it is named."""
    targets = chosen_targets(target)
    weights = [one.weight for one in targets]
    early = totals.done + min(20_000, messages // 10)
    while totals.done < messages:
        i = totals.done
        rng = random.Random(f"{totals.seed}:{i}")  # noqa: S311  # reproducible, no secret
        [chosen] = rng.choices(targets, weights)
        began_cpu, began = thread_time(), perf_counter()
        try:
            outcome = chosen.target(rng)
        except Exception as error:  # noqa: BLE001  # every exception here is a finding
            outcome = "FAILED"
            totals.failures.append((i, f"{chosen.name}: {type(error).__name__}: {error}"[:300]))
        waited_s, worked_s = perf_counter() - began, thread_time() - began_cpu
        totals.seconds += worked_s
        if worked_s * 1000 > totals.longest_ms:
            totals.longest_ms, totals.longest = worked_s * 1000, i
        if waited_s > SLOW_S:
            totals.interrupted += 1
            if _takes_so_long(chosen.target, f"{totals.seed}:{i}"):
                totals.slow.append(i)
        counts = totals.outcomes.setdefault(chosen.name, {})
        counts[outcome] = counts.get(outcome, 0) + 1
        totals.done += 1
        if totals.done == early:
            totals.resident_early_kb = resident_kb()
        if state is not None and totals.done % SAVE_EVERY == 0:
            save(totals, state)
    totals.resident_late_kb = resident_kb()
    if state is not None:
        save(totals, state)
    return totals


def _takes_so_long(target: Target, seed: str) -> bool:
    for _ in range(3):
        rng = random.Random(seed)  # noqa: S311  # reproducible, no secret
        rng.random()  # which target it was
        began = perf_counter()
        with contextlib.suppress(Exception):  # was noted
            target(rng)
        if perf_counter() - began <= SLOW_S:
            return False
    return True


def chosen_targets(target: str) -> list[Weighted]:
    return [one for one in all_targets() if target in ("", one.name)]


def only(seed: int, i: int, target: str = "") -> str:
    """One message alone; its exception as it comes."""
    targets = chosen_targets(target)
    rng = random.Random(f"{seed}:{i}")  # noqa: S311  # reproducible, no secret
    [chosen] = rng.choices(targets, [one.weight for one in targets])
    return f"{chosen.name}: {chosen.target(rng)}"


def load(state: Path, seed: int) -> Totals:
    """An earlier run of this seed, or a new one."""
    if state.exists():
        earlier = Totals(**json.loads(state.read_text()))
        if earlier.seed == seed:
            return earlier
    return Totals(seed)


def save(totals: Totals, state: Path) -> None:
    fresh = state.with_suffix(".new")
    fresh.write_text(json.dumps(asdict(totals), indent=1))
    fresh.replace(state)


def resident_kb() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 1024
