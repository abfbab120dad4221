"""Fixed texts with bounded variables, for carriers that send only what they have approved.

A kind of notice is one template in each language; ``domain.message`` fills it beside the full
text that other carriers take. Approval takes days, so the texts here are changed rarely, and an
id is never used for another text. Every variable stands between words of the template, is never
empty, and never holds a link: providers refuse all three.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_NAME = re.compile(r"\$\{([a-z]+)\}")
_LINK = re.compile(r"[a-z][a-z0-9+.-]*://|www\.", re.IGNORECASE)
_DOMAIN = re.compile(r"(?<=[A-Za-z0-9])[.．。](?=[A-Za-z])")
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f【】\[\]{}$]")
# What may go from a value that is too long, before its end is cut off.
_SHORTER = (
    (re.compile(r"^\d\d-\d\d (?=\d\d:)"), ""),
    (re.compile(r"^请?(立即)?"), ""),
    (re.compile(r"约\d+小时后"), "将"),
    (re.compile(r"(?<=.)(和|或|、|, | or | and ).*$"), ""),
)


@dataclass(frozen=True, slots=True)
class Variable:
    """``most``: characters of its value; ``zh`` and ``en``: an example, for the approval."""

    most: int
    zh: str
    en: str


VARIABLES: Mapping[str, Variable] = {
    "place": Variable(20, "东村3号库", "East 3"),
    "goods": Variable(10, "草莓", "strawberry"),
    "value": Variable(8, "8.1℃", "8.1C"),
    "what": Variable(20, "超温", "too warm"),
    "since": Variable(12, "13:32", "13:32"),
    "until": Variable(12, "14:10", "14:10"),
    "todo": Variable(20, "请查门和机组", "Check door and unit"),
    "code": Variable(4, "A7K3", "A7K3"),
    "minutes": Variable(6, "65", "65"),
    "count": Variable(6, "12", "12"),
}


@dataclass(frozen=True, slots=True)
class Template:
    """``text`` holds ``${name}`` for each variable; ``spoken`` is its form for a call."""

    id: str
    lang: str
    text: str
    spoken: str = ""

    @property
    def variables(self) -> tuple[str, ...]:
        """In the order in which they stand in the text."""
        return names(self.text)


@dataclass(frozen=True, slots=True)
class Filled:
    """A template's id with a value for each of its variables, none longer than its bound."""

    template: str
    values: tuple[tuple[str, str], ...]

    def fitted(self, most: int) -> dict[str, str]:
        """With a provider's own bound, where that is tighter than ours."""
        return {name: fit(value, most) for name, value in self.values}

    def text(self, spoken: bool = False) -> str:
        of = TEMPLATES[self.template]
        found = dict(self.values)
        return _NAME.sub(lambda m: found[m[1]], of.spoken if spoken else of.text)


def names(text: str) -> tuple[str, ...]:
    return tuple(_NAME.findall(text))


def fill(template: str, values: Mapping[str, str]) -> Filled:
    """``KeyError`` for a missing variable; what the template does not name is left out."""
    wanted = TEMPLATES[template].variables
    return Filled(template, tuple((n, fit(values[n], VARIABLES[n].most)) for n in wanted))


def fit(value: str, most: int) -> str:
    """At most so many characters, without link or bracket, and never empty."""
    plain = _DOMAIN.sub(" ", _LINK.sub("", _FORBIDDEN.sub("", value))).strip()
    for pattern, instead in _SHORTER:
        if len(plain) <= most:
            break
        plain = pattern.sub(instead, plain)
    return plain[:most].strip() or "-"


def _pair(id: str, zh: str, en: str, spoken_zh: str = "", spoken_en: str = "") -> list[Template]:
    return [Template(f"{id}-zh", "zh", zh, spoken_zh), Template(f"{id}-en", "en", en, spoken_en)]


def _alarm(id: str, lead_zh: str, lead_en: str) -> list[Template]:
    """With a figure, and without one."""
    ask_zh, ask_en = "。回复1确认，代码${code}", ". Reply 1 to confirm, code ${code}"
    figure_zh = lead_zh + "${place}的${goods}现为${value}，属${what}，自${since}起。处理：${todo}"
    figure_en = (
        lead_en + "${goods} in ${place} at ${value}: ${what}, since ${since}. To do: ${todo}"
    )
    state_zh = lead_zh + "${place}出现${what}，自${since}起。处理：${todo}"
    state_en = lead_en + "${place} has ${what}, since ${since}. To do: ${todo}"
    return [
        *_pair(f"{id}-figure", figure_zh + ask_zh, figure_en + ask_en, figure_zh, figure_en),
        *_pair(f"{id}-state", state_zh + ask_zh, state_en + ask_en, state_zh, state_en),
    ]


