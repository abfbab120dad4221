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


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b'{"store":"s1","n":10',
        b'{"store":"\xff\xfe","n":10}',
        b'{"store":"s1","n":"10"}',
        b'{"x":' + b"[" * 100_000,
        bytes(60),
    ],
)
def test_half_a_watermark_is_none(folder: Path, raw: bytes) -> None:
    (folder / "watermark.json").write_bytes(raw)

    started(folder, 5)

    assert not said(folder)


def test_how_far_it_had_come_is_not_how_far_it_has_gone_on_since(folder: Path) -> None:
    started(folder, 0).came_to(105)
    started(folder, 90).came_to(300)

    started(folder, 300).came_to(301)
    started(folder, 302)

    [alarm] = said(folder)
    assert alarm.detail == "at arrival 90, and it had come to 105"


def test_a_store_that_has_gone_on_is_known_by_what_its_receipts_lack(folder: Path) -> None:
    mark = started(folder, 300)
    mark.claimed("another", 300, "g1", 300, lacking=True)
    assert not said(folder)

    mark.claimed("s1", 300, "g1", 300, lacking=True)

    [alarm] = said(folder)
    assert alarm.detail == "before arrival 300: it lacks what g1 has receipts for"
    started(folder, 400)
    assert [one.detail for one in said(folder)] == [alarm.detail]


@pytest.mark.parametrize(
    ("claims", "lacking", "set_back"), [(0, False, False), (1, False, True), (0, True, True)]
)
def test_a_gateway_that_heard_a_receipt_for_more_says_so_in_its_status(
    folder: Path, claims: int, lacking: bool, set_back: bool
) -> None:
    store = MemoryStore()
    board = Board(str(folder / "system"), "ingest", lambda: NOON_MS)
    server = Consumer(
        store, [Gateway("g1", 7, {"k1": KEY})], lambda _t, _p: None, lambda: NOON_MS, board=board
    )
    receipted = status_v1.Receipted(store.store_id, store.last_arrival() + claims, lacking)
    raw = status_v1.encode(status_v1.Status("online", "e1", "1", receipted=receipted))

    server.consume("status", [Message(topics.status(7, "g1"), raw, lambda: None, retained=True)])

    assert bool(said(folder)) == set_back
