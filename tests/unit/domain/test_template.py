import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.message import parts
from domain.template import TEMPLATES, VARIABLES, fill, fit, names

MOST_TEXT = 500  # characters of a template, at the provider that was read


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES.keys())
def test_a_template_is_words_with_each_known_variable_once_between_them(template) -> None:  # type: ignore[no-untyped-def]  # a table's row
    for text in filter(None, (template.text, template.spoken)):
        found = names(text)
        assert set(found) <= set(VARIABLES)
        assert len(set(found)) == len(found)
        assert not re.search(r"\}\$\{", text)
        assert len(text) <= MOST_TEXT
    assert set(names(template.spoken)) <= set(template.variables)


@pytest.mark.parametrize("id", [id for id in TEMPLATES if id.endswith("-zh")])
def test_a_chinese_notice_with_its_example_is_one_part_and_two_at_the_longest(id: str) -> None:
    signature = "【某某冷链】"
    example = fill(id, {name: v.zh for name, v in VARIABLES.items()}).text()
    longest = fill(id, {name: "长" * v.most for name, v in VARIABLES.items()}).text()

    assert parts(signature + example) == 1
    assert parts(signature + longest) <= 3


@given(st.text(max_size=60), st.integers(1, 20))
def test_a_value_is_never_empty_never_too_long_and_never_a_link(value: str, most: int) -> None:
    fitted = fit(value, most)

    assert 0 < len(fitted) <= most
    assert "://" not in fitted
    assert not re.search(r"[【】{}$\x00-\x1f]", fitted)


@pytest.mark.parametrize(
    ("value", "most", "fitted"),
    [
        pytest.param("8.1℃", 8, "8.1℃", id="a-figure-keeps-its-point"),
        pytest.param("https://cold.example.org", 20, "cold example org", id="a-link-is-broken"),
        pytest.param("请立即调高设定", 6, "调高设定", id="courtesy-goes-first"),
        pytest.param("约2小时后超温", 6, "将超温", id="the-future-stays-the-future"),
        pytest.param("请查设备和网络", 5, "查设备", id="the-second-half-goes"),
        pytest.param("06-01 13:32", 6, "13:32", id="of-an-instant-the-hour-stays"),
        pytest.param("东村3号库南侧冷藏间", 6, "东村3号库南", id="the-end-is-cut"),
        pytest.param("  ", 6, "-", id="nothing-is-a-dash"),
    ],
)
def test_what_is_too_long_loses_its_least_important_words(
    value: str, most: int, fitted: str
) -> None:
    assert fit(value, most) == fitted
