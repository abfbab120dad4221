"""What is the matter with a part of the system itself, in the words for those who run it.

A kind's words stand in ``facts/system.toml``: what a text message says, what the console says,
and what to do. What an alarm concerns (``about``) is a kind and a name: ``gateway:gw1``,
``part:influx``, ``source:gw1``, ``channel:sms``, ``room:`` with its place's name, ``person:`` with theirs,
or ``server``.
"""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any

from domain.incident import DAY_MS, MINUTE_MS, by_day
from domain.message import clock_of
from domain.template import Filled, fill

SERVER = "server"
GONE_AFTER_MS = 5 * MINUTE_MS  # what comes back sooner was not over
_NAMES = {
    "server": ("服务器", "server"),
    "gateway": ("网关", "gateway "),
    "part": ("", ""),
    "source": ("来源", "source "),
    "channel": ("通道", "channel "),
    "room": ("", ""),
    "person": ("", ""),
}


@dataclass(frozen=True, slots=True)
class Kind:
    """``stops``: the part that says it does not do its job meanwhile. ``after_s``: how long it
    must hold before people are told. ``told``: by the common way; False: it has one of its own.
    ``over``: its end is told as well."""

    code: str
    level: str  # critical | warning
    stops: bool
    after_s: int
    told: bool
    over: bool
    text: Mapping[str, str]  # these four by language
    todo: Mapping[str, str]
    means: Mapping[str, str]
    do: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SystemAlarm:
    """``part``: the role that says so. ``detail`` is for a reader of logs."""

    code: str
    about: str
    since_ms: int
    detail: str = ""
    part: str = ""

    @property
    def kind(self) -> Kind:
        return kinds()[self.code]


@dataclass(frozen=True, slots=True)
class Told:
    """An alarm that people know of: last told at ``told_ms``; not there since ``gone_ms``."""

    code: str
    about: str
    since_ms: int
    told_ms: int
    gone_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Telling:
    """``kind``: raise, repeat or clear, of one or several alarms of one code."""

    kind: str
    code: str
    abouts: tuple[str, ...]
    since_ms: int


def decide(
    now: Iterable[SystemAlarm], told: Iterable[Told], now_ms: int, rate: float = 1.0
) -> tuple[list[Telling], list[Told]]:
    """What to tell, and what is known then. A critical one is told again each day. ``rate``: of
    a story's clock; a machine's troubles take a machine's time."""
    current = {(one.code, one.about): one for one in now if one.kind.told}
    known: dict[tuple[str, str], Told] = {}
    news: dict[tuple[str, str], list[Told]] = {}
    for one in told:
        key = (one.code, one.about)
        if one.code not in kinds():
            continue
        if key in current:
            known[key] = replace(one, gone_ms=None)
        elif one.gone_ms is None or now_ms - one.gone_ms < GONE_AFTER_MS * rate:
            known[key] = replace(one, gone_ms=one.gone_ms or now_ms)
        elif kinds()[one.code].over:
            news.setdefault(("clear", one.code), []).append(one)
    for key, alarm in current.items():
        critical = alarm.kind.level == "critical"
        if not critical and not by_day(now_ms):
            continue
        before = known.get(key)
        if before is None and now_ms - alarm.since_ms >= alarm.kind.after_s * 1_000 * rate:
            known[key] = Told(*key, alarm.since_ms, now_ms)
            news.setdefault(("raise", alarm.code), []).append(known[key])
        elif before is not None and critical and now_ms - before.told_ms >= DAY_MS:
            known[key] = replace(before, told_ms=now_ms)
            news.setdefault(("repeat", alarm.code), []).append(known[key])
    tellings = [
        Telling(kind, code, tuple(sorted(o.about for o in ones)), min(o.since_ms for o in ones))
        for (kind, code), ones in sorted(news.items())
    ]
    return tellings, sorted(known.values(), key=lambda one: (one.code, one.about))


@cache
def kinds() -> Mapping[str, Kind]:
    """By code, in the order of the table."""
    table = resources.files("domain").joinpath("facts", "system.toml").read_text("utf-8")
    return {code: _kind(code, row) for code, row in tomllib.loads(table).items()}


def _kind(code: str, row: Mapping[str, Any]) -> Kind:
    return Kind(
        code,
        row["level"],
        row.get("stops", False),
        row.get("after_s", 0),
        row.get("told", True),
        row.get("over", True),
        row["text"],
        row["todo"],
        row["means"],
        row["do"],
    )


def about_words(about: str, lang: str) -> str:
    """What is concerned, as a person would say it."""
    kind, _, name = about.partition(":")
    zh, en = _NAMES.get(kind, ("", ""))
    return (en if lang == "en" else zh) + name


def words(code: str, abouts: Sequence[str], since_ms: int, lang: str, *, over: bool) -> Filled:
    """The text message about one or several alarms of one kind."""
    lang = "en" if lang == "en" else "zh"
    place = about_words(abouts[0], lang)
    if len(abouts) > 1:
        place += f" +{len(abouts) - 1}" if lang == "en" else f"等{len(abouts)}处"
    kind = kinds()[code]
    return fill(
        f"system-over-{lang}" if over else f"system-{lang}",
        {
            "place": place,
            "what": kind.text[lang],
            "since": clock_of(since_ms),
            "todo": kind.todo[lang],
        },
    )
