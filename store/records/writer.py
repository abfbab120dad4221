"""Writing ``records.db``: each call one transaction, with its entry in the changes journal.

``m`` is taken inside the transaction, under SQLite's write lock, so the journal has no
holes and its order is the order of commits. Other processes only read; a commit that
finds them in the way is tried again.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, TypeVar

import stamina
from sqlalchemy import Connection, Engine, Table, func, insert, select, update
from sqlalchemy.exc import OperationalError

from domain.calibration import Check, Papers
from domain.commodity import COMMODITIES
from domain.judgement import Rule
from domain.profile import Impossible, resolve
from domain.reading import PersonId, ProbeId, RoomId, SiteId
from store.records import capture, checks, people
from store.records import schema as t
from store.records.errors import Refused
from store.records.journal import record, record_action
from store.records.ports import (
    CalendarDay,
    ChangeNo,
    DrillPlan,
    Duty,
    Lot,
    NamedAlarm,
    Person,
    Region,
    Room,
    Site,
)
from store.records.reader import SqlRecordsReader

T = TypeVar("T")


def _busy(error: Exception) -> bool:
    return isinstance(error, OperationalError) and "locked" in str(error.orig)


class SqlRecords(SqlRecordsReader):
    """``store.records.ports.Records``. Threads may share it: one writes at a time."""

    def __init__(self, engine: Engine, release: Callable[[], None]) -> None:
        super().__init__(engine)
        self._release = release
        self._lock = threading.Lock()

    def close(self) -> None:
        super().close()
        self._release()

    def _write(self, work: Callable[[Connection], T]) -> T:
        with self._lock:
            for attempt in stamina.retry_context(on=_busy, attempts=5, wait_max=1.0):
                with attempt, self._engine.begin() as connection:
                    return work(connection)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def put_region(self, region: Region, *, by: str, now_ms: int) -> ChangeNo:
        checks.region(region)

        def work(c: Connection) -> ChangeNo:
            above = region.parent
            while above is not None:
                if above == region.id:
                    raise Refused("parent", "a region cannot lie within itself")
                above = _need(c, t.regions, "parent", above).parent
            return _put(c, t.regions, region, by, now_ms)

        return self._write(work)

    def put_site(self, site: Site, *, by: str, now_ms: int) -> ChangeNo:
        checks.site(site)

        def work(c: Connection) -> ChangeNo:
            _need(c, t.regions, "region", site.region)
            return _put(c, t.sites, site, by, now_ms)

        return self._write(work)

    def put_room(self, room: Room, *, by: str, now_ms: int) -> ChangeNo:
        checks.room(room)

        def work(c: Connection) -> ChangeNo:
            _need(c, t.sites, "site", room.site)
            return _put(c, t.rooms, room, by, now_ms)

        return self._write(work)

    def assign(
        self, probe: ProbeId, room: RoomId, from_ms: int, *, by: str, now_ms: int
    ) -> ChangeNo:
        """Ends the probe's assignment that holds at ``from_ms``; ends itself where the probe's
        next one begins. Where the probe already measures that room, nothing changes."""
        checks.probe(probe)
        checks.instant("from_ms", from_ms)

        def work(c: Connection) -> ChangeNo:
            _need(c, t.rooms, "room", room)
            return _assign(c, probe, room, from_ms, by, now_ms)

        return self._write(work)

    def unassign(self, probe: ProbeId, at_ms: int, *, by: str, now_ms: int) -> ChangeNo:
        """Repeated, it answers with the change that ended the assignment."""
        checks.instant("at_ms", at_ms)
        a = t.assignments.c

        def work(c: Connection) -> ChangeNo:
            held = _held(c, probe, at_ms)
            if held is None:
                ended = c.scalar(
                    select(a.ended_by_m).where(a.probe == probe, a.to_ms == at_ms).limit(1)
                )
                if ended is None:
                    raise Refused("probe", "not assigned at that time")
                return ChangeNo(ended)
            return _unassign(c, held, at_ms, by, now_ms)

        return self._write(work)

    def swap(self, old: ProbeId, new: ProbeId, at_ms: int, *, by: str, now_ms: int) -> ChangeNo:
        """Repeated, it answers with the change that gave the new probe its room."""
        checks.probe(new)
        checks.instant("at_ms", at_ms)
        if old == new:
            raise Refused("new", "is the probe that it replaces")
        a = t.assignments.c

        def work(c: Connection) -> ChangeNo:
            held = _held(c, old, at_ms)
            if held is None:
                left = c.scalar(
                    select(a.room).where(a.probe == old, a.to_ms == at_ms).order_by(a.m.desc())
                )
                there = _held(c, new, at_ms)
                if left is None or there is None or there.room != left:
                    raise Refused("old", "not assigned at that time")
                return ChangeNo(there.m)
            _unassign(c, held, at_ms, by, now_ms)
            return _assign(c, new, RoomId(held.room), at_ms, by, now_ms)

        return self._write(work)

    def put_papers(self, papers: Papers, *, by: str, now_ms: int) -> ChangeNo:
        """Touches the rooms that the probe measures from then on."""
        checks.papers(papers)
        p, a = t.probe_papers.c, t.assignments.c
        said = {
            **asdict(papers),
            "due_on": None if papers.due_on is None else papers.due_on.isoformat(),
            "offset_c": str(papers.offset_c),
        }

        def work(c: Connection) -> ChangeNo:
            before = c.execute(
                select(t.probe_papers)
                .where(p.probe == papers.probe, p.from_ms == papers.from_ms)
                .order_by(p.m.desc())
                .limit(1)
            ).first()
            if before is not None and all(before._asdict()[k] == v for k, v in said.items()):
                return ChangeNo(before.m)
            later = a.to_ms.is_(None) | (a.to_ms > papers.from_ms)
            rooms = c.scalars(select(a.room).where(a.probe == papers.probe, later).distinct())
            touched = tuple(RoomId(room) for room in sorted(rooms))
            m = record(c, "papers", papers.probe, by, now_ms, rooms=touched, from_ms=papers.from_ms)
            c.execute(insert(t.probe_papers).values(m=m, **said))
            return m

        return self._write(work)

    def add_check(self, id: str, probe: ProbeId, check: Check, *, by: str, now_ms: int) -> ChangeNo:
        checks.text("id", id)
        checks.probe(probe)
        checks.check(check)

        def work(c: Connection) -> ChangeNo:
            before = c.execute(select(t.probe_checks).where(t.probe_checks.c.id == id)).first()
            if before is not None:
                if before.probe != probe:
                    raise Refused("id", "already names another check")
                return ChangeNo(before.m)
            m = record(c, "check", probe, by, now_ms, from_ms=check.at_ms)
            c.execute(
                insert(t.probe_checks).values(
                    id=id, probe=probe, by=by, recorded_at_ms=now_ms, m=m, **asdict(check)
                )
            )
            return m

        return self._write(work)

    def add_rule(
        self,
        room: RoomId,
        from_ms: int,
        profile: str,
        commodities: Sequence[str],
        interval_s: int,
        overrides: Mapping[str, Any],
        *,
        by: str,
        now_ms: int,
    ) -> ChangeNo:
        checks.instant("from_ms", from_ms)
        new = Rule(room, from_ms, profile, tuple(commodities), interval_s, overrides)
        _possible(new)
        said = {
            "room": room, "from_ms": from_ms, "profile": profile,
            "commodities": list(commodities), "interval_s": interval_s,
            "overrides": dict(overrides),
        }  # fmt: skip
        r = t.rules.c

        def work(c: Connection) -> ChangeNo:
            _need(c, t.rooms, "room", room)
            before = c.execute(
                select(t.rules)
                .where(r.room == room, r.from_ms == from_ms)
                .order_by(r.m.desc())
                .limit(1)
            ).first()
            if before is not None and all(before._asdict()[k] == v for k, v in said.items()):
                return ChangeNo(before.m)
            _changes_possible(c, new)
            m = record(c, "rule", room, by, now_ms, rooms=(room,), from_ms=from_ms)
            c.execute(insert(t.rules).values(m=m, recorded_at_ms=now_ms, by=by, **said))
            return m

        return self._write(work)

    def add_action(
        self,
        id: str,
        room: RoomId,
        kind: str,
        at_ms: int,
        by: str,
        detail: Mapping[str, Any],
        *,
        now_ms: int,
    ) -> ChangeNo:
        checks.text("id", id)
        checks.instant("at_ms", at_ms)
        checks.action(kind, detail)

        def work(c: Connection) -> ChangeNo:
            _need(c, t.rooms, "room", room)
            before = c.execute(select(t.actions).where(t.actions.c.id == id)).first()
            if before is not None:
                if (before.room, before.kind) != (room, kind):
                    raise Refused("id", "already names another action")
                return ChangeNo(before.m)
            if kind == "rule_changed":
                _overrides_possible(c, room, at_ms, detail["overrides"])
            return record_action(c, id, room, kind, at_ms, detail, by=by, now_ms=now_ms)

        return self._write(work)

    def put_person(self, person: Person, *, by: str, now_ms: int) -> ChangeNo:
        checks.person(person)
        return self._write(lambda c: _put(c, t.people, person, by, now_ms))

    def put_duty(self, duty: Duty, *, by: str, now_ms: int) -> ChangeNo:
        checks.duty(duty)
        homes = {"region": t.regions, "site": t.sites, "room": t.rooms}

        def work(c: Connection) -> ChangeNo:
            _need(c, t.people, "person", duty.person)
            _need(c, homes[duty.scope_kind], "scope", duty.scope)
            return people.put_duty(c, duty, by, now_ms)

        return self._write(work)

    def end_duty(self, duty: Duty, *, by: str, now_ms: int) -> ChangeNo:
        """Repeated, it answers with the change that ended the duty."""
        checks.duty(duty)
        return self._write(lambda c: people.end_duty(c, duty, by, now_ms))

    def put_day(self, day: CalendarDay, *, by: str, now_ms: int) -> ChangeNo:
        checks.calendar_day(day)
        return self._write(lambda c: people.put_day(c, day, by, now_ms))

    def take_day(self, day: str, *, by: str, now_ms: int) -> ChangeNo:
        checks.iso_day("day", day)
        return self._write(lambda c: people.take_day(c, day, by, now_ms))

    def stop_texts(self, person: PersonId, at_ms: int, *, by: str, now_ms: int) -> ChangeNo:
        checks.instant("at_ms", at_ms)

        def work(c: Connection) -> ChangeNo:
            _need(c, t.people, "person", person)
            return people.stop_texts(c, person, at_ms, by, now_ms)

        return self._write(work)

    def allow_texts(self, person: PersonId, *, by: str, now_ms: int) -> ChangeNo:
        return self._write(lambda c: people.allow_texts(c, person, by, now_ms))

    def silence(
        self, id: str, room: RoomId, code: str, reason: str, hours: int, *, by: str, now_ms: int
    ) -> ChangeNo:
        checks.text("id", id)
        checks.silence(code, reason, hours)

        def work(c: Connection) -> ChangeNo:
            _need(c, t.rooms, "room", room)
            return people.silence(c, id, room, code, reason, hours, by, now_ms)

        return self._write(work)

    def end_silence(self, id: str, *, by: str, now_ms: int) -> ChangeNo:
        return self._write(lambda c: people.end_silence(c, id, by, now_ms))

    def start_drill(self, id: str, site: SiteId, *, by: str, now_ms: int) -> ChangeNo:
        checks.text("id", id)

        def work(c: Connection) -> ChangeNo:
            _need(c, t.sites, "site", site)
            return people.start_drill(c, id, site, by, now_ms)

        return self._write(work)

    def answer_drill(self, id: str, at_ms: int, channel: str, *, by: str, now_ms: int) -> ChangeNo:
        checks.instant("at", at_ms)
        checks.one_of("channel", channel, ("sms", "console", "api"))
        return self._write(lambda c: people.answer_drill(c, id, at_ms, channel, by, now_ms))

    def put_drill_plan(self, plan: DrillPlan | None, *, by: str, now_ms: int) -> ChangeNo:
        if plan is not None:
            checks.drill_plan(plan)
        return self._write(lambda c: people.put_drill_plan(c, plan, by, now_ms))

    def add_lot(self, lot: Lot, *, by: str, now_ms: int) -> ChangeNo:
        checks.lot(lot)
        if lot.commodity not in COMMODITIES:
            raise Refused("commodity", f"unknown: {lot.commodity[:64]!r}")

        def work(c: Connection) -> ChangeNo:
            before = c.execute(select(t.lots).where(t.lots.c.id == lot.id)).first()
            if before is not None and before._asdict() != {**asdict(lot), "m": before.m}:
                raise Refused("id", "already names another lot")
            taken = c.scalar(select(t.lots.c.id).where(t.lots.c.code == lot.code))
            if taken not in (None, lot.id):
                raise Refused("code", "already names another lot")
            return _put(c, t.lots, lot, by, now_ms)

        return self._write(work)

    def capture(
        self, events: Sequence[Mapping[str, Any]], *, by: str, now_ms: int
    ) -> list[ChangeNo]:
        return self._write(lambda c: capture.capture(c, events, by=by, now_ms=now_ms))

    def say_of_case(
        self, alarm: NamedAlarm, said: Mapping[str, Any], *, by: str, now_ms: int
    ) -> ChangeNo:
        checks.text("alarm", alarm.id)
        checks.case(said)
        n = t.case_notes.c

        def work(c: Connection) -> ChangeNo:
            _need(c, t.rooms, "room", alarm.room)
            before = c.execute(
                select(t.case_notes)
                .where(n.room == alarm.room, n.code == alarm.code, n.by == by)
                .where(n.from_ms < alarm.to_ms, n.to_ms > alarm.from_ms)
                .order_by(n.m.desc())
                .limit(1)
            ).first()
            if before is not None and before.said == dict(said):
                return ChangeNo(before.m)
            m = record(c, "case", alarm.id, by, now_ms)
            c.execute(
                insert(t.case_notes).values(
                    m=m, fact_id=alarm.id, said=dict(said), by=by, recorded_at_ms=now_ms,
                    **_name(alarm),
                )
            )  # fmt: skip
            return m

        return self._write(work)

    def settle_cases(self, find: Callable[[str], NamedAlarm | None]) -> int:
        n = t.case_notes.c
        with self._engine.connect() as connection:
            unnamed = connection.scalars(select(n.fact_id).distinct().where(n.code.is_(None))).all()
        found = {id: alarm for id in unnamed if (alarm := find(id)) is not None}

        def work(c: Connection) -> int:
            for id, alarm in found.items():
                mine = (n.fact_id == id) & n.code.is_(None)
                c.execute(update(t.case_notes).where(mine).values(**_name(alarm)))
            return len(found)

        return self._write(work) if found else 0


def _name(alarm: NamedAlarm) -> dict[str, Any]:
    return {
        "room": alarm.room, "code": alarm.code, "from_ms": alarm.from_ms, "to_ms": alarm.to_ms,
    }  # fmt: skip


def _need(c: Connection, table: Table, field: str, id: str) -> Any:
    row = c.execute(select(table).where(table.c.id == id)).first()
    if row is None:
        raise Refused(field, f"unknown: {id[:64]!r}")
    return row


def _put(
    c: Connection, table: Table, value: Region | Site | Room | Person | Lot, by: str, now_ms: int
) -> ChangeNo:
    """The row as it is now said to be; the change that said so first when nothing differs."""
    columns = asdict(value)
    if isinstance(value, Person):
        columns["channels"] = list(value.channels)  # as JSON gives it back
    before = c.execute(select(table).where(table.c.id == value.id)).first()
    if before is not None and before._asdict() == {**columns, "m": before.m}:
        return ChangeNo(before.m)
    m = record(c, type(value).__name__.lower(), value.id, by, now_ms)
    if before is None:
        c.execute(insert(table).values(m=m, **columns))
    else:
        c.execute(update(table).where(table.c.id == value.id).values(m=m, **columns))
    return m


def _held(c: Connection, probe: str, at_ms: int) -> Any:
    a = t.assignments.c
    return c.execute(
        select(t.assignments)
        .where(a.probe == probe, a.from_ms <= at_ms, a.to_ms.is_(None) | (a.to_ms > at_ms))
        .order_by(a.m.desc())
        .limit(1)
    ).first()


def _assign(
    c: Connection, probe: str, room: RoomId, from_ms: int, by: str, now_ms: int
) -> ChangeNo:
    a = t.assignments.c
    held = _held(c, probe, from_ms)
    if held is not None and held.room == room:
        return ChangeNo(held.m)
    following = c.scalar(
        select(func.min(a.from_ms)).where(
            a.probe == probe,
            a.from_ms > from_ms,
            a.to_ms.is_(None) | (a.to_ms > a.from_ms),
        )
    )
    touched = (room,) if held is None else (room, RoomId(held.room))
    m = record(c, "assignment", probe, by, now_ms, rooms=touched, from_ms=from_ms)
    if held is not None:
        _end(c, held.m, from_ms, m)
    c.execute(
        insert(t.assignments).values(m=m, probe=probe, room=room, from_ms=from_ms, to_ms=following)
    )
    return m


def _unassign(c: Connection, held: Any, at_ms: int, by: str, now_ms: int) -> ChangeNo:
    rooms = (RoomId(held.room),)
    m = record(c, "assignment", held.probe, by, now_ms, rooms=rooms, from_ms=at_ms)
    _end(c, held.m, at_ms, m)
    return m


def _end(c: Connection, held_m: int, at_ms: int, m: int) -> None:
    mine = t.assignments.c.m == held_m
    c.execute(update(t.assignments).where(mine).values(to_ms=at_ms, ended_by_m=m))


def _possible(rule: Rule) -> None:
    try:
        resolve(rule)
    except Impossible as error:
        raise Refused(error.field, error.reason) from error


def _changes_possible(c: Connection, new: Rule) -> None:
    """A rule that is recorded late also rules what people changed meanwhile; were one of those
    changes impossible under it, the room could not be judged any more."""
    r, a = t.rules.c, t.actions.c
    others = c.scalars(select(r.from_ms).where(r.room == new.id, r.from_ms != new.from_ms)).all()
    end_ms = min((at for at in others if at > new.from_ms), default=None)
    query = select(t.actions).where(a.room == new.id, a.kind == "rule_changed")
    if any(at < new.from_ms for at in others):  # the first rule holds from the beginning of time
        query = query.where(a.at_ms >= new.from_ms)
    if end_ms is not None:
        query = query.where(a.at_ms < end_ms)
    for change in c.execute(query.order_by(a.at_ms, a.m)):
        try:
            resolve(replace(new, overrides=change.detail["overrides"]))
        except Impossible as error:
            raise Refused(error.field, f"{error.reason}; action {change.id} changes it") from error


def _overrides_possible(
    c: Connection, room: RoomId, at_ms: int, overrides: Mapping[str, Any]
) -> None:
    """``rule_changed`` replaces the overrides of the rule that holds at that moment."""
    r = t.rules.c
    held = c.execute(
        select(t.rules)
        .where(r.room == room)
        .order_by((r.from_ms <= at_ms).desc(), r.from_ms.desc(), r.m.desc())
        .limit(1)
    ).first()
    if held is None:
        raise Refused("room", "has no rule to change")
    commodities = tuple(held.commodities)
    _possible(Rule("", at_ms, held.profile, commodities, held.interval_s, overrides))
