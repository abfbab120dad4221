"""What a page says in Chinese or English: words, times, ages, numbers.

Times are in the installation's own time zone; ages stand beside them, because a phone's
clock may be wrong and a value without its age says little.
"""

import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from babel.numbers import format_decimal

from domain.message import todo
from domain.roster import DAYS, Shift
from domain.system_alarm import SystemAlarm, about_words

LANGUAGES = ("zh", "en")
HTML_LANG = {"zh": "zh-CN", "en": "en"}
_LOCALE = {"zh": "zh_Hans_CN", "en": "en_GB"}
_SHORT = {"zh": "M月d日 HH:mm", "en": "d MMM HH:mm"}
_LONG = {"zh": "y年M月d日 HH:mm:ss", "en": "d MMM y HH:mm:ss"}
_DAY = {"zh": "M月d日", "en": "d MMM"}
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400
PLACES = {"Cel": 1, "%RH": 1, "lat": 4, "lon": 4}  # what sensors are good for; the API has all
UNITS = {"Cel": "°C", "%RH": "%", "%EL": "%", "/": "", "lat": "°", "lon": "°"}


@cache
def messages(lang: str) -> dict[str, str]:
    text = files("api.console").joinpath("messages.toml").read_text(encoding="utf-8")
    return {
        f"{table}.{name}": words[lang]
        for table, names in tomllib.loads(text).items()
        for name, words in names.items()
    }


def preferred(cookie: str | None, accept: str) -> str:
    """The cookie's language, else the first of Accept-Language that we speak, else Chinese."""
    if cookie in LANGUAGES:
        return str(cookie)
    for part in accept.split(","):
        tag = part.split(";")[0].strip().lower()[:2]
        if tag in LANGUAGES:
            return tag
    return "zh"


