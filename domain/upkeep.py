"""What needs somebody's care and is no alarm: a certificate that runs out, a probe that a check
found off, a door that is opened again and again (alarm practice, sections 5 and 7).

Told once, in few words, to whoever looks after the room; it has no ladder and no answer.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from domain.calibration import SOON_MS, Check, Papers, drift, expires_ms, in_force
from domain.incident import DAY_MS, HOUR_MS, LOCAL_OFFSET_MS, MINUTE_MS
from domain.message import ONE_PART
from domain.template import Filled, fill

MORNING_MS = 6 * HOUR_MS + 30 * MINUTE_MS  # of the local day: with the digest
BUSY_DOOR = 20  # openings an hour


@dataclass(frozen=True, slots=True)
class Due:
    """A certificate that runs out (``CAL_DUE``). ``last``: its last day."""

    last: date
    over: bool

    code = "CAL_DUE"

    def words(self, lang: str) -> tuple[str, str]:
        day = f"{self.last:%m-%d}"
        if lang == "en":
            return (f"probe calibration {'over since' if self.over else 'ends'} {day}", "calibrate")
        return (f"探头校准{day}{'已过期' if self.over else '到期'}", "请安排校准")


@dataclass(frozen=True, slots=True)
class Off:
    """A check found the probe off by more than it may be (``SENSOR_DRIFT``); counts of 0.01."""

    by: int

    code = "SENSOR_DRIFT"

    def words(self, lang: str) -> tuple[str, str]:
        apart = f"{abs(self.by) / 100:.1f}℃"
        if lang == "en":
            high = "high" if self.by > 0 else "low"
            return (f"probe reads {apart} too {high}", "calibrate or swap")
        return (f"探头偏{'高' if self.by > 0 else '低'}{apart}", "请校准或更换")


@dataclass(frozen=True, slots=True)
class Busy:
    """So many openings within one hour of yesterday (``DOOR_BUSY``)."""

    openings: int

    code = "DOOR_BUSY"

    def words(self, lang: str) -> tuple[str, str]:
        if lang == "en":
            return (f"door opened {self.openings}x in an hour yesterday", "ask why")
        return (f"昨天1小时开门{self.openings}次", "请查原因")


Note = Due | Off | Busy


def due_since(papers: Sequence[Papers], after_ms: int, now_ms: int) -> Due | None:
    """What the probe's papers came to within (after, now]: due, or over."""
    held = in_force(papers, now_ms)
    ends_ms = expires_ms(held) if held else None
    if held is None or held.due_on is None or ends_ms is None:
        return None
    if after_ms < ends_ms <= now_ms:
        return Due(held.due_on, over=True)
    soon = after_ms < max(ends_ms - SOON_MS, held.from_ms) <= now_ms < ends_ms
    return Due(held.due_on, over=False) if soon else None


def off_now(papers: Sequence[Papers], checks: Sequence[Check]) -> Off | None:
    """By the newest check. ``checks`` oldest first."""
    by = drift(papers, checks[-1]) if checks else None
    return None if by is None else Off(by)


def busiest_hour(openings: Iterable[int]) -> int:
    """The most within any hour. Instants, oldest first."""
    within: deque[int] = deque()
    most = 0
    for at_ms in openings:
        within.append(at_ms)
        while within[0] <= at_ms - HOUR_MS:
            within.popleft()
        most = max(most, len(within))
    return most


def yesterday(now_ms: int) -> tuple[int, int]:
    """The local day before, [from, to)."""
    today = now_ms - (now_ms + LOCAL_OFFSET_MS) % DAY_MS
    return today - DAY_MS, today


def last_morning_ms(now_ms: int) -> int:
    """The newest 06:30 that is not after ``now_ms``."""
    since = (now_ms + LOCAL_OFFSET_MS - MORNING_MS) % DAY_MS
    return now_ms - since


def message(notes: Sequence[tuple[str, Note]], lang: str) -> tuple[str, Filled]:
    """One text for all of them, by place; what does not fit is counted."""
    lang = "en" if lang == "en" else "zh"
    said = [f"{place}{' ' if lang == 'en' else ''}{note.words(lang)[0]}" for place, note in notes]
    head, between = ("Cold chain note: ", "; ") if lang == "en" else ("冷链提醒:", ";")
    text = head + between.join(said)
    shown = len(said)
    while len(text) > ONE_PART and shown > 1:
        shown -= 1
        rest = len(said) - shown
        more = f"; +{rest} more" if lang == "en" else f"等{len(said)}项"
        text = head + between.join(said[:shown]) + more
    place, note = notes[0]
    what, todo = note.words(lang)
    if len(notes) > 1:
        what += f" (+{len(notes) - 1})" if lang == "en" else f"等{len(notes)}项"
    return text[:ONE_PART], fill(f"upkeep-{lang}", {"place": place, "what": what, "todo": todo})
