"""Which rules earn their alarms."""

import random
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from domain.tuning import Answered, false_again, figures, reconsider

MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS


def alarm(
    day: float,
    cause: str | None = None,
    *,
    code: str = "WARN_HIGH",
    room: str = "a",
    acked: float | None = None,
    named: float | None = None,
) -> Answered:
    """``acked`` and ``named`` in minutes after it fired."""
    fired = round(day * DAY_MS)

    def after(minutes: float | None) -> int | None:
        return None if minutes is None else fired + round(minutes * MINUTE_MS)

    level = "critical" if code.startswith("CRIT_") else "warning"
    return Answered(
        f"{room}-{code}-{fired}", room, code, level, fired, fired + 60 * MINUTE_MS, after(acked),
        cause, after(named) if named is not None else after(90) if cause else None,
    )  # fmt: skip


def why(*alarms: Answered) -> list[tuple[str, tuple[str, ...]]]:
    return [(one.figures.code, one.why) for one in reconsider(alarms)]


def test_a_rule_is_counted_with_its_rooms_causes_and_times() -> None:
    (one,) = figures(
        [
            alarm(1, "door", acked=4),
            alarm(2, "false", room="b", acked=12),
            alarm(3, "power", acked=20, named=3),
            alarm(4),
        ]
    )

    assert (one.count, one.rooms, one.acked, one.named, one.real, one.false) == (4, 2, 3, 3, 2, 1)
    assert one.real_share == Fraction(1, 2)
    assert (one.to_ack_ms, one.to_answer_ms) == (12 * MINUTE_MS, 4 * MINUTE_MS)


def test_false_twice_in_seven_days_in_one_room_asks_for_another_rule() -> None:
    (again,) = false_again([alarm(1, "false"), alarm(8, "false"), alarm(20, "false")])

    assert (again.room, again.code, len(again.alarms)) == ("a", "WARN_HIGH", 2)


def test_false_once_a_fortnight_or_in_two_rooms_does_not() -> None:
    assert false_again([alarm(1, "false"), alarm(8.01, "false")]) == []
    assert false_again([alarm(1, "false"), alarm(2, "false", room="b")]) == []
    assert false_again([alarm(1, "false"), alarm(2, "false", code="CRIT_HIGH")]) == []


def test_a_rule_with_three_real_causes_in_ten_stands() -> None:
    real = [alarm(i, "door") for i in range(3)]
    spread = [alarm(10 * i + 5, "false") for i in range(7)]

    assert why(*real, *spread) == []
    assert why(*real[:2], *spread, alarm(95, "false")) == [("WARN_HIGH", ("few_real",))]


def test_a_rule_of_which_nobody_names_causes_is_told_apart() -> None:
    assert why(*(alarm(i) for i in range(4))) == [("WARN_HIGH", ("unnamed",))]
    assert why(alarm(0, "door"), *(alarm(i) for i in range(1, 5))) == [("WARN_HIGH", ("unnamed",))]


def test_what_was_called_false_twice_comes_first() -> None:
    assert why(
        *(alarm(i, code="CRIT_HIGH") for i in range(5)),
        alarm(1, "false"), alarm(2, "false"), *(alarm(i, "door") for i in range(10, 18)),
    ) == [("WARN_HIGH", ("false_again",)), ("CRIT_HIGH", ("unnamed",))]  # fmt: skip


ALARMS = st.lists(
    st.builds(
        alarm,
        st.integers(0, 60),
        st.sampled_from([None, "false", "door", "power"]),
        code=st.sampled_from(["WARN_HIGH", "CRIT_HIGH", "CEILING"]),
        room=st.sampled_from("ab"),
        acked=st.none() | st.integers(0, 90),
    ),
    max_size=40,
    unique_by=lambda a: a.id,
)


@given(alarms=ALARMS, shuffled=st.randoms())
def test_order_makes_no_difference_and_every_alarm_is_counted_once(
    alarms: list[Answered], shuffled: random.Random
) -> None:
    other = list(alarms)
    shuffled.shuffle(other)

    assert figures(alarms) == figures(other)
    assert reconsider(alarms) == reconsider(other)
    assert sum(one.count for one in figures(alarms)) == len(alarms)


@given(alarms=ALARMS)
def test_naming_a_real_cause_never_puts_a_rule_on_the_list(alarms: list[Answered]) -> None:
    listed = {one.figures.code for one in reconsider(alarms)}
    for i, one in enumerate(alarms):
        better = alarm(one.fired_ms / DAY_MS, "door", code=one.code, room=one.room)
        after = [*alarms[:i], better, *alarms[i + 1 :]]

        assert {two.figures.code for two in reconsider(after)} <= listed
