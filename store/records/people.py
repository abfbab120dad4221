"""Duties and what goes with them: the calendar, stopped texts, silences, drills.

Each function is the work of one transaction of the writer, with its entry in the journal.
None of them touches what a room is judged by, so their changes name no rooms.
"""

from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from domain.reading import PersonId, RoomId, SiteId
from store.records import schema as t
from store.records.errors import Refused
from store.records.journal import record
from store.records.ports import CalendarDay, ChangeNo, DrillPlan, Duty

HOUR_MS = 3_600_000


def _this(duty: Duty) -> list[Any]:
    d = t.duties.c
    return [
        d.person == duty.person, d.role == duty.role,
        d.scope_kind == duty.scope_kind, d.scope == duty.scope,
    ]  # fmt: skip


def put_duty(c: Connection, duty: Duty, by: str, now_ms: int) -> ChangeNo:
    """Given again with other shifts, these hold from now on."""
    said = asdict(duty) | {"shifts": [asdict(shift) for shift in duty.shifts]}
    before = c.execute(select(t.duties).where(*_this(duty))).first()
    if before is not None and before.shifts == said["shifts"]:
        return ChangeNo(before.m)
    m = record(c, "duty", duty.person, by, now_ms)
    if before is None:
        c.execute(insert(t.duties).values(m=m, **said))
    else:
        c.execute(update(t.duties).where(*_this(duty)).values(m=m, shifts=said["shifts"]))
    return m


def end_duty(c: Connection, duty: Duty, by: str, now_ms: int) -> ChangeNo:
    subject = f"{duty.person} {duty.role} {duty.scope_kind}:{duty.scope}"
    if c.scalar(select(t.duties.c.m).where(*_this(duty))) is None:
        j = t.changes.c
        ended = c.scalar(select(func.max(j.m)).where(j.kind == "duty_end", j.subject == subject))
        if ended is None:
            raise Refused("person", "has no such duty")
        return ChangeNo(ended)
    m = record(c, "duty_end", subject, by, now_ms)
    c.execute(delete(t.duties).where(*_this(duty)))
    return m


def put_day(c: Connection, day: CalendarDay, by: str, now_ms: int) -> ChangeNo:
    this = t.calendar.c.day == day.day
    before = c.execute(select(t.calendar).where(this)).first()
    if before is not None and before._asdict() == {**asdict(day), "m": before.m}:
        return ChangeNo(before.m)
    m = record(c, "calendar", day.day, by, now_ms)
    if before is None:
        c.execute(insert(t.calendar).values(m=m, **asdict(day)))
    else:
        c.execute(update(t.calendar).where(this).values(m=m, **asdict(day)))
    return m


def take_day(c: Connection, day: str, by: str, now_ms: int) -> ChangeNo:
    if c.scalar(select(t.calendar.c.m).where(t.calendar.c.day == day)) is None:
        raise Refused("day", "is not in the calendar")
    m = record(c, "calendar", day, by, now_ms)
    c.execute(delete(t.calendar).where(t.calendar.c.day == day))
    return m


def stop_texts(c: Connection, person: PersonId, at_ms: int, by: str, now_ms: int) -> ChangeNo:
    before = c.scalar(select(t.texts_stopped.c.m).where(t.texts_stopped.c.person == person))
    if before is not None:
        return ChangeNo(before)
    m = record(c, "texts", f"{person} stopped", by, now_ms)
    c.execute(insert(t.texts_stopped).values(person=person, at_ms=at_ms, m=m))
    return m


def allow_texts(c: Connection, person: PersonId, by: str, now_ms: int) -> ChangeNo:
    this = t.texts_stopped.c.person == person
    subject = f"{person} allowed"
    if c.scalar(select(t.texts_stopped.c.m).where(this)) is None:
        j = t.changes.c
        allowed = c.scalar(select(func.max(j.m)).where(j.kind == "texts", j.subject == subject))
        if allowed is None:
            raise Refused("person", "has not had the texts stopped")
        return ChangeNo(allowed)
    m = record(c, "texts", subject, by, now_ms)
    c.execute(delete(t.texts_stopped).where(this))
    return m


def silence(
    c: Connection, id: str, room: RoomId, code: str, reason: str, hours: int, by: str, now_ms: int
) -> ChangeNo:
    before = c.execute(select(t.silences).where(t.silences.c.id == id)).first()
    if before is not None:
        if (before.room, before.code) != (room, code):
            raise Refused("id", "already names another silence")
        return ChangeNo(before.m)
    m = record(c, "silence", f"{room} {code}", by, now_ms)
    c.execute(
        insert(t.silences).values(
            id=id, room=room, code=code, reason=reason, from_ms=now_ms,
            to_ms=now_ms + hours * HOUR_MS, by=by, m=m,
        )
    )  # fmt: skip
    return m


def end_silence(c: Connection, id: str, by: str, now_ms: int) -> ChangeNo:
    """Repeated, or after its own end, it answers with the change before."""
    before = c.execute(select(t.silences).where(t.silences.c.id == id)).first()
    if before is None:
        raise Refused("id", "there is no such silence")
    if before.to_ms <= now_ms:
        return ChangeNo(before.m)
    m = record(c, "silence", f"{before.room} {before.code} ended", by, now_ms)
    c.execute(update(t.silences).where(t.silences.c.id == id).values(to_ms=now_ms, m=m))
    return m


def start_drill(c: Connection, id: str, site: SiteId, by: str, now_ms: int) -> ChangeNo:
    before = c.execute(select(t.drills).where(t.drills.c.id == id)).first()
    if before is not None:
        if before.site != site:
            raise Refused("id", "already names another drill")
        return ChangeNo(before.m)
    m = record(c, "drill", id, by, now_ms)
    c.execute(
        insert(t.drills).values(
            id=id, site=site, started_ms=now_ms, started_by=by, answered_ms=None,
            answered_by="", channel="", m=m,
        )
    )  # fmt: skip
    return m


def answer_drill(
    c: Connection, id: str, at_ms: int, channel: str, by: str, now_ms: int
) -> ChangeNo:
    before = c.execute(select(t.drills).where(t.drills.c.id == id)).first()
    if before is None:
        raise Refused("drill", f"unknown: {id[:64]!r}")
    if before.answered_ms is not None:
        return ChangeNo(before.m)
    if at_ms < before.started_ms:
        raise Refused("at", "before the drill began")
    m = record(c, "drill", id, by, now_ms)
    said = {"answered_ms": at_ms, "answered_by": by, "channel": channel, "m": m}
    c.execute(update(t.drills).where(t.drills.c.id == id).values(**said))
    return m


def put_drill_plan(c: Connection, plan: DrillPlan | None, by: str, now_ms: int) -> ChangeNo:
    before = c.execute(select(t.drill_plan)).first()
    if before is not None and plan == DrillPlan(before.day, before.minute):
        return ChangeNo(before.m)
    m = record(c, "drill_plan", "none" if plan is None else f"{plan.day} {plan.minute}", by, now_ms)
    c.execute(delete(t.drill_plan))
    if plan is not None:
        c.execute(insert(t.drill_plan).values(one=1, m=m, **asdict(plan)))
    return m
