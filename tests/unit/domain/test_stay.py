"""Lots in rooms, folded from events."""

from itertools import permutations

import pytest

from domain.lot import LotEvent, ObjectId, Place, lot_object
from domain.reading import RoomId
from domain.stay import Misfit, Stay, fold

A, B = RoomId("a"), RoomId("b")
L1, L2, L3 = (lot_object(f"l{i}") for i in (1, 2, 3))
PACK = ObjectId("pack:p1")
SITE = Place("site", "s1")


def room(id: RoomId) -> Place:
    return Place("room", id)


def put(at: int, into: RoomId, *lots: ObjectId, id: str = "") -> LotEvent:
    return LotEvent(
        id or f"e{at}", at, "ObjectEvent", "OBSERVE", "storing", lots or (L1,), now_at=room(into)
    )


def take(at: int, out_of: RoomId, *lots: ObjectId) -> LotEvent:
    return LotEvent(
        f"e{at}", at, "ObjectEvent", "OBSERVE", "picking", lots or (L1,),
        seen_at=room(out_of), now_at=SITE,
    )  # fmt: skip


def ship(at: int, *objects: ObjectId) -> LotEvent:
    return LotEvent(f"e{at}", at, "ObjectEvent", "OBSERVE", "shipping", objects or (L1,))


def pack(at: int, action: str, *lots: ObjectId) -> LotEvent:
    return LotEvent(f"e{at}", at, "AggregationEvent", action, "packing", lots, parent=PACK)


def test_a_lot_put_in_and_taken_out_stayed_for_that_time() -> None:
    folded = fold([put(1, A), take(5, A)])

    assert folded.stays == (Stay(L1, A, 1, 5, "e1", "e5"),)
    assert not folded.misfits


def test_a_lot_put_into_another_room_left_the_first_one() -> None:
    folded = fold([put(1, A), put(5, B)])

    assert folded.of(L1) == (Stay(L1, A, 1, 5, "e1", "e5"), Stay(L1, B, 5, None, "e5", None))


def test_a_lot_seen_again_in_its_room_stays_there() -> None:
    assert fold([put(1, A), put(5, A)]).stays == (Stay(L1, A, 1, None, "e1", None),)


def test_taken_out_of_a_room_that_it_was_not_in_is_a_misfit_and_moves_it_all_the_same() -> None:
    folded = fold([put(1, A), take(5, B)])

    assert folded.misfits == (Misfit("e5", L1, "taken out of b, but it was in a"),)
    assert folded.stays[0].to_ms == 5


def test_taken_out_before_it_was_put_in_is_a_misfit() -> None:
    assert fold([take(1, A)]).misfits == (
        Misfit("e1", L1, "taken out of a, but it was in no room"),
    )


def test_what_is_packed_moves_with_its_pack() -> None:
    folded = fold([put(1, A, L1, L2), pack(2, "ADD", L1, L2), ship(9, PACK)])

    assert [(stay.object, stay.to_ms) for stay in folded.stays] == [(L1, 9), (L2, 9)]


def test_what_was_unpacked_stays_when_the_pack_leaves() -> None:
    events = [put(1, A, L1, L2), pack(2, "ADD", L1, L2), pack(3, "DELETE", L2), ship(9, PACK)]

    assert [(stay.object, stay.to_ms) for stay in fold(events).stays] == [(L1, 9), (L2, None)]


def test_unpacking_what_was_not_packed_is_a_misfit() -> None:
    assert fold([pack(2, "ADD", L1), pack(3, "DELETE", L2)]).misfits == (
        Misfit("e3", L2, "unpacked from pack:p1, but it was not in it"),
    )


def test_a_split_ends_the_lot_and_begins_its_parts_in_the_same_room() -> None:
    split = LotEvent(
        "e4", 4, "TransformationEvent", "OBSERVE", "transforming", (L1,), outputs=(L2, L3)
    )
    folded = fold([put(1, A), split])

    assert folded.stays == (
        Stay(L1, A, 1, 4, "e1", "e4"),
        Stay(L2, A, 4, None, "e4", None),
        Stay(L3, A, 4, None, "e4", None),
    )
    assert folded.sources == {L2: (L1,), L3: (L1,)}


def test_moving_a_lot_that_was_used_up_is_a_misfit() -> None:
    merge = LotEvent(
        "e4", 4, "TransformationEvent", "OBSERVE", "transforming", (L1, L2), outputs=(L3,)
    )
    folded = fold([put(1, A, L1, L2), merge, put(6, B)])

    assert folded.misfits == (Misfit("e6", L1, "moved after it ended with e4"),)
    assert folded.of(L1) == (Stay(L1, A, 1, 4, "e1", "e4"),)


def test_an_event_declared_to_be_an_error_counts_for_nothing() -> None:
    wrong = put(5, B)
    declared = LotEvent(
        wrong.id, 5, "ObjectEvent", "OBSERVE", "storing", (L1,), now_at=room(B), in_error=True
    )

    assert fold([put(1, A), wrong, declared]).stays == (Stay(L1, A, 1, None, "e1", None),)


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_the_order_of_arrival_changes_nothing(order: tuple[int, ...]) -> None:
    events = [put(1, A), take(3, A), put(4, B), ship(9)]

    assert fold([events[i] for i in order]) == fold(events)


def test_of_two_events_at_one_instant_the_id_decides() -> None:
    one, other = put(1, A, id="x"), put(1, B, id="y")

    assert (
        fold([other, one]).stays == fold([one, other]).stays == (Stay(L1, B, 1, None, "y", None),)
    )
