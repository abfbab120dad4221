"""Silent links, and spans in which alerts itself did not run (docs/decisions/0027)."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from domain.incident import HOUR_MS
from tests.support.alert_house import DAY_MS, MINUTE_MS, NOON_MS, House
from tests.support.people import Phones
from tests.support.watch import Watch, staffed

Life = Callable[[int], AbstractContextManager[Watch]]


@pytest.fixture
def phones() -> Phones:
    return Phones()


@pytest.fixture
def life(tmp_path: Path, phones: Phones) -> Iterator[Life]:
    """A life of the process from this instant on, over what the last one left."""
    with House(tmp_path) as house:
        staffed(house)
        yield lambda now_ms: Watch(house, phones, now_ms)


def lived(life: Life, from_ms: int, minutes: int) -> int:
    """A life in which nothing arrives; when it ended."""
    with life(from_ms) as watch:
        watch.until(from_ms + minutes * MINUTE_MS)
        return watch.now_ms


def heard(life: Life, minutes: int) -> int:
    """A life from noon in which the probe spoke for so long; when it ended."""
    with life(NOON_MS) as watch:
        watch.warm(minutes, 2.5)
        return watch.now_ms


def test_a_silence_that_was_told_is_not_over_because_nobody_was_there_to_hear(
    life: Life, phones: Phones
) -> None:
    now_ms = lived(life, heard(life, 5), 65)
    assert phones.said() == [("1", "raise"), ("1", "raise")]  # the warning, the critical
    for _ in range(2):  # a start soon after the first one
        now_ms = lived(life, now_ms + 7 * MINUTE_MS, 3)
    assert {kind for _, kind in phones.said()[2:]} == {"escalate"}
    with life(now_ms) as watch:
        watch.warm(5, 2.5)

    cleared = [to for to, kind in phones.said() if kind == "clear"]
    assert sorted(cleared) == sorted({to for to, _ in phones.said()})


def test_while_the_server_was_away_nobody_was_silent_however_often_it_starts(
    life: Life, phones: Phones
) -> None:
    now_ms = heard(life, 30) + 8 * HOUR_MS
    for minutes in (2, 2, 2, 3):
        now_ms = lived(life, now_ms, minutes)
    assert phones.said() == []
    lived(life, now_ms, 2)

    assert phones.said() == [("1", "raise")]  # five minutes before it, ten after


def test_a_silence_is_told_though_alerts_starts_again_and_again(life: Life, phones: Phones) -> None:
    now_ms = heard(life, 5)
    for _ in range(15):  # two minutes of life after six of absence
        now_ms = lived(life, now_ms + 6 * MINUTE_MS, 2)

    assert phones.said() == [("1", "raise")]


def test_a_start_with_a_clock_that_is_ahead_does_not_deafen_the_links(
    life: Life, phones: Phones
) -> None:
    now_ms = heard(life, 5)
    with life(now_ms + 365 * DAY_MS) as watch:
        watch.turn()
        watch.until(watch.now_ms + 2 * MINUTE_MS)
        watch.now_ms = now_ms + 2 * MINUTE_MS  # it is right again
        watch.turn()
        watch.warm(5, 2.5)
        now_ms = watch.now_ms
    assert phones.said() == []
    lived(life, now_ms, 16)

    assert phones.said() == [("1", "raise")]


def test_a_start_with_a_clock_that_is_behind_ends_no_silence(life: Life, phones: Phones) -> None:
    now_ms = lived(life, heard(life, 5), 20)
    assert phones.said() == [("1", "raise")]
    with life(now_ms - 15 * MINUTE_MS) as watch:
        watch.turn()
        watch.now_ms = now_ms + 5 * MINUTE_MS
        watch.turn()

    assert phones.said() == [("1", "raise")]
