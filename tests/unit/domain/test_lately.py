"""What a gateway is told of the past is enough to know what people are doing now."""

from hypothesis import given
from hypothesis import strategies as st

from domain.activity import HOUR_MS, Activity, activity, lately
from domain.judgement import Action
from domain.span import FOREVER, Span

DAY_MS = 24 * HOUR_MS
SINCE_MS = 10 * DAY_MS
KINDS = (
    "loading_started", "loading_ended", "maintenance_started", "maintenance_ended",
    "standby_started", "standby_ended", "lot_in", "lot_out", "precool_started", "precool_done",
)  # fmt: skip


def act(at_ms: int, kind: str, lot: str = "a") -> Action:
    detail = {"lot": lot} if kind.startswith("lot_") else {}
    if kind == "precool_started":
        detail = {"start_c": 20, "medium_c": 2, "allowed_h": 8}  # type: ignore[dict-item]  # as people record it
    return Action(at_ms, kind, "u1", detail)


acts = st.builds(
    act,
    st.integers(0, 30 * 24).map(lambda hours: hours * HOUR_MS),
    st.sampled_from(KINDS),
    st.sampled_from("abc"),
)


def from_then(spans: tuple[Span, ...], at_ms: int) -> list[Span]:
    return [(max(begin, at_ms), end) for begin, end in spans if end > at_ms]


def after(did: Activity, at_ms: int) -> list[list[Span]]:
    cooling = tuple((c.begin, c.end) for c in did.precooling)
    spans = (
        did.loading, did.loadings, did.maintenance, cooling, did.standby, did.stocked_standby,
        did.stocked,
    )  # fmt: skip
    return [from_then(one, at_ms) for one in spans]


@given(st.lists(acts, max_size=30).map(lambda found: sorted(found, key=lambda a: a.at_ms)))
def test_a_day_later_nothing_that_people_do_is_missing(actions: list[Action]) -> None:
    at_ms = SINCE_MS + DAY_MS

    assert after(activity(lately(actions, SINCE_MS)), at_ms) == after(activity(actions), at_ms)


def test_what_is_over_is_left_out() -> None:
    old = [act(1, "lot_in"), act(2, "loading_started"), act(3, "loading_ended")]
    more = [
        act(n, kind) for n in range(4, 4000, 2) for kind in ("loading_started", "loading_ended")
    ]

    assert lately(old + more, SINCE_MS) == [old[0]]


def test_that_lots_are_counted_is_known_though_all_of_them_have_left() -> None:
    gone = [act(1, "lot_in"), act(2, "lot_out")]

    assert activity(lately(gone, SINCE_MS)).stocked == ()
    assert activity([]).stocked[0][1] == FOREVER
