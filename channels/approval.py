"""Our templates as a provider wants them written when it is asked to approve them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from domain.message import parts
from domain.template import TEMPLATES, VARIABLES, Template, fit

PROVIDERS = ("aliyun", "aliyun-voice", "tencent")
NOTIFICATION = {"aliyun": 1, "tencent": 2}  # how each numbers this kind of text
_VARIABLE = re.compile(r"\$\{([a-z]+)\}")


@dataclass(frozen=True, slots=True)
class Approval:
    """``bounds``: placeholder, characters, example. ``parts``: of the longest text, signature of
    six characters included; 0 for a call."""

    id: str
    content: str
    example: str
    bounds: Sequence[tuple[str, int, str]]
    parts: int

    def request(self, provider: str) -> dict[str, object]:
        """The fields of CreateSmsTemplate (Alibaba) or AddSmsTemplate (Tencent)."""
        remark = f"例：{self.example}"
        if provider == "tencent":
            return {
                "TemplateName": self.id, "TemplateContent": self.content,
                "SmsType": NOTIFICATION[provider], "International": 0, "Remark": remark,
            }  # fmt: skip
        return {
            "TemplateName": self.id, "TemplateContent": self.content,
            "TemplateType": NOTIFICATION["aliyun"], "Remark": remark,
        }  # fmt: skip


def approvals(provider: str, lang: str) -> list[Approval]:
    """Of one language. ``ValueError`` for a provider that is not known."""
    if provider not in PROVIDERS:
        raise ValueError(f"no provider {provider!r}; there are {', '.join(PROVIDERS)}")
    spoken = provider == "aliyun-voice"
    most = 6 if provider == "tencent" else 20
    return [
        _approval(one, one.spoken if spoken else one.text, provider, most)
        for one in TEMPLATES.values()
        if one.lang == lang and (one.spoken or not spoken)
    ]


def _approval(template: Template, text: str, provider: str, most: int) -> Approval:
    order = _VARIABLE.findall(text)
    bounds = []
    for place, name in enumerate(order, 1):
        known = VARIABLES[name]
        bound = min(known.most, most)
        example = fit(known.en if template.lang == "en" else known.zh, bound)
        bounds.append((f"{{{place}}}" if provider == "tencent" else f"${{{name}}}", bound, example))
    content = text
    if provider == "tencent":
        content = _VARIABLE.sub(lambda m: f"{{{order.index(m[1]) + 1}}}", text)
    examples = {name: row[2] for name, row in zip(order, bounds, strict=True)}
    longest = _VARIABLE.sub(lambda m: "字" * min(VARIABLES[m[1]].most, most), text)
    return Approval(
        template.id,
        content,
        _VARIABLE.sub(lambda m: examples[m[1]], text),
        bounds,
        0 if provider == "aliyun-voice" else parts("字" * 6 + longest),
    )