TEMPLATES: Mapping[str, Template] = {
    one.id: one
    for one in (
        *_alarm("raise", "冷链报警：", "Cold chain alarm: "),
        *_alarm("escalate", "冷链报警无人确认：", "Cold chain alarm unanswered: "),
        *_alarm("repeat", "冷链报警仍未恢复：", "Cold chain alarm still on: "),
        *_pair(
            "clear-figure",
            "${place}的${goods}已恢复正常，历时${minutes}分钟，最甚${value}。记录代码${code}",
            "${goods} in ${place} back to normal after ${minutes} min, worst ${value}. Code ${code}",
        ),
        *_pair(
            "clear-state",
            "${place}已恢复正常，历时${minutes}分钟。记录代码${code}",
            "${place} is back to normal after ${minutes} min. Code ${code}",
        ),
        *_pair(
            "past",
            "补报：${place}于${since}至${until}曾${what}，现已结束",
            "Late report: ${place} from ${since} to ${until} was ${what}; it is over",
        ),
        *_pair(
            "corrected",
            "更正：${place}在${since}的${what}，经补传数据核实不成立",
            "Correction: ${place} at ${since}, ${what}: was not so, late data shows",
        ),
        *_pair(
            "digest",
            "冷链汇总：共${count}处需要查看，首先是${place}的${what}",
            "Cold chain digest: ${count} to look at, first ${place} with ${what}",
        ),
        *_pair(
            "upkeep",
            "冷链提醒：${place}的${what}。处理：${todo}",
            "Cold chain note: ${place}, ${what}. To do: ${todo}",
        ),
        *_pair(
            "power",
            "共${count}个站点10分钟内断电，包括${place}。请查供电",
            "In all ${count} sites lost power in 10 min, among them ${place}. Check the supply",
        ),
        *_pair(
            "drill",
            "演练：${place}测试报警，货物无事。收到请回复1确认，代码${code}",
            "DRILL: ${place} test alarm, goods are fine. Reply 1 to confirm, code ${code}",
            "这是演练：${place}测试报警，货物无事。收到请回复短信确认",
            "This is a drill: ${place} test alarm, goods are fine. Please reply to the text message",
        ),
        *_pair("drill-over", "演练结束：${place}，谢谢配合", "Drill over: ${place}, thank you"),
        *_pair(
            "silent",
            "冷链平台：通知通道${place}自${since}起没有应答，请尽快检查该通道",
            "Cold chain platform: the channel ${place} has not answered since ${since}. Check it soon",
            "冷链平台：通知通道${place}自${since}起没有应答，请尽快检查该通道",
            "Cold chain platform: the channel ${place} has not answered since ${since}. Check it soon",
        ),
        *_pair(
            "system",
            "冷链平台：${place}出现${what}，自${since}起。处理：${todo}",
            "Cold chain platform: ${place} has ${what} since ${since}. To do: ${todo}",
            "冷链平台：${place}出现${what}，自${since}起。处理：${todo}",
            "Cold chain platform: ${place} has ${what} since ${since}. To do: ${todo}",
        ),
        *_pair(
            "system-over",
            "冷链平台：${place}的${what}已解除，自${since}起",
            "Cold chain platform: ${place}, ${what} is over; it began ${since}",
        ),
        *_pair(
            "watchdog",
            "冷链平台${place}自${since}起没有应答，报警可能发不出，请尽快检查服务器",
            "The platform ${place} has not answered since ${since}; alarms may not be told. Check it",
            "冷链平台${place}自${since}起没有应答，报警可能发不出，请尽快检查服务器",
            "The platform ${place} has not answered since ${since}; alarms may not be told. Check it",
        ),
        *_pair(
            "watchdog-over",
            "冷链平台${place}已恢复应答，中断自${since}起",
            "The platform ${place} answers again; it was silent since ${since}",
        ),
        *_pair(
            "test",
            "冷链通知测试：${place}于${since}发出，收到即为正常，不必处理",
            "Cold chain test: sent by ${place} at ${since}. It works; nothing to do",
            "冷链通知测试：${place}于${since}发出，收到即为正常，不必处理",
            "Cold chain test: sent by ${place} at ${since}. It works; nothing to do",
        ),
    )
}
