from hypothesis import given
from hypothesis import strategies as st

from channels.short_message import UCS2, parts, reference, words

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=700)


def test_seventy_characters_are_one_part_without_a_header() -> None:
    assert parts("冷" * 70, 7) == [("冷" * 70).encode("utf-16-be")]


def test_seventy_one_characters_are_two_parts_that_name_each_other() -> None:
    first, second = parts("冷" * 71, 7)

    assert first[:6] == bytes((5, 0, 3, 7, 2, 1))
    assert second[:6] == bytes((5, 0, 3, 7, 2, 2))
    assert len(first) == 6 + 134


def test_a_character_outside_the_basic_plane_is_not_cut_in_two() -> None:
    pieces = parts("冷" * 66 + "😀" + "库" * 20, 1)

    assert words(pieces[1], UCS2, header=True).startswith("😀")


@given(texts)
def test_the_words_that_arrive_are_the_words_that_were_sent(text: str) -> None:
    pieces = parts(text, 3)

    assert "".join(words(p, UCS2, header=len(pieces) > 1) for p in pieces) == text
    assert all(len(p) <= 140 for p in pieces)


def test_the_reference_follows_from_the_key_alone() -> None:
    assert reference("fact-1/raise/u1") == reference("fact-1/raise/u1")
