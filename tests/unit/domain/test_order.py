"""Ten thousand stories of one room: the incremental engine says what the specification says.

``COLDTRAIL_EXAMPLES`` and ``COLDTRAIL_SEED`` set how many and which. A story that differs is named
by its seed and printed cut down to the steps that still differ.
"""

import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pprint import pformat
from statistics import median, quantiles

import pytest

from tests.unit.domain.orders import Shape, Story, shape, shrunk, story, tell

EXAMPLES = int(os.environ.get("COLDTRAIL_EXAMPLES", "10000"))
FIRST_SEED = int(os.environ.get("COLDTRAIL_SEED", "20261125"))
BLOCK = 250
PROCESSES = 2


Found = tuple[list[Shape], Counter[str], list[str]]


def block(first: int, after: int) -> Found:
    """What the stories held, the alarms at their ends, and what differed; one each is shrunk."""
    shapes: list[Shape] = []
    codes: Counter[str] = Counter()
    differing: list[str] = []
    for seed in range(first, after):
        told = story(seed)
        outcome = tell(told)
        shapes.append(shape(told))
        codes += outcome.facts
        if outcome.difference is not None:
            differing.append(f"seed {seed}: {outcome.difference}")
            if len(differing) == 1:
                differing.append(pformat(shrunk(told).steps, width=120))
    return shapes, codes, differing


def test_engine_and_specification_agree_over_ten_thousand_orders(
    record_property: Callable[[str, object], None],
) -> None:
    seeds = range(FIRST_SEED, FIRST_SEED + EXAMPLES, BLOCK)
    ends = [min(seed + BLOCK, FIRST_SEED + EXAMPLES) for seed in seeds]
    spawned = multiprocessing.get_context("spawn")
    # Patient: whatever else runs on this machine comes first.
    with ProcessPoolExecutor(PROCESSES, spawned, os.nice, (10,)) as pool:
        found = list(pool.map(block, seeds, ends))

    shapes = [one for some, _, _ in found for one in some]
    codes = sum((some for _, some, _ in found), Counter())
    record_property("printed", distribution(shapes, codes))

    assert [text for _, _, differing in found for text in differing] == []
    assert len(shapes) == EXAMPLES
    assert median(s.samples for s in shapes) >= 100
    assert median(s.probes for s in shapes) >= 2
    assert median(s.signals for s in shapes) >= 1
    assert median(s.said for s in shapes) >= 1
    assert len(codes) > 25


def distribution(shapes: Sequence[Shape], codes: Counter[str]) -> str:
    lines = [f"{len(shapes):,} stories from seed {FIRST_SEED}: least, 10 %, median, 90 %, most"]
    for name in Shape.__slots__:
        values = sorted(getattr(one, name) for one in shapes)
        tenths = quantiles(values, n=10)
        lines.append(
            f"  {name:13} {values[0]:5} {tenths[0]:5.0f} {tenths[4]:5.0f} {tenths[8]:5.0f}"
            f" {values[-1]:5}"
        )
    kinds = ", ".join(f"{code} {n:,}" for code, n in sorted(codes.items()))
    return "\n".join([*lines, f"  {sum(codes.values()):,} alarms at the end: {kinds}"])


@pytest.mark.parametrize("seed", range(5))
def test_the_same_seed_tells_the_same_story(seed: int) -> None:
    told: Story = story(seed)

    assert story(seed) == told
