from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from domain.calibration import Check, Papers, expires_ms
from domain.incident import DAY_MS, HOUR_MS, LOCAL_OFFSET_MS, MINUTE_MS
from domain.message import ONE_PART
from domain.upkeep import (
    Busy,
    Due,
    Note,
    Off,
    busiest_hour,
    due_since,
    last_morning_ms,
    message,
    off_now,
    yesterday,
)

LAST = date(2026, 6, 30)
PAPERS = [Papers("p", 0, due_on=LAST)]
ENDS_MS = expires_ms(PAPERS[0]) or 0
NOTES: list[Note] = [Due(LAST, over=False), Off(-120), Busy(32)]


def test_a_certificate_is_told_of_thirty_days_before_its_end_and_at_its_end_and_not_between() -> (
    None
):
    days = range(-40, 5)
    told = {
        day: found.over
        for day in days
        if (at := ENDS_MS + day * DAY_MS)
        if (found := due_since(PAPERS, at - DAY_MS, at))
    }

    assert told == {-30: False, 0: True}


def test_whoever_was_never_told_hears_of_what_is_due_by_now() -> None:
    assert due_since(PAPERS, 0, ENDS_MS - DAY_MS) == Due(LAST, over=False)
    assert due_since(PAPERS, 0, ENDS_MS + 9 * DAY_MS) == Due(LAST, over=True)


def test_a_new_certificate_ends_it() -> None:
    renewed = [*PAPERS, Papers("p", ENDS_MS - 10 * DAY_MS, due_on=date(2027, 6, 30))]

    assert due_since(renewed, 0, ENDS_MS) is None


def test_the_newest_check_counts() -> None:
    checks = [Check(0, 460, 400), Check(1, 410, 400)]

    assert off_now([], checks[:1]) == Off(60)
    assert off_now([], checks) is None
    assert off_now([], []) is None


def test_twenty_one_openings_within_an_hour_are_counted_across_the_full_hour() -> None:
    openings = [50 * MINUTE_MS + i * MINUTE_MS for i in range(21)]

    assert busiest_hour([0, *openings, 5 * HOUR_MS]) == 21
    assert busiest_hour([]) == 0


@given(st.integers(0, 400_000 * HOUR_MS))
def test_the_morning_is_half_past_six_local_time_of_the_last_day(now_ms: int) -> None:
    morning = last_morning_ms(now_ms)

    assert 0 <= now_ms - morning < DAY_MS
    assert (morning + LOCAL_OFFSET_MS) % DAY_MS == 6 * HOUR_MS + 30 * MINUTE_MS
    from_ms, to_ms = yesterday(now_ms)
    assert to_ms - from_ms == DAY_MS
    assert to_ms <= now_ms < to_ms + DAY_MS


@given(
    st.lists(st.sampled_from(NOTES), min_size=1, max_size=9),
    st.sampled_from(["东村3号库", "很长很长的合作社名字的大冷库房间一号"]),
    st.sampled_from(["zh", "en"]),
)
def test_however_much_there_is_it_is_one_text(notes: list[Note], place: str, lang: str) -> None:
    text, filled = message([(place, note) for note in notes], lang)

    assert len(text) <= ONE_PART
    assert place in text
    assert all(value for _, value in filled.values)


def test_the_words() -> None:
    assert message([("东村3号库", NOTES[0])], "zh")[0] == "冷链提醒:东村3号库探头校准06-30到期"
    assert message([("东村3号库", note) for note in NOTES], "zh")[0] == (
        "冷链提醒:东村3号库探头校准06-30到期;东村3号库探头偏低1.2℃;东村3号库昨天1小时开门32次"
    )
    assert message([("East 3", NOTES[1])], "en")[0] == (
        "Cold chain note: East 3 probe reads 1.2℃ too low"
    )
