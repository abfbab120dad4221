"""The year of normal running: what its figures rest on, and a small one in every run of the tests."""

import pytest

from bench.operation.month import Month, live
from bench.operation.rooms import KINDS, drawn
from bench.operation.watch import PEOPLE, rule_of, watch
from domain.message import Place
from domain.retelling import Acted, Addressee, Arrived, ToldRoom, retell

SEED = 1


def retold(month: Month) -> list[tuple[int, str, str, str, tuple[str, ...]]]:
    """As a replay tells it: judged at every arrival."""
    name = str(month.room.number)
    events: list[Arrived | Acted] = [*month.arrivals, *month.actions]
    events.sort(key=lambda event: event.arrived_ms)
    room = ToldRoom(name, Place(name, name), lambda _actions: (rule_of(month),))
    told = retell({name: room}, events, [Addressee(p) for p in PEOPLE], month.until_ms)
    return [
        (t.notice.at_ms, t.notice.to, t.notice.channel, t.notice.kind, t.notice.codes) for t in told
    ]


@pytest.mark.parametrize("number", range(len(KINDS)), ids=[kind.profile for kind in KINDS])
def test_what_is_told_is_what_a_replay_tells_that_judges_at_every_arrival(number: int) -> None:
    month = live(SEED, drawn(SEED, number), 2, uplink_fails=True)

    told = watch(month, SEED, answered=0.0).notices

    assert [(n.at_ms, n.to, n.channel, n.kind, n.codes) for n in told] == retold(month)
