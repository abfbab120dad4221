"""A store that was set back under its old id is noticed: by what stands beside it, and by gateways."""

from pathlib import Path

import pytest

from domain.system_alarm import SystemAlarm
from ingest.admit import Gateway
from ingest.consume import Consumer
from ingest.inbox import Message
from ingest.watermark import Watermark
from store.memory import MemoryStore
from store.system_alarms import Board, read
from tests.support.batches import KEY, NOON_MS
from wire import status_v1, topics


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "system").mkdir()
    return tmp_path


def started(folder: Path, n: int, store: str = "s1") -> Watermark:
    board = Board(str(folder / "system"), "ingest", lambda: NOON_MS)
    return Watermark(folder / "watermark.json", store, n, board)


def said(folder: Path) -> list[SystemAlarm]:
    return [one for one in read(str(folder / "system"), NOON_MS) if one.code == "STORE_SET_BACK"]


def test_a_store_that_had_come_further_before_this_start_was_set_back(folder: Path) -> None:
    started(folder, 0).came_to(105)
    assert not said(folder)

    started(folder, 90)

    [alarm] = said(folder)
    assert "arrival 90" in alarm.detail
    assert "105" in alarm.detail


def test_it_holds_over_every_start_until_the_store_has_another_id(folder: Path) -> None:
    started(folder, 0).came_to(105)
    started(folder, 90)

    started(folder, 300)  # has gone on meanwhile, and still lacks 91 to 105
    assert said(folder)

    started(folder, 300, store="s2")
    assert not said(folder)
    started(folder, 301, store="s2")
    assert not said(folder)


def test_a_store_that_went_on_was_not_set_back(folder: Path) -> None:
    started(folder, 0).came_to(105)
    mark = started(folder, 105)
    mark.came_to(106)
    mark.claimed("s1", 106, "g1", last=106)
    mark.claimed("another", 500, "g1", last=106)  # of the store before a restore

    assert not said(folder)


def test_half_a_watermark_is_none(folder: Path) -> None:
    (folder / "watermark.json").write_bytes(b'{"store":"s1","n":10')

    started(folder, 5)

    assert not said(folder)


@pytest.mark.parametrize(("claims", "set_back"), [(0, False), (1, True)])
def test_a_gateway_that_heard_a_receipt_for_more_says_so_in_its_status(
    folder: Path, claims: int, set_back: bool
) -> None:
    store = MemoryStore()
    board = Board(str(folder / "system"), "ingest", lambda: NOON_MS)
    server = Consumer(
        store, [Gateway("g1", 7, {"k1": KEY})], lambda _t, _p: None, lambda: NOON_MS, board=board
    )
    receipted = status_v1.Receipted(store.store_id, store.last_arrival() + claims)
    raw = status_v1.encode(status_v1.Status("online", "e1", "1", receipted=receipted))

    server.consume("status", [Message(topics.status(7, "g1"), raw, lambda: None, retained=True)])

    assert bool(said(folder)) == set_back
