"""What a person's text message means.

A digit alone acknowledges and never gives a cause. A code acknowledges its incident while that
is open; with 1 to 7 or a cause in words behind it, after the all-clear, it names the cause. The
carriers' own unsubscribe words never acknowledge anything, nor do those that take them back.

People copy the words that our texts tell them to reply, put a digit on either side of the code,
and write as their phone does: full width, small letters, spaces, traditional characters.
"""

import re
import unicodedata
from dataclasses import dataclass

CAUSES = ("door", "power", "defrost", "loading", "equipment", "product warm", "false")
_IN_WORDS = {
    "门": 1, "开门": 1, "门没关": 1, "DOOR": 1,
    "断电": 2, "停电": 2, "POWER": 2,
    "化霜": 3, "除霜": 3, "DEFROST": 3,
    "装卸": 4, "装货": 4, "卸货": 4, "进货": 4, "出货": 4, "LOAD": 4, "LOADING": 4,
    "设备": 5, "机组": 5, "UNIT": 5, "EQUIPMENT": 5,
    "货温高": 6, "货温": 6, "WARM": 6, "WARM GOODS": 6,
    "误报": 7, "FALSE": 7,
}  # fmt: skip
_RESUME = {"恢复", "订阅", "START"}
_ASKS = {"温度", "查温度", "查询温度", "TEMP", "TEMPERATURE", "WD"}
_CONFIRMS = {"确认", "CONFIRM"}
_SIMPLIFIED = str.maketrans(
    "溫訂閱復確認門開沒關斷電裝貨進設備機組誤報請查詢",
    "温订阅复确认门开没关断电装货进设备机组误报请查询",
)
_TOLD_TO = r"(?:请?回复?|REPLY)?\W*"  # copied from our texts
_UNSUBSCRIBES = re.compile(rf"(?:退订)?{_TOLD_TO}(?:TD?|R|N|QX|退订|拒收)(?:退订)?")
_CODE = r"(?P<code>[A-Z]\s?[2-9]\s?[A-Z]\s?[2-9])"
_CONFIRM = r"(?:1\W*)?(?:确认|CONFIRM)?\W*"
_ACKNOWLEDGES = re.compile(rf"{_TOLD_TO}{_CONFIRM}{_CODE}(?:\W*确认)?")
_DIGIT_AND_CODE = re.compile(rf"(?P<digit>[2-7])\W*{_CODE}")
_GIVES_A_CAUSE = re.compile(rf"{_CODE}\W*(?P<why>[1-7]|{'|'.join(_IN_WORDS)})")


@dataclass(frozen=True, slots=True)
class Acknowledges:
    """``code`` empty: of the one incident that is open. ``cause`` counts only after the
    all-clear."""

    code: str = ""
    cause: str = ""


@dataclass(frozen=True, slots=True)
class AsksTemperature:
    pass


@dataclass(frozen=True, slots=True)
class Unsubscribes:
    pass


@dataclass(frozen=True, slots=True)
class Resumes:
    """They agree to our messages again."""


@dataclass(frozen=True, slots=True)
class Unclear:
    pass


Meaning = Acknowledges | AsksTemperature | Unsubscribes | Resumes | Unclear


def meaning(text: str) -> Meaning:
    """Full-width and traditional characters, case, spaces and a closing mark make no
    difference."""
    said = unicodedata.normalize("NFKC", text).upper().translate(_SIMPLIFIED)
    said = re.sub(r"^\W+|\W+$", "", said)
    if _UNSUBSCRIBES.fullmatch(said):
        return Unsubscribes()
    if said in _RESUME:
        return Resumes()
    if said in _ASKS:
        return AsksTemperature()
    if said in _CONFIRMS or re.fullmatch(rf"{_TOLD_TO}[1-7](?:\W*确认)?", said):
        return Acknowledges()
    if found := _ACKNOWLEDGES.fullmatch(said):
        return Acknowledges(_code(found))
    if found := _DIGIT_AND_CODE.fullmatch(said):
        return Acknowledges(_code(found), CAUSES[int(found["digit"]) - 1])
    if found := _GIVES_A_CAUSE.fullmatch(said):
        why = found["why"]
        number = int(why) if why.isdigit() else _IN_WORDS[why]
        return Acknowledges(_code(found), CAUSES[number - 1])
    return Unclear()


def _code(found: re.Match[str]) -> str:
    return re.sub(r"\s", "", found["code"])
