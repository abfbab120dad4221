"""When the server doubts its own clock, and when it blames a gateway's."""

from hypothesis import given
from hypothesis import strategies as st

from domain.server_clock import FAR_MS, FEWEST, HEARD_WITHIN_MS, Heard, judge

NOW_MS = 10_000_000


def words(right: int, wrong: int, ahead_ms: int = FAR_MS + 1) -> list[Heard]:
    return [Heard(f"right{i}", 0, NOW_MS) for i in range(right)] + [
        Heard(f"wrong{i}", ahead_ms, NOW_MS) for i in range(wrong)
    ]


@given(st.integers(0, 200), st.integers(0, 40), st.sampled_from([1, -1]))
def test_it_doubts_itself_when_more_than_a_tenth_and_three_look_wrong(
    right: int, wrong: int, side: int
) -> None:
    verdict = judge(words(right, wrong, side * (FAR_MS + 1)), NOW_MS)

    assert verdict.suspect == (wrong >= FEWEST and wrong / (right + wrong) > 0.1)
    assert len(verdict.far) == (0 if verdict.suspect else wrong)


def test_a_clock_within_five_minutes_is_right() -> None:
    assert judge(words(0, 50, FAR_MS), NOW_MS).suspect is False


def test_whoever_has_been_silent_for_minutes_holds_up_nothing() -> None:
    assert judge(words(0, 5), NOW_MS + HEARD_WITHIN_MS).suspect
    assert judge(words(0, 5), NOW_MS + HEARD_WITHIN_MS + 1).suspect is False
