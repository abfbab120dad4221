"""The live role tells what a replay of the same readings says that it would have told."""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from domain.reading import RoomId
from domain.retelling import Acted, Arrived
from tests.support.alert_house import NOON_MS, House
from tests.support.people import Phones
from tests.support.watch import Watch, staffed
from tests.unit.decision.story import LADDER, Story

Row = tuple[float, str, str, str]


def eventful(seed: int) -> Story:
    """Five hours of one room: warm and cold spells, doors, a power cut, silence, acks."""
    rng = random.Random(seed)  # noqa: S311 - reproducible, not secret
    story = Story(NOON_MS)
    celsius, silent_until, late = 2.5, -1, False
    for minute in range(0, 300, 5):
        if rng.random() < 0.12:
            celsius = rng.choice([2.5, 5.0, 8.0, 16.0, -2.0])
        if rng.random() < 0.04 and minute > silent_until:
            silent_until = min(300, minute + rng.choice([20, 80]))
            late = rng.random() < 0.5
        if minute >= silent_until:
            story.one(minute, "temperature", celsius)
        elif late:
            story.one(minute, "temperature", celsius, arriving=silent_until)
        for signal, chance in (("door", 0.05), ("mains", 0.02)):
            if rng.random() < chance:
                story.one(minute, signal, rng.randint(0, 1))
        if rng.random() < 0.05:
            story.does(minute, "ack")
    return story


def live(folder: Path, story: Story, until: int) -> list[Row]:
    """Minute by minute; a new life of the process every hour."""
    phones = Phones()
    arriving = sorted(story.events, key=lambda e: e.arrived_ms)
    told: Sequence[Mapping[str, object]] = ()
    with House(folder) as house:
        staffed(house)
        house.person("county", "county", "+8613800000004")
        minute = 0
        while minute <= until:
            with Watch(house, phones, story.at(minute), tell_from_ms=0) as watch:
                for _ in range(60):
                    if minute > until:
                        break
                    watch.now_ms = story.at(minute)
                    while arriving and arriving[0].arrived_ms <= watch.now_ms:
                        deliver(house, arriving.pop(0))
                    watch.turn()
                    minute += 1
                told = watch.store.notices(limit=1000)
    rows = []
    for n in reversed(told):
        at_ms, codes = n["at_ms"], n["codes"]
        assert isinstance(at_ms, int)
        assert isinstance(codes, list)
        star = "*" if n["channel"] == "voice" else ""
        rows.append((story.minute(at_ms), f"{n['to']}{star}", str(n["kind"]), " ".join(codes)))
    return rows


def deliver(house: House, event: Arrived | Acted) -> None:
    match event:
        case Arrived():
            value = event.count / 100 if event.series.quantity == "temperature" else event.count
            house.arrive(
                [(event.at_ms, value)],
                at_ms=event.arrived_ms,
                quantity=event.series.quantity,
            )
        case Acted():
            house.records.add_action(
                f"a-{event.arrived_ms}", RoomId("r1"), event.action.kind, event.action.at_ms, "op", {},
                now_ms=event.arrived_ms,
            )  # fmt: skip


@pytest.mark.parametrize("seed", range(5))
def test_live_and_replay_tell_the_same(tmp_path: Path, seed: int) -> None:
    story = eventful(seed)

    assert sorted(live(tmp_path, story, 330)) == sorted(story.tells(LADDER, 330))
