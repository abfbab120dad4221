"""What people are told of the system itself, and the words for it."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.incident import DAY_MS, HOUR_MS, MINUTE_MS
from domain.message import parts
from domain.system_alarm import (
    GONE_AFTER_MS,
    Kind,
    SystemAlarm,
    Told,
    about_words,
    decide,
    kinds,
    words,
)

NOON_MS = 1_780_372_800_000  # 2026-06-02 12:00 local
NIGHT_MS = NOON_MS + 15 * HOUR_MS


def alarm(code: str, about: str = "gateway:g1", since_ms: int = NOON_MS) -> SystemAlarm:
    return SystemAlarm(code, about, since_ms)


@pytest.mark.parametrize("kind", kinds().values(), ids=kinds().keys())
def test_each_kind_says_in_both_languages_what_it_means_and_what_to_do(kind: Kind) -> None:
    assert kind.level in ("critical", "warning")
    for lang in ("zh", "en"):
        assert 0 < len(kind.text[lang]) <= 20
        assert 0 < len(kind.todo[lang]) <= 20
        assert kind.means[lang]
        assert kind.do[lang]
        filled = dict(words(kind.code, ["gateway:township-2"], NOON_MS, lang, over=False).values)
        assert filled["what"] == kind.text[lang]
        assert filled["todo"] == kind.todo[lang]


@pytest.mark.parametrize("code", kinds())
def test_a_message_is_one_part_in_chinese_and_two_in_english(code: str) -> None:
    for over in (False, True):
        assert parts(words(code, ["gateway:township-2"], NOON_MS, "zh", over=over).text()) == 1
        assert parts(words(code, ["gateway:township-2"], NOON_MS, "en", over=over).text()) <= 2


def test_several_of_a_kind_are_one_message_that_counts_them() -> None:
    many = [alarm("GATEWAY_FULL", f"gateway:g{i}") for i in range(5)]

    tellings, _ = decide(many, [], NOON_MS)

    assert len(tellings) == 1
    assert (
        "网关g0等5处"
        in words(tellings[0].code, tellings[0].abouts, NOON_MS, "zh", over=False).text()
    )


def test_a_critical_one_is_told_at_night_and_again_each_day_until_it_is_over() -> None:
    told: list[Told] = []
    said: list[tuple[int, str]] = []
    for hour in range(60):
        now_ms = NIGHT_MS + hour * HOUR_MS
        there = [alarm("SERVER_CLOCK", "server", NIGHT_MS)] if hour < 50 else []
        tellings, told = decide(there, told, now_ms)
        said += [(hour, one.kind) for one in tellings]

    assert said == [(0, "raise"), (24, "repeat"), (48, "repeat"), (51, "clear")]
    assert told == []


def test_a_warning_waits_for_the_day_and_for_its_time() -> None:
    kind = kinds()["GATEWAY_CLOCK"]
    since_ms = NIGHT_MS
    assert decide([alarm(kind.code, since_ms=since_ms)], [], NIGHT_MS + HOUR_MS)[0] == []
    morning_ms = NIGHT_MS + 5 * HOUR_MS
    assert [t.kind for t in decide([alarm(kind.code, since_ms=since_ms)], [], morning_ms)[0]] == [
        "raise"
    ]
    soon = alarm(kind.code, since_ms=NOON_MS - kind.after_s * 1000 + 1)
    assert decide([soon], [], NOON_MS)[0] == []


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 4 * MINUTE_MS)), min_size=1, max_size=40))
def test_what_comes_and_goes_within_minutes_is_told_once(blinks: list[tuple[bool, int]]) -> None:
    """Whatever the rhythm: nothing is over before it was away for five minutes on end."""
    told: list[Told] = []
    now_ms, kinds_said, last_there_ms = NOON_MS, [], NOON_MS
    for there, wait_ms in [(True, 1), *blinks]:
        now_ms += wait_ms
        current = [alarm("DUPLICATE_GATEWAY")] if there else []
        tellings, told = decide(current, told, now_ms)
        for one in tellings:
            if one.kind == "clear":
                assert now_ms - last_there_ms >= GONE_AFTER_MS
            kinds_said.append(one.kind)
        if there:
            last_there_ms = now_ms
    for said, then in pairwise(kinds_said):
        assert (said, then) in (("raise", "clear"), ("clear", "raise"))


def test_the_end_of_a_loss_is_no_news() -> None:
    known = [Told("READINGS_LOST", "gateway:g1", NOON_MS, NOON_MS, NOON_MS)]

    assert decide([], known, NOON_MS + DAY_MS) == ([], [])


def test_what_is_concerned_is_named_as_people_say_it() -> None:
    assert about_words("gateway:g1", "zh") == "网关g1"
    assert about_words("gateway:g1", "en") == "gateway g1"
    assert about_words("server", "zh") == "服务器"
