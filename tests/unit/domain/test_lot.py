"""Strangers' events and ours, read alike."""

import pytest

from domain.instant import instant_ms
from domain.lot import Place, bare, identify, lot_event, object_id, place


@pytest.mark.parametrize(
    "uri",
    [
        "https://cold.example/id/lot/l-1",
        "https://cold.example:8443/some/path/id/lot/l-1",
        "http://127.0.0.1:18800/id/lot/l-1",
        "urn:coldtrail:lot:l-1",
    ],
)
def test_our_identifiers_are_known_whatever_the_host(uri: str) -> None:
    assert identify(uri) == ("lot", "l-1")
    assert object_id(uri) == "lot:l-1"


@pytest.mark.parametrize(
    "uri",
    [
        "urn:epc:id:sgtin:0614141.107346.2017",
        "https://id.gs1.org/01/09506000134352/10/ABC",
        "https://cold.example/id/lot/",
        "https://cold.example/id/lot/a/b",
        "https://cold.example/id/lot/../room/x",
        "https://cold.example/?x=/id/lot/l-1",
    ],
)
def test_other_identifiers_are_kept_whole(uri: str) -> None:
    assert object_id(uri) == uri


@pytest.mark.parametrize(
    "word",
    [
        "storing",
        "urn:epcglobal:cbv:bizstep:storing",
        "https://ref.gs1.org/cbv/BizStep-storing",
        "cbv:BizStep-storing",
    ],
)
def test_a_business_step_is_the_same_however_it_is_written(word: str) -> None:
    assert bare(word) == "storing"


def test_a_word_of_somebody_elses_vocabulary_stays_as_it_is() -> None:
    assert bare("https://farm.example/voc/Step-washing") == "https://farm.example/voc/Step-washing"


def test_an_event_names_its_goods_whether_by_item_or_by_quantity() -> None:
    event = lot_event(
        {
            "type": "ObjectEvent",
            "eventID": "urn:uuid:1",
            "eventTime": "2026-06-01T20:00:00.1239+08:00",
            "action": "OBSERVE",
            "epcList": ["urn:coldtrail:lot:l1"],
            "quantityList": [{"epcClass": "https://x.example/id/lot/l2", "quantity": 3}],
            "readPoint": {"id": "https://x.example/id/site/s"},
            "bizLocation": {"id": "https://x.example/id/room/r"},
        }
    )

    assert event.everything == ("lot:l1", "lot:l2")
    assert event.at_ms == instant_ms("2026-06-01T12:00:00.123Z")
    assert (event.seen_at, event.now_at) == (Place("site", "s"), Place("room", "r"))


def test_a_foreign_place_is_elsewhere() -> None:
    assert place("urn:epc:id:sgln:0614141.00777.0").kind == "elsewhere"