@dataclass(frozen=True, slots=True)
class Words:
    lang: str
    zone: ZoneInfo
    now_ms: int

    def __call__(self, key: str, /, **values: object) -> str:
        text = messages(self.lang)[key]
        return text.format(**values) if values else text

    def todo(self, code: str) -> str:
        return todo(code, zh=self.lang == "zh")

    def spell(self, from_ms: int, to_ms: int) -> str:
        """From when to when; the day once where it is the same."""
        if self._local(from_ms).date() == self._local(to_ms).date():
            return f"{self.time(from_ms)} – {self.clock(to_ms)}"
        return f"{self.time(from_ms)} – {self.time(to_ms)}"

    @property
    def offset(self) -> str:
        """Of the times on a page, as UTC+08:00."""
        return f"UTC{self._local(self.now_ms).isoformat()[-6:]}"

    def known(self, table: str, name: object) -> str:
        """A word for something that another program named: its own name when we have none."""
        return messages(self.lang).get(f"{table}.{name}", str(name))

    def coded(self, code: str) -> str:
        """A rule's code, for whoever types it again, and in words."""
        name = self.known("code", code)
        if name == code:
            return code
        return f"{code}（{name}）" if self.lang == "zh" else f"{code} ({name})"

    @property
    def html_lang(self) -> str:
        return HTML_LANG[self.lang]

    @property
    def other(self) -> str:
        return "en" if self.lang == "zh" else "zh"

    def name(self, thing: object) -> str:
        """Of a region, site, room, lot or commodity."""
        return str(getattr(thing, f"name_{self.lang}") or getattr(thing, f"name_{self.other}"))

    def _local(self, at_ms: int) -> datetime:
        return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(self.zone)

    def _formatted(self, at_ms: int, pattern: str) -> str:
        local = self._local(at_ms)
        return format_datetime(local, pattern, locale=_LOCALE[self.lang])

    def time(self, at_ms: int) -> str:
        """Day and minute; the year when it is another one."""
        text = self._formatted(at_ms, _SHORT[self.lang])
        if self._local(at_ms).year != self._local(self.now_ms).year:
            text = self._formatted(at_ms, "y-MM-dd HH:mm")
        return text

    def clock(self, at_ms: int) -> str:
        return self._formatted(at_ms, "HH:mm")

    def day(self, at_ms: int) -> str:
        return self._formatted(at_ms, _DAY[self.lang])

    def full(self, at_ms: int) -> str:
        return self._formatted(at_ms, _LONG[self.lang])

    def iso(self, at_ms: int) -> str:
        return self._local(at_ms).isoformat(timespec="seconds")

    def form_time(self, at_ms: int) -> str:
        """As ``<input type=datetime-local>`` has it."""
        return self._local(at_ms).strftime("%Y-%m-%dT%H:%M")

    def age(self, at_ms: int) -> str:
        seconds = (self.now_ms - at_ms) // 1000
        if seconds < -5:
            return self("age.ahead", span=self.span(-seconds * 1000))
        if seconds < 5:
            return self("age.now")
        for key, unit_s, until_s in (
            ("age.s", 1, 2 * MINUTE_S),
            ("age.min", MINUTE_S, 2 * HOUR_S),
            ("age.h", HOUR_S, 2 * DAY_S),
        ):
            if seconds < until_s:
                return self(key, n=seconds // unit_s)
        return self("age.d", n=seconds // DAY_S)

    def span(self, ms: int | float) -> str:
        seconds = max(int(ms // 1000), 0)
        if seconds < 2 * MINUTE_S:
            return self("span.s", n=seconds)
        if seconds < 2 * HOUR_S:
            return self("span.min", n=seconds // MINUTE_S)
        if seconds < 2 * DAY_S:
            hours, minutes = seconds // HOUR_S, seconds % HOUR_S // MINUTE_S
            return self("span.h_min", n=hours, m=minutes) if minutes else self("span.h", n=hours)
        days, hours = seconds // DAY_S, seconds % DAY_S // HOUR_S
        return self("span.d_h", n=days, m=hours) if hours else self("span.d", n=days)

    def shift(self, shift: Shift) -> str:
        """Which days, from when to when, and between which dates."""
        if shift.days == DAYS:
            days = self("shift.always")
        else:
            days = ("、" if self.lang == "zh" else ", ").join(
                self(f"day.{day}") for day in DAYS if day in shift.days
            )
        text = days
        if (shift.from_minute, shift.to_minute) != (0, 1440):
            over = self("shift.next_day") if shift.to_minute <= shift.from_minute else ""
            text += f" {_hours(shift.from_minute)}–{_hours(shift.to_minute)}{over}"
        if shift.first_day or shift.last_day:
            text += f" ({shift.first_day or '…'} – {shift.last_day or '…'})"
        return text

    def alarm(self, one: SystemAlarm) -> tuple[str, str, str, str]:
        """What it concerns, what is the matter in a few words and in full, and what to do."""
        kind, about = one.kind, about_words(one.about, self.lang)
        plain = kind.means[self.lang].replace("`", ""), kind.do[self.lang].replace("`", "")
        return about, kind.text[self.lang], *plain

    def number(self, value: float | int) -> str:
        return str(format_decimal(value, locale=_LOCALE[self.lang]))

    def degrees(self, value: float | None) -> str:
        return "–" if value is None else self.rounded(value, 1)

    def rounded(self, number: float, places: int) -> str:
        """Never as minus nothing."""
        return f"{round(number, places) + 0.0:.{places}f}".replace("-", "−")

    def figure(self, number: float, exact: str, unit: str) -> str:
        """A reading as a person takes it in; ``exact`` where its digits are all worth showing."""
        if (places := PLACES.get(unit)) is None:
            return exact.replace("-", "−")
        return self.rounded(number, places)

    def unit(self, unit: str) -> str:
        return UNITS.get(unit, unit)

    def quality(self, bits: int) -> str:
        """What is known against a reading, in words."""
        known = [self(f"quality.{1 << n}") for n in range(8) if bits & (1 << n)]
        return ("、" if self.lang == "zh" else ", ").join(known)


def _hours(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
