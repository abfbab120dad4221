"""A console form as an event, and back."""

import pytest

from domain.lot import lot_event
from traceability.epcis import Move, from_event, to_event, validate
from traceability.epcis.form import KINDS, capture_document

AT_MS = 1_780_315_200_000
BASE_URL = "https://cold.example"


def form(kind: str) -> Move:
    wanted = {
        "received": {"site": "s1"},
        "put_in": {"site": "s1", "room": "r1", "quantity_kg": "120.5"},
        "taken_out": {"site": "s1", "room": "r1"},
        "packed": {"room": "r1", "pack": "p1"},
        "shipped": {"room": "r1", "destination": "https://shop.example/branch/7"},
    }
    return Move(kind, "lot-1", AT_MS, key="k1", **wanted[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_reading_an_event_undoes_writing_it(kind: str) -> None:
    move = form(kind)

    again = from_event(to_event(move, BASE_URL), "lot-1")

    for name in ("kind", "lot", "at_ms", "site", "room", "pack", "destination", "quantity_kg"):
        assert getattr(again, name) == getattr(move, name)


@pytest.mark.parametrize("kind", KINDS)
def test_our_own_events_are_valid_epcis(kind: str) -> None:
    event = to_event(form(kind), BASE_URL)

    assert validate(capture_document([event], "2026-06-01T12:00:00Z")) == [event]


def test_a_form_sent_twice_is_one_event() -> None:
    assert to_event(form("put_in"), BASE_URL) == to_event(form("put_in"), BASE_URL)
    assert to_event(form("put_in"), BASE_URL)["eventID"] == f"{BASE_URL}/id/event/k1"


def test_after_putting_in_the_lot_is_in_the_room_and_after_taking_out_at_the_site() -> None:
    into = lot_event(to_event(form("put_in"), BASE_URL)).now_at
    out = lot_event(to_event(form("taken_out"), BASE_URL)).now_at

    assert (into and into.kind, out and out.kind) == ("room", "site")


@pytest.mark.parametrize(
    ("move", "field"),
    [
        (Move("eaten", "l", AT_MS), "kind"),
        (Move("put_in", "l", AT_MS), "room"),
        (Move("taken_out", "l", AT_MS), "room"),
        (Move("packed", "l", AT_MS), "pack"),
        (Move("received", "l", AT_MS), "site"),
    ],
)
def test_a_form_that_lacks_something_is_refused_with_the_field(move: Move, field: str) -> None:
    with pytest.raises(ValueError, match=f"^{field}: "):
        to_event(move, BASE_URL)


def test_a_strangers_way_of_saying_it_reads_as_our_own() -> None:
    event = {
        "type": "ObjectEvent",
        "eventID": "urn:uuid:1",
        "eventTime": "2026-06-01T12:00:00Z",
        "action": "ADD",
        "bizStep": "departing",
        "epcList": ["urn:coldtrail:lot:lot-1"],
    }

    assert from_event(event, "lot-1").kind == "shipped"
