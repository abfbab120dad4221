"""A fault a round in a running system, then everything that was sent is there, once, and judged.

``python -m tests.faults --rounds 1000`` does the same for an hour; ``COLDTRAIL_ROUNDS`` sets how
many here, ``COLDTRAIL_SEED`` which.
"""

import os
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from tests.faults.kinds import KILL_EACH
from tests.faults.rounds import Counted, Plan, Start, all_kinds, plan
from tests.faults.totals import SameSeed, Totals, WrongVersion, load, report, save, together
from tests.support.servers import require

pytestmark = [pytest.mark.server, pytest.mark.fault]

ROUNDS = int(os.environ.get("COLDTRAIL_ROUNDS", "20"))
SEED = int(os.environ.get("COLDTRAIL_SEED", "4"))


def test_after_every_fault_all_that_was_sent_is_there_once_and_judged_by_the_rules(
    tmp_path: Path,
) -> None:
    for server in ("nats-server", "influxd"):
        require(server)
    totals = Totals()
    names = [*all_kinds(), *[KILL_EACH] * 20]

    for counted in Start(tmp_path / "system", SEED, 0, {}, names).rounds(ROUNDS):
        totals.add(counted, tmp_path)

    assert totals.failures == []
    assert totals.rounds == ROUNDS
    assert (totals.lost, totals.doubled) == (0, 0)
    assert totals.stored == totals.sent > 200 * ROUNDS
    assert totals.full_looks > ROUNDS // 10
    assert sum(totals.kills.values()) > ROUNDS // 2


def test_every_kind_of_fault_comes_before_any_comes_again() -> None:
    names = all_kinds()
    drawn = Counter(plan(SEED, nth, names).faults[0] for nth in range(1, 1 + 4 * len(names)))

    assert set(names) <= drawn.keys()
    assert max(drawn[name] for name in names) - min(drawn[name] for name in names) <= 2


def test_a_run_is_taken_up_where_it_ended(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    totals = Totals()
    totals.add(Counted(Plan(7, 41, ("kill ingest",)), 40, 2.5, 240, 240), tmp_path)
    save(state, totals)

    again = load(state)

    assert again.next == {7: 42}
    assert "| kill ingest | 1 | 0 | 0 | 2.5 |" in list(report(again))


def test_totals_of_another_version_are_not_added_to(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    state.write_bytes(msgspec.json.encode({"version": 0, "rounds": 5}))

    with pytest.raises(WrongVersion):
        load(state)


def test_seeds_of_several_files_are_counted_together_and_none_twice() -> None:
    one, other = Totals(), Totals()
    one.add(Counted(Plan(7, 41, ("kill ingest",)), 40, 2.5, 240, 240), Path("a"))
    other.add(Counted(Plan(8, 3, ("kill ingest",)), 0, 1.5, 100, 99, lost=1), Path("b"))

    whole = together([one, other])

    assert (whole.rounds, whole.sent, whole.stored, whole.lost) == (2, 340, 339, 1)
    assert whole.next == {7: 42, 8: 4}
    assert (whole.kinds["kill ingest"].rounds, whole.kinds["kill ingest"].seconds) == (2, 4.0)
    with pytest.raises(SameSeed):
        together([one, one])
