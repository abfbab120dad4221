"""What all rounds so far came to, in a file that is whole at every instant.

A run is taken up where it ended: the file knows each seed's next round. It refuses to be gone on
with by a harness that counts otherwise.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from tests.faults.rounds import Counted

VERSION = 1


class WrongVersion(Exception):
    """The file was written by another version of the harness."""


class SameSeed(Exception):
    """The same rounds would be counted twice."""


class Kind(msgspec.Struct):
    """Rounds in which a fault took part, how many of them had a second one, and their seconds."""

    rounds: int = 0
    together: int = 0
    failed: int = 0
    seconds: float = 0.0


class Failure(msgspec.Struct, frozen=True):
    """A round that broke a law or did not settle. ``since``: a law of the full look may have been
    broken from this round on. ``folder``: what the system left."""

    seed: int
    round: int
    since: int
    faults: tuple[str, ...]
    wrong: dict[str, list[str]]
    folder: str


class Totals(msgspec.Struct):
    """``sent``: distinct readings; ``told``: messages on phones. ``deaths``: roles that ended
    although nobody ended them, by role and exit code; each was started again. ``broken``: rounds
    by the law that they broke. ``next``: of each seed, its first round that was not run yet."""

    version: int = VERSION
    next: dict[int, int] = {}
    rounds: int = 0
    full_looks: int = 0
    starts: int = 0
    seconds: float = 0.0
    sent: int = 0
    stored: int = 0
    lost: int = 0
    doubled: int = 0
    told: int = 0
    kinds: dict[str, Kind] = {}
    kills: dict[str, int] = {}
    deaths: dict[str, int] = {}
    broken: dict[str, int] = {}
    failures: list[Failure] = []

    def add(self, counted: Counted, folder: Path) -> None:
        done = counted.plan
        self.next[done.seed] = done.round + 1
        self.rounds += 1
        self.full_looks += counted.full
        for name in ("seconds", "sent", "stored", "lost", "doubled", "told"):
            setattr(self, name, getattr(self, name) + getattr(counted, name))
        for fault in done.faults:
            kind = self.kinds.setdefault(fault, Kind())
            kind.rounds += 1
            kind.together += len(done.faults) > 1
            kind.failed += bool(counted.wrong)
            kind.seconds += counted.seconds
        self.kills = dict(Counter(self.kills) + counted.kills)
        self.deaths = dict(Counter(self.deaths) + Counter(counted.deaths))
        self.broken = dict(Counter(self.broken) + Counter(counted.wrong.keys()))
        if counted.wrong:
            self.failures.append(
                Failure(
                    done.seed, done.round, counted.since, done.faults, counted.wrong, str(folder)
                )
            )


def together(all_totals: Iterable[Totals]) -> Totals:
    """What several files hold, whose seeds differ: machines and processors share a long run."""
    whole = Totals()
    for one in all_totals:
        if twice := whole.next.keys() & one.next.keys():
            raise SameSeed(f"seed {min(twice)} stands in two of the files")
        whole.next |= one.next
        for name in ("rounds", "full_looks", "starts", "seconds", "sent", "stored", "lost",
                     "doubled", "told"):  # fmt: skip
            setattr(whole, name, getattr(whole, name) + getattr(one, name))
        for name in ("kills", "deaths", "broken"):
            setattr(whole, name, dict(Counter(getattr(whole, name)) + Counter(getattr(one, name))))
        for name, kind in one.kinds.items():
            into = whole.kinds.setdefault(name, Kind())
            for field in Kind.__struct_fields__:
                setattr(into, field, getattr(into, field) + getattr(kind, field))
        whole.failures += one.failures
    return whole


def load(path: Path) -> Totals:
    """``WrongVersion`` for a file of another version. A file that is not there yet is empty."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return Totals()
    found = msgspec.json.decode(raw)
    if not isinstance(found, dict) or found.get("version") != VERSION:
        raise WrongVersion(f"{path} was written by another version of the harness: begin a new one")
    return msgspec.convert(found, Totals, strict=False)


def save(path: Path, totals: Totals) -> None:
    fresh = path.with_name(f"{path.name}.new")
    with fresh.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(totals), indent=1))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def report(totals: Totals) -> Iterator[str]:
    """In markdown."""
    seeds = ", ".join(f"{seed} (rounds 0 to {after - 1})" for seed, after in totals.next.items())
    yield f"Seeds: {seeds}; {totals.starts} starts, {totals.seconds / 60:.0f} min."
    yield ""
    yield "| counted | |"
    yield "|---|---|"
    yield f"| rounds | {totals.rounds:,} |"
    yield f"| readings sent | {totals.sent:,} |"
    yield f"| stored | {totals.stored:,} |"
    yield f"| lost | {totals.lost:,} |"
    yield f"| doubled | {totals.doubled:,} |"
    yield f"| messages on phones | {totals.told:,} |"
    yield f"| looks at everything (alarms by the rules, InfluxDB, sums, api) | {totals.full_looks:,} |"
    for law, name in (
        ("alarms", "with an alarm that differs"),
        ("influx", "with a point in InfluxDB that differs"),
        ("told", "with a message lost or doubled"),
    ):
        yield f"| rounds {name} | {totals.broken.get(law, 0)} |"
    yield f"| rounds that broke any law or did not settle | {len(totals.failures)} |"
    yield f"| processes killed | {sum(totals.kills.values()):,} |"
    yield f"| roles that ended by themselves | {_listed(totals.deaths)} |"
    yield ""
    yield "| fault | rounds | with another | failed | seconds a round |"
    yield "|---|---|---|---|---|"
    for name, kind in sorted(totals.kinds.items()):
        mean_s = kind.seconds / kind.rounds
        yield f"| {name} | {kind.rounds} | {kind.together} | {kind.failed} | {mean_s:.1f} |"
    for failed in totals.failures:
        yield ""
        yield f"Failed: `--only {failed.seed}:{failed.round}`, {' and '.join(failed.faults)}:"
        yield from (f"- {law}: {said}" for law, all in failed.wrong.items() for said in all)


def _listed(numbers: dict[str, int]) -> str:
    return ", ".join(f"{name}: {n}" for name, n in sorted(numbers.items())) or "0"
