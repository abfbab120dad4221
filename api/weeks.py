"""What a week was like, for whoever answers for the quality of the work, out of the stores.

What was switched off and by whom (alarm practice, section 5: maintenance stands here), what people
did not answer, what is still open, and the rules to think about again: nobody has to go and look
for it in five places. A week is the local Monday to Sunday.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from api.alarms import DAY_MS, Case, WhatWasSaid, cases
from api.calibration import Standing, standing
from api.drills import DrillNow, drill_now
from api.registry import Registry
from api.tuning import answered
from domain.activity import MAINTENANCE_MS, activity
from domain.reading import RoomId
from domain.tuning import FALSE_WITHIN_MS, Again, Reconsider, false_again, figures, reconsider
from store.facts import SqlFactsReader
from store.records.ports import RecordsReader, Silence
from store.room_input import actions_of

CASES_MS = 365 * DAY_MS
MONTH_MS = 30 * DAY_MS


@dataclass(frozen=True, slots=True)
class Maintenance:
    """``end``: said (somebody ended it), bound (nobody did, so it ended by itself) or running."""

    room: RoomId
    from_ms: int
    to_ms: int
    end: str
    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class Week:
    """``name``: as ISO 8601 has it, 2026-W22. ``false_again``: rules called false twice within
    seven days, the last time in this week. ``reconsider``: by the 30 days up to its end.
    ``open_cases``, ``due``: as of now. ``judged``: False without facts, and then nothing is known
    of alarms and cases."""

    name: str
    from_ms: int
    to_ms: int
    judged: bool
    critical: int
    warning: int
    acked: int  # of the critical ones
    maintenance: Sequence[Maintenance]
    silences: Sequence[Silence]
    drills: int
    unanswered: Sequence[DrillNow]
    open_cases: Sequence[Case]
    false_again: Sequence[Again]
    reconsider: Sequence[Reconsider]
    due: Sequence[tuple[Standing, RoomId]]


def week_of(text: str, zone: ZoneInfo) -> tuple[int, int]:
    """``2026-W22`` as [from, to) in the installation's zone. ``ValueError`` for what is none."""
    try:
        monday = datetime.strptime(f"{text}-1", "%G-W%V-%u").date()  # noqa: DTZ007 - a date
        return _midnight(monday, zone), _midnight(monday + timedelta(days=7), zone)
    except (ValueError, OverflowError):
        raise ValueError("not a week: give YYYY-Www, like 2026-W22") from None


def last_week(now_ms: int, zone: ZoneInfo, back: int = 1) -> str:
    """The name of the last whole week; ``back`` 0 is the one that runs."""
    today = datetime.fromtimestamp(now_ms / 1000, zone).date()
    year, number, _ = (today - timedelta(days=7 * back)).isocalendar()
    return f"{year}-W{number:02}"


def _midnight(day: date, zone: ZoneInfo) -> int:
    return int(datetime.combine(day, time(), zone).timestamp()) * 1000


def week(
    records: RecordsReader,
    facts: SqlFactsReader | None,
    registry: Registry,
    name: str,
    zone: ZoneInfo,
    now_ms: int,
) -> Week:
    """``ValueError`` for what is no week, or has not begun."""
    from_ms, to_ms = week_of(name, zone)
    if from_ms > now_ms:
        raise ValueError("it has not begun yet")
    up_to_ms = min(to_ms, now_ms + 1)
    month = answered(records, facts, (to_ms - MONTH_MS, up_to_ms)) if facts else []
    fired = [alarm for alarm in month if alarm.fired_ms >= from_ms]
    critical = [one for one in figures(fired) if one.level == "critical"]
    drills = [drill_now(one, now_ms) for one in records.drills(from_ms - 1)]
    drills = [one for one in drills if one.drill.started_ms < to_ms]
    near = [alarm for alarm in month if alarm.fired_ms >= from_ms - FALSE_WITHIN_MS]
    return Week(
        name=name,
        from_ms=from_ms,
        to_ms=to_ms,
        judged=facts is not None,
        critical=sum(one.count for one in critical),
        warning=len(fired) - sum(one.count for one in critical),
        acked=sum(one.acked for one in critical),
        maintenance=_maintenance(records, registry, (from_ms, to_ms), now_ms),
        silences=[one for one in records.silences(from_ms) if one.from_ms < to_ms],
        drills=len(drills),
        unanswered=[one for one in drills if one.state == "unanswered"],
        open_cases=_open(records, facts, up_to_ms) if facts else [],
        false_again=[a for a in false_again(near) if a.alarms[-1].fired_ms >= from_ms],
        reconsider=reconsider(month),
        due=[
            (one, room)
            for probe, room in sorted(registry.by_probe(now_ms).items())
            if (one := standing(registry, probe, now_ms)).state in ("due", "overdue")
            or one.drifted is not None
        ],
    )


def _maintenance(
    records: RecordsReader, registry: Registry, span: tuple[int, int], now_ms: int
) -> list[Maintenance]:
    """Those that reach into the span, oldest first."""
    found = []
    for room in registry.rooms:
        begun = {a.at_ms: a for a in records.actions(room) if a.kind == "maintenance_started"}
        spans = activity(actions_of(records, room, ())).maintenance if begun else ()
        for from_ms, to_ms in spans:
            if from_ms >= span[1] or to_ms <= span[0] or from_ms > now_ms:
                continue
            end = "said" if to_ms - from_ms < MAINTENANCE_MS else "bound"
            one = begun[from_ms]
            reason = str(one.detail.get("reason", ""))
            end = "running" if to_ms > now_ms else end
            found.append(Maintenance(room, from_ms, to_ms, end, reason, one.by))
    return sorted(found, key=lambda one: (one.from_ms, one.room))


def _open(records: RecordsReader, facts: SqlFactsReader, up_to_ms: int) -> list[Case]:
    """Oldest first: what has waited longest."""
    fired = facts.fired(up_to_ms - CASES_MS, up_to_ms)
    return cases(fired, WhatWasSaid(records), only_open=True)


def as_json(one: Week) -> dict[str, Any]:
    return {
        "week": one.name,
        "from_ms": one.from_ms,
        "to_ms": one.to_ms,
        "alarms": {"critical": one.critical, "warning": one.warning, "acked": one.acked}
        if one.judged
        else None,
        "maintenance": [asdict(each) for each in one.maintenance],
        "silences": [asdict(each) for each in one.silences],
        "drills": {
            "held": one.drills,
            "unanswered": [asdict(each.drill) for each in one.unanswered],
        },
        "open_cases": [
            {"alarm": c.fact.id, "room": c.fact.room, "code": c.fact.code,
             "fired_at_ms": c.fact.fired_at_ms, "person": c.said.person}
            for c in one.open_cases
        ],
        "false_again": [
            {"room": each.room, "code": each.code, "alarms": [a.id for a in each.alarms]}
            for each in one.false_again
        ],
        "reconsider": [{"code": each.figures.code, "why": each.why} for each in one.reconsider],
        "calibrations": [_due(each, room) for each, room in one.due],
    }  # fmt: skip


def _due(one: Standing, room: RoomId) -> Mapping[str, Any]:
    due_on = one.held.due_on if one.held else None
    return {
        "probe": one.probe,
        "room": room,
        "state": one.state,
        "due_on": due_on.isoformat() if due_on else None,
        "off_c": one.drifted.off / 100 if one.drifted and one.drifted.off is not None else None,
    }
