"""Which alarms were true, and how many messages a person got.

An alarm is *true* when between an hour before it began and its end some lot was outside what is
tolerated. It is *as said* when nothing was the matter with the goods, but what the rule names
was so: a door that did stand open, an operator who did forget. Everything else is *false*: a
wrong sample, the air of an opening, a defrost that nobody flagged, a silent probe.
"""

from collections import Counter
from dataclasses import dataclass, field

from bench.operation.diary import Spans
from bench.operation.month import Month
from bench.operation.rooms import Room
from bench.operation.watch import Watched
from domain.profile import level

BEFORE_MS = 3_600_000
LENGTHS_MIN = (5, 10, 20, 45)
LINKS = ("DATA_GAP_WARN", "DATA_GAP_CRIT")
WEEK_MS = 7 * 86_400_000


@dataclass
class Tally:
    """Adds up; ``alarms`` by (code, verdict). ``gravest``: text messages by the kind of room, the
    gravest of their codes, and the kind of notice."""

    rooms: int = 0
    weeks: float = 0.0
    samples: int = 0
    alarms: Counter[tuple[str, str]] = field(default_factory=Counter)
    sms: Counter[tuple[str, tuple[str, ...]]] = field(default_factory=Counter)
    sms_true: int = 0  # of an incident in which something true was told
    by_profile: Counter[tuple[str, str]] = field(default_factory=Counter)
    by_kind: Counter[tuple[str, str]] = field(default_factory=Counter)  # as by_profile
    false: Counter[tuple[str, str]] = field(default_factory=Counter)  # criticals: (kind, code)
    gravest: Counter[tuple[str, str, str]] = field(default_factory=Counter)  # of a text message
    causes: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)  # of those not true

    def add(self, other: "Tally") -> None:
        self.rooms += other.rooms
        self.weeks += other.weeks
        self.samples += other.samples
        self.sms_true += other.sms_true
        self.alarms += other.alarms
        self.sms += other.sms
        self.by_profile += other.by_profile
        self.by_kind += other.by_kind
        self.false += other.false
        self.gravest += other.gravest
        self.causes += other.causes

    @property
    def messages(self) -> int:
        return sum(self.sms.values())

    def criticals(self, *verdicts: str) -> int:
        return sum(
            n for (code, verdict), n in self.alarms.items()
            if level(code) == "critical" and verdict in verdicts
        )  # fmt: skip

    def months(self, days: int) -> float:
        return self.rooms * days / 30


def tally(month: Month, watched: Watched, from_ms: int | None = None) -> Tally:
    """Of the whole month, or of what fired and was told from an instant on."""
    since_ms = month.start_ms if from_ms is None else from_ms
    out = Tally(rooms=1, weeks=(month.until_ms - since_ms) / WEEK_MS)
    out.samples = sum(
        1 for a in month.arrivals
        if a.series.quantity.endswith("temperature") and a.arrived_ms >= since_ms
    )  # fmt: skip
    profile = month.room.kind.profile
    kind_of_room = room_kind(month.room)
    for counts, key in ((out.by_profile, profile), (out.by_kind, kind_of_room)):
        counts[key, "rooms"] = 1
    wrong: list[tuple[str, int, int | None]] = [
        (f.code, f.began_at_ms, f.cleared_at_ms)
        for f in watched.judgement.facts
        if f.code not in LINKS and f.fired_at_ms >= since_ms
    ]
    for notice in watched.notices:
        if notice.at_ms < since_ms:
            continue
        told_of = [k for _, k in notice.about if k.code in notice.codes]
        if notice.to == "operator" and notice.kind in ("raise", "past", "digest"):
            wrong += [(k.code, k.began_ms, k.cleared_ms) for k in told_of if k.code in LINKS]
        if notice.to == "operator" and notice.kind == "corrected":  # told, and never was
            wrong += [(k.code, k.began_ms, k.began_ms) for k in told_of if k.code not in LINKS]
        if notice.channel == "sms":
            out.sms[notice.kind, notice.codes] += 1
            out.by_profile[profile, "sms"] += 1
            out.by_kind[kind_of_room, "sms"] += 1
            gravest = min(notice.codes, key=lambda code: (level(code) != "critical", code))
            out.gravest[kind_of_room, gravest, notice.kind] += 1
            if any(_outside(month, k.began_ms, k.cleared_ms or notice.at_ms) for k in told_of):
                out.sms_true += 1
    for code, began_ms, cleared_ms in wrong:
        kind = verdict(month, code, began_ms, cleared_ms)
        out.alarms[code, kind] += 1
        if level(code) == "critical":
            out.by_profile[profile, kind] += 1
            out.by_kind[kind_of_room, kind] += 1
            if kind == "false":
                out.false[kind_of_room, code] += 1
        if kind != "true":
            lasted = _lasted(month, began_ms, cleared_ms)
            out.causes[profile, code, cause(month, began_ms, cleared_ms), lasted] += 1
    return out


def room_kind(room: Room) -> str:
    if room.kind.vehicle:
        return "vehicle"
    return "curtain" if room.curtain else "no curtain"


def _lasted(month: Month, began_ms: int, cleared_ms: int | None) -> str:
    minutes = ((month.until_ms if cleared_ms is None else cleared_ms) - began_ms) / 60_000
    return next((f"<= {most} min" for most in LENGTHS_MIN if minutes <= most), "longer")


def cause(month: Month, began_ms: int, cleared_ms: int | None) -> str:
    """What was going on instead. A correction has no length: the sample was a spike, or was
    taken for one."""
    around = _seconds(month, began_ms - 15 * 60_000, began_ms + 60_000)
    if _meets(month.doors, *around):
        return "load, said" if _loading(month, began_ms) else "door"
    if _meets(month.defrosts, *around):
        return "defrost"
    return "spike" if cleared_ms == began_ms else "other"


def _loading(month: Month, at_ms: int) -> bool:
    """Somebody had said that goods are carried."""
    said = [a.action for a in month.actions if a.action.kind.startswith("loading")]
    before = [action for action in said if action.at_ms <= at_ms + 60_000]
    return bool(before) and (
        before[-1].kind == "loading_started" or at_ms - before[-1].at_ms < 15 * 60_000
    ) and at_ms - before[-1].at_ms < BEFORE_MS  # fmt: skip


def verdict(month: Month, code: str, began_ms: int, cleared_ms: int | None) -> str:
    if _outside(month, began_ms, month.until_ms if cleared_ms is None else cleared_ms):
        return "true"
    if code.startswith("DOOR_OPEN"):
        stood = _meets(month.doors, *_seconds(month, began_ms, began_ms))
        return "as said" if stood else "false"
    return "as said" if code == "LOADING_TOO_LONG" else "false"


def _outside(month: Month, began_ms: int, ended_ms: int) -> bool:
    return _meets(month.outside, *_seconds(month, began_ms - BEFORE_MS, ended_ms))


def _seconds(month: Month, begin_ms: int, end_ms: int) -> tuple[float, float]:
    return (begin_ms - month.start_ms) / 1000, (end_ms - month.start_ms) / 1000


def _meets(spans: Spans, begin_s: float, end_s: float) -> bool:
    return any(begin <= end_s and end >= begin_s for begin, end in spans)
