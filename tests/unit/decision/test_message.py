"""Texts that fit, say what matters, and never speak of the past as if it were now."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.decision import Notice
from domain.incident import Known
from domain.message import DRILL, Place, compose, parts, reply_code, templated
from domain.template import TEMPLATES, VARIABLES
from tests.unit.decision.story import MINUTE_MS, NOON_MS

PLACE = Place("3号库", "Room 3", "草莓", "strawberry", {"CRIT_HIGH": 700, "CRIT_FREEZE": -80})


def notice(kind: str, code: str, peak: int | None = 810, cleared: int | None = None) -> Notice:
    known = Known(code, "critical", NOON_MS, NOON_MS, cleared, peak, NOON_MS)
    return Notice("k", NOON_MS + 90 * MINUTE_MS, "op", "sms", kind, (code,), "r1", 1,
                  (("r1", known),))  # fmt: skip


def text(kind: str, code: str, lang: str = "zh", peak: int | None = 810,
         cleared: int | None = None) -> str:  # fmt: skip
    return compose(notice(kind, code, peak, cleared), {"r1": PLACE}, lang, "A7K3")


def test_a_raise_has_place_goods_value_limit_since_what_to_do_and_code() -> None:
    assert (
        text("raise", "CRIT_HIGH") == "3号库草莓8.1℃超温(限7℃),12:00起。请查门和机组。回1确认 A7K3"
    )


def test_the_low_side_says_to_raise_the_set_point() -> None:
    assert "调高设定" in text("raise", "CRIT_FREEZE", peak=-100)
    assert "Raise the set point" in text("raise", "CRIT_FREEZE", "en", peak=-100)


def test_the_past_has_its_times_and_asks_for_no_answer() -> None:
    past = text("past", "CRIT_HIGH", cleared=NOON_MS + 30 * MINUTE_MS)

    assert past == "补报:3号库草莓06-01 12:00-12:30曾超温,最高8.1℃。已结束"


@pytest.mark.parametrize(
    ("length", "count"), [(70, 1), (71, 2), (134, 2), (135, 3), (201, 3), (202, 4)]
)
def test_parts_are_counted_as_carriers_charge_them(length: int, count: int) -> None:
    assert parts("字" * length) == count


KINDS = ("raise", "escalate", "repeat", "clear", "past", "corrected")


@given(
    st.sampled_from(KINDS),
    st.sampled_from(("CRIT_HIGH", "CRIT_FREEZE", "DOOR_OPEN_CRIT", "POWER_LOSS_WARN", "NEW_CODE")),
    st.sampled_from(("zh", "en")),
    st.text("库abc-0", min_size=1, max_size=24),
)
def test_every_text_fits_one_part_and_names_the_room(
    kind: str, code: str, lang: str, name: str
) -> None:
    place = Place(name, name, "草莓", "strawberry", {"CRIT_HIGH": 700})

    said = compose(notice(kind, code), {"r1": place}, lang, "A7K3")

    assert len(said) <= 70
    assert name in said
    if code.startswith("CRIT"):
        assert "8.1" in said
        assert ("strawberry" if lang == "en" else "草莓") in said


def test_a_code_is_never_a_carriers_unsubscribe_word_and_differs_by_incident() -> None:
    codes = [reply_code("r1", n) for n in range(1, 200)]

    assert all(len(c) == 4 and c[1].isdigit() for c in codes)
    assert len(set(codes)) > 190


def test_a_raise_as_a_template_holds_what_its_text_holds() -> None:
    filled = templated(notice("raise", "CRIT_HIGH"), {"r1": PLACE}, "zh", "A7K3")

    assert filled is not None
    assert filled.template == "raise-figure-zh"
    assert filled.text() == (
        "冷链报警：3号库的草莓现为8.1℃，属超温，自12:00起。处理：请查门和机组。回复1确认，代码A7K3"
    )
    assert filled.text(spoken=True).endswith("处理：请查门和机组")


def test_a_drill_is_never_told_in_the_words_of_an_alarm() -> None:
    filled = templated(notice("raise", DRILL, None), {"r1": PLACE}, "zh", "A7K3")

    assert filled is not None
    assert filled.template == "drill-zh"
    assert filled.text().startswith("演练")


@given(
    st.sampled_from(KINDS),
    st.sampled_from(("CRIT_HIGH", "CRIT_FREEZE", "DOOR_OPEN_CRIT", "POWER_LOSS_WARN", "NEW_CODE")),
    st.sampled_from(("zh", "en")),
    st.text(max_size=60),
    st.none() | st.integers(-9000, 9000),
)
def test_every_alarm_has_a_template_with_each_value_within_its_bound(
    kind: str, code: str, lang: str, name: str, peak: int | None
) -> None:
    place = Place(name, name, name, name)
    filled = templated(notice(kind, code, peak), {"r1": place}, lang, "A7K3")

    assert filled is not None
    assert [n for n, _ in filled.values] == list(TEMPLATES[filled.template].variables)
    assert all(0 < len(value) <= VARIABLES[n].most for n, value in filled.values)
