"""Where a probe was, when: the pieces of a span, and what a correction moves."""

from hypothesis import given
from hypothesis import strategies as st

from domain.reading import ProbeId, RoomId, SiteId
from ingest.placement import END_OF_TIME_MS, UNASSIGNED, Stay, moved, pieces, placement
from store.records.ports import Assignment, ChangeNo, Room

P = ProbeId("ieee:1")
ROOMS = [
    Room(RoomId(name), SiteId(f"site-of-{name}"), "chilled", name, name) for name in ("r1", "r2")
]


def assigned(room: str, from_ms: int, to_ms: int | None) -> Assignment:
    return Assignment(P, RoomId(room), from_ms, to_ms, ChangeNo(1))


def stay(from_ms: int, to_ms: int, room: str) -> Stay:
    site = UNASSIGNED if room == UNASSIGNED else f"site-of-{room}"
    return Stay(from_ms, to_ms, room, site)


def test_time_without_an_assignment_is_unassigned() -> None:
    placed = placement([assigned("r1", 10, 20), assigned("r2", 30, None)], ROOMS)

    assert pieces(placed[P], 0, 40) == [
        stay(0, 10, UNASSIGNED),
        stay(10, 20, "r1"),
        stay(20, 30, UNASSIGNED),
        stay(30, 40, "r2"),
    ]


def test_a_correction_moves_only_the_time_that_it_changes() -> None:
    before = placement([assigned("r1", 10, None)], ROOMS)
    after = placement([assigned("r1", 10, 20), assigned("r2", 20, None)], ROOMS)

    assert moved(before, after) == [(P, 20, END_OF_TIME_MS)]
    assert moved(before, before) == []
    assert moved({}, before) == [(P, 10, END_OF_TIME_MS)]


stays = st.lists(
    st.builds(
        lambda start, length, room: stay(start, start + length, room),
        st.integers(0, 20),
        st.integers(1, 10),
        st.sampled_from(["r1", "r2"]),
    ),
    max_size=4,
)


def place_at(of: list[Stay], at_ms: int) -> tuple[str, str]:
    (piece,) = pieces(of, at_ms, at_ms + 1)
    return piece.room, piece.site


@given(stays, stays)
def test_an_instant_has_moved_exactly_when_its_place_differs(
    before: list[Stay], after: list[Stay]
) -> None:
    spans = moved({P: before}, {P: after})

    for at_ms in range(40):
        inside = any(start <= at_ms < end for _, start, end in spans)
        assert inside == (place_at(before, at_ms) != place_at(after, at_ms))
