"""The harness notices every law that is broken; the program that breaks none passes the same rounds.

Each variant of the program (``tests.faults.broken``) runs in the smallest part of a system in which
its mistake can show (``tests.faults.small``), under the fault that exposes it, and is asked the
same laws as a whole system. The rounds of a kind are the same for all.
"""

import os
import random
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.faults import small
from tests.faults.broken import VARIANTS, Variant
from tests.faults.rounds import Start, all_kinds
from tests.faults.small import Small
from tests.support.lives import Lives
from tests.support.servers import require

pytestmark = [pytest.mark.server, pytest.mark.fault]

STILL_S = 4.0  # what is wrong has not changed for so long: with the right program it never lasts
AFTER_FULL_S = 15.0  # the same, where the right program looks for room every 5 s; it took 4.7 s

Round = Callable[[Any, random.Random], None]


@dataclass(frozen=True, slots=True)
class Rounds:
    """``part``: what runs. ``right``: the variant under which the right program runs here.
    ``still_s``: what has been wrong for so long stays so."""

    part: Callable[..., Small]
    rounds: Sequence[Round]
    right: str = ""
    still_s: float = STILL_S


KINDS = {
    "kill gateway": Rounds(small.Edge, [small.kill_gateway] * 3),
    "kill ingest": Rounds(small.Edge, [small.kill_ingest] * 3),
    "kill broker": Rounds(small.Edge, [small.kill_broker] * 3),
    "same batches": Rounds(small.Edge, [small.same_batches]),
    "only what is known": Rounds(small.Edge, [small.only_what_is_known]),
    "outbox at its limit": Rounds(small.Edge, [small.outbox_at_its_limit], "small-outbox"),
    "short files gateway": Rounds(
        small.Edge, [partial(small.short_files, "gateway")], still_s=AFTER_FULL_S
    ),
    "short files ingest": Rounds(
        small.Edge, [partial(small.short_files, "ingest")], still_s=AFTER_FULL_S
    ),
    "link influx cut": Rounds(small.Follows, [small.influx_away]),
    "late data": Rounds(small.Follows, [small.late_data]),
    "InfluxDB takes little at once": Rounds(small.TakesLittle, [small.takes_little]),
    "kill alerts": Rounds(
        small.Tells, [small.killed_at_the_head, small.killed_as_it_tells, small.dead_meanwhile]
    ),
}


@pytest.fixture(scope="module")
def lives(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lives]:
    require("nats-server")
    made = Lives(tmp_path_factory.mktemp("lives") / "lives.log")
    yield made
    made.close()


def noticed(
    folder: Path, lives: Lives, kind: str, variants: Mapping[str, str], still_s: float
) -> tuple[int, dict[str, list[str]]]:
    """After how many rounds something was wrong, and what; 0 when nothing was."""
    rounds = KINDS[kind]
    rng = random.Random(kind)  # noqa: S311 - reproducible, not secret
    with rounds.part(folder, lives, variants) as part:
        for nth, fault in enumerate(rounds.rounds, 1):
            fault(part, rng)
            if wrong := part.settled(still_s):
                return nth, wrong
    return 0, {}


def test_every_variant_is_exposed_by_a_kind_that_there_is() -> None:
    assert {v.exposed_by[0] for v in VARIANTS.values()} == KINDS.keys()
    assert {kind for v in VARIANTS.values() for kind in v.exposed_by} <= {*KINDS, *all_kinds()}


@pytest.mark.parametrize("kind", KINDS)
def test_the_program_as_it_is_passes(kind: str, tmp_path: Path, lives: Lives) -> None:
    right = KINDS[kind].right

    nth, wrong = noticed(tmp_path, lives, kind, {"gateway": right} if right else {}, 45)

    assert (nth, wrong) == (0, {}), str(wrong)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_broken_law_is_noticed(
    name: str, tmp_path: Path, lives: Lives, record_property: Callable[[str, object], None]
) -> None:
    broken = VARIANTS[name]
    kind = broken.exposed_by[0]

    nth, wrong = noticed(tmp_path, lives, kind, {broken.role: name}, KINDS[kind].still_s)

    assert nth, f"nobody noticed that the program {broken.what}"
    assert broken.law in wrong
    record_property("printed", f"{name}: {kind}, round {nth}: {wrong[broken.law][0]}")


# --- the same in a whole system, which takes two minutes each

WHOLE = pytest.mark.skipif(
    os.environ.get("COLDTRAIL_FAULTS") != "all", reason="COLDTRAIL_FAULTS=all runs whole systems"
)
ROUNDS = 12
SEED = 7
PATIENCE_S = 45.0


def of_a_whole_system(broken: Variant) -> list[str]:
    there_are = all_kinds()
    return [kind for kind in broken.exposed_by if kind in there_are]


@WHOLE
def test_the_program_as_it_is_passes_in_a_whole_system(tmp_path: Path) -> None:
    kinds = sorted({kind for v in VARIANTS.values() for kind in of_a_whole_system(v)})
    start = Start(tmp_path / "system", SEED, 1, {}, kinds, patience_s=PATIENCE_S, full_every=1)

    assert [c.wrong for c in start.rounds(len(kinds)) if c.wrong] == []


@WHOLE
@pytest.mark.parametrize("name", [n for n, v in VARIANTS.items() if of_a_whole_system(v)])
def test_in_a_whole_system_a_broken_law_is_noticed(
    name: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    broken = VARIANTS[name]
    start = Start(
        tmp_path / "system",
        SEED,
        1,
        {broken.role: [sys.executable, "-m", "tests.faults.broken", name]},
        of_a_whole_system(broken),
        patience_s=PATIENCE_S,
        full_every=1,
    )

    *_, last = start.rounds(ROUNDS)

    assert last.wrong, f"nobody noticed that the program {broken.what}"
    said = "; ".join(f"{law}: {sentences[0]}" for law, sentences in last.wrong.items())
    record_property(
        "printed", f"{name} | {' + '.join(last.plan.faults)} | {last.plan.round} | {said}"
    )
