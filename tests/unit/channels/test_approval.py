import re

import pytest

from channels.approval import PROVIDERS, approvals
from domain.template import TEMPLATES

BRACES = re.compile(r"\{\d+\}|\$\{[a-z]+\}")


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_placeholder_is_the_providers_own_and_has_an_example_within_its_bound(
    provider: str, lang: str
) -> None:
    found = approvals(provider, lang)

    assert found
    for one in found:
        assert BRACES.findall(one.content) == [name for name, _, _ in one.bounds]
        assert not BRACES.search(one.example)
        assert all(0 < len(example) <= most for _, most, example in one.bounds)
        assert one.example in str(one.request(provider)["Remark"])


def test_tencents_are_numbered_and_bound_to_six_characters() -> None:
    (one,) = [a for a in approvals("tencent", "zh") if a.id == "raise-state-zh"]

    assert one.content.startswith("冷链报警：{1}出现{2}，自{3}起")
    assert max(most for _, most, _ in one.bounds) == 6


def test_all_texts_are_offered_and_of_calls_only_what_is_spoken() -> None:
    assert {a.id for a in approvals("aliyun", "zh")} == {i for i in TEMPLATES if i.endswith("-zh")}
    assert {a.id for a in approvals("aliyun-voice", "zh")} == {
        i for i, t in TEMPLATES.items() if t.spoken and t.lang == "zh"
    }
    assert all(a.parts <= 3 for a in approvals("aliyun", "zh"))
