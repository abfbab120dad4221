"""What a person's text message means.

A digit alone acknowledges and never gives a cause. A code acknowledges its incident while that
is open; with 1 to 7 behind it, after the all-clear, it names the cause. The carriers' own
unsubscribe words never acknowledge anything, nor do those that take them back.
"""

import re
import unicodedata
from dataclasses import dataclass

CAUSES = ("door", "power", "defrost", "loading", "equipment", "product warm", "false")
_UNSUBSCRIBE = {"T", "TD", "R", "N", "退订", "QX"}
_RESUME = {"恢复", "订阅", "START"}
_ASKS = {"温度", "TEMP", "WD"}
_CODE = r"[A-Z][2-9][A-Z][2-9]"


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
    """Full-width characters, case, spaces and a closing mark make no difference."""
    said = unicodedata.normalize("NFKC", text).upper()
    said = re.sub(r"^\W+|\W+$", "", said)
    if said in _UNSUBSCRIBE:
        return Unsubscribes()
    if said in _RESUME:
        return Resumes()
    if said in _ASKS:
        return AsksTemperature()
    if re.fullmatch(r"[1-7]", said):
        return Acknowledges()
    if found := re.fullmatch(rf"(?:1[\s,，]*)?({_CODE})", said):
        return Acknowledges(found[1])
    if found := re.fullmatch(rf"({_CODE})[\s,，]*([1-7])", said):
        return Acknowledges(found[1], CAUSES[int(found[2]) - 1])
    return Unclear()
