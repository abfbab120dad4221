"""Reading ``records.db``: pages of at most 1,000 rows, a connection for each.

Nothing here holds the file open between two pages, because with the rollback journal a
reader that stays keeps the writer from committing.
"""

from collections.abc import Callable, Mapping, Sequence, Set
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar

from sqlalchemy import Column, Engine, Row, Select, and_, func, or_, select, tuple_
from sqlalchemy.exc import OperationalError

from domain.calibration import Check, Papers
from domain.reading import LotId, PersonId, ProbeId, RoomId, SiteId
from domain.roster import Shift
from store.errors import NotReady
from store.records import schema as t
from store.records.ports import (
    ROLES,
    Assignment,
    CalendarDay,
    Change,
    ChangeNo,
    Contact,
    Drill,
    DrillPlan,
    Duty,
    EpcisEvent,
    Lot,
    Person,
    RecordedAction,
    RecordedCheck,
    Region,
    Room,
    RuleVersion,
    Silence,
    Site,
)

PAGE_ROWS = 1_000

T = TypeVar("T")


class SqlRecordsReader:
    """``store.records.ports.RecordsReader`` over one engine; safe to share between threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def close(self) -> None:
        self._engine.dispose()

    def _page(self, query: Select[Any]) -> list[Row[Any]]:
        try:
            with self._engine.connect() as connection:
                return list(connection.execute(query.limit(PAGE_ROWS)))
        except OperationalError as error:
            if "unable to open" in str(error) or "no such table" in str(error):
                raise NotReady(str(error.orig)) from error
            raise

    def _all(
        self, query: Select[Any], make: Callable[[Row[Any]], T], *order: "Column[Any]"
    ) -> list[T]:
        """Every row, in ``order`` (unique together), page after page."""
        found: list[T] = []
        page = self._page(query.order_by(*order))
        while page:
            found += map(make, page)
            if len(page) < PAGE_ROWS:
                break
            last = tuple(page[-1]._asdict()[column.name] for column in order)
            page = self._page(query.where(tuple_(*order) > last).order_by(*order))
        return found

    def _one(self, query: Select[Any], make: Callable[[Row[Any]], T]) -> T | None:
        rows = self._page(query)
        return make(rows[0]) if rows else None

    def store_id(self) -> str:
        rows = self._page(select(t.about.c.value).where(t.about.c.key == "store_id"))
        return str(rows[0].value)

    def last_change(self) -> ChangeNo:
        return ChangeNo(self._page(select(func.coalesce(func.max(t.changes.c.m), 0)))[0][0])

    def changes(self, after: int, limit: int = 500) -> list[Change]:
        query = select(t.changes).where(t.changes.c.m > after, t.changes.c.m <= after + limit)
        return self._all(query, _change, t.changes.c.m)

    def regions(self) -> list[Region]:
        return self._all(select(t.regions), region, t.regions.c.id)

    def sites(self) -> list[Site]:
        return self._all(select(t.sites), site, t.sites.c.id)

    def rooms(self) -> list[Room]:
        return self._all(select(t.rooms), room, t.rooms.c.id)

    def assignments(self, room: RoomId | None = None) -> list[Assignment]:
        """By (probe, from). One that a correction left without any time is not listed."""
        a = t.assignments.c
        query = select(t.assignments).where(a.to_ms.is_(None) | (a.to_ms > a.from_ms))
        if room is not None:
            query = query.where(a.room == room)
        return self._all(query, assignment, a.probe, a.from_ms, a.m)

    def papers(self, probe: ProbeId | None = None) -> list[Papers]:
        """By (probe, from); of two from the same instant, those recorded last."""
        p = t.probe_papers.c
        query = select(t.probe_papers)
        if probe is not None:
            query = query.where(p.probe == probe)
        found = self._all(query, papers, p.probe, p.from_ms, p.m)
        return list({(each.probe, each.from_ms): each for each in found}.values())

    def checks(self, probe: ProbeId | None = None) -> list[RecordedCheck]:
        k = t.probe_checks.c
        query = select(t.probe_checks)
        if probe is not None:
            query = query.where(k.probe == probe)
        return self._all(query, check, k.probe, k.at_ms, k.m)

    def rules(self, room: RoomId) -> list[RuleVersion]:
        """Oldest first; of two from the same instant, the one recorded last."""
        query = select(t.rules).where(t.rules.c.room == room)
        found = self._all(query, rule, t.rules.c.from_ms, t.rules.c.m)
        return list({version.from_ms: version for version in found}.values())

    def actions(self, room: RoomId, upto_m: int | None = None) -> list[RecordedAction]:
        query = select(t.actions).where(t.actions.c.room == room)
        if upto_m is not None:
            query = query.where(t.actions.c.m <= upto_m)
        return self._all(query, action, t.actions.c.at_ms, t.actions.c.m)

    def people(self) -> list[Person]:
        return self._all(select(t.people), person, t.people.c.id)

    def duties(self) -> list[Duty]:
        d = t.duties.c
        return self._all(select(t.duties), duty, d.person, d.role, d.scope_kind, d.scope)

    def contacts(self, room: RoomId) -> list[Contact]:
        """The ladder in order; a person with one role by two scopes stands there once, on duty
        by either."""
        scopes, d = self._scopes(room), t.duties.c
        one_of = or_(*(and_(d.scope_kind == kind, d.scope == scope) for kind, scope in scopes))
        duties = self._all(
            select(t.duties).where(one_of), duty, d.person, d.role, d.scope_kind, d.scope
        )
        of_them = t.people.c.id.in_(sorted({one.person for one in duties}))
        people = {
            one.id: one for one in self._all(select(t.people).where(of_them), person, t.people.c.id)
        }
        still = [one for one in duties if one.person in people]  # some may have gone in between
        return on_ladder(still, people, scopes)

    def calendar(self) -> list[CalendarDay]:
        return self._all(select(t.calendar), calendar_day, t.calendar.c.day)

    def texts_stopped(self) -> Mapping[PersonId, int]:
        rows = self._all(select(t.texts_stopped), lambda row: row, t.texts_stopped.c.person)
        return {PersonId(row.person): row.at_ms for row in rows}

    def silences(self, after_ms: int = 0) -> list[Silence]:
        s = t.silences.c
        return self._all(select(t.silences).where(s.to_ms > after_ms), silence, s.from_ms, s.m)

    def drills(self, after_ms: int = 0) -> list[Drill]:
        d = t.drills.c
        query = select(t.drills).where(d.started_ms > after_ms)
        return self._all(query, drill, d.started_ms, d.id)

    def drill(self, id: str) -> Drill | None:
        return self._one(select(t.drills).where(t.drills.c.id == id), drill)

    def drill_plan(self) -> DrillPlan | None:
        return self._one(select(t.drill_plan), lambda row: DrillPlan(row.day, row.minute))

    def _scopes(self, room: RoomId) -> set[tuple[str, str]]:
        found = {("room", str(room))}
        home = self._one(
            select(t.sites.c.id, t.sites.c.region)
            .join(t.rooms, t.rooms.c.site == t.sites.c.id)
            .where(t.rooms.c.id == room),
            lambda row: (str(row.id), str(row.region)),
        )
        if home is None:
            return found
        found.add(("site", home[0]))
        parents = {one.id: one.parent for one in self.regions()}
        above: str | None = home[1]
        while above is not None:
            found.add(("region", above))
            above = parents[above]
        return found

    def lots(self) -> list[Lot]:
        return self._all(select(t.lots), lot, t.lots.c.created_at_ms, t.lots.c.id)

    def lot(self, id: LotId) -> Lot | None:
        return self._one(select(t.lots).where(t.lots.c.id == id), lot)

    def lot_by_code(self, code: str) -> Lot | None:
        return self._one(select(t.lots).where(t.lots.c.code == code), lot)

    def epcis_events(self, after_m: int = 0, limit: int = 500) -> list[EpcisEvent]:
        e = t.epcis_events.c
        query = select(t.epcis_events).where(e.m > after_m).order_by(e.m)
        rows = self._page(query.limit(min(limit, PAGE_ROWS)))
        return [epcis_event(row) for row in rows[:limit]]

    def cases(self, room: RoomId | None = None) -> list[Mapping[str, Any]]:
        query = select(t.case_notes)
        if room is not None:
            query = query.where(t.case_notes.c.room == room)
        return self._all(query, _case, t.case_notes.c.m)[::-1]


def on_ladder(
    duties: Sequence[Duty], people: Mapping[PersonId, Person], scopes: Set[tuple[str, str]]
) -> list[Contact]:
    """Whose duties are for one of the scopes, in the ladder's order."""
    held: dict[tuple[str, PersonId], list[tuple[Shift, ...]]] = {}
    for d in duties:
        if (d.scope_kind, d.scope) in scopes:
            held.setdefault((d.role, d.person), []).append(d.shifts)
    return [
        Contact(people[who], role, sum(shifts, ()) if all(shifts) else ())
        for (role, who), shifts in sorted(
            held.items(), key=lambda one: (ROLES.index(one[0][0]), one[0][1])
        )
    ]


def _change(row: Row[Any]) -> Change:
    rooms = tuple(map(RoomId, row.rooms))
    return Change(
        ChangeNo(row.m), row.kind, rooms, row.from_ms, row.recorded_at_ms, row.by, row.subject
    )


def _case(row: Row[Any]) -> Mapping[str, Any]:
    return row._asdict()


def region(row: Row[Any]) -> Region:
    return Region(row.id, row.parent, row.kind, row.name_zh, row.name_en)


def site(row: Row[Any]) -> Site:
    return Site(
        SiteId(row.id), row.region, row.kind, row.name_zh, row.name_en, row.gateway, row.lat, row.lon
    )  # fmt: skip


def room(row: Row[Any]) -> Room:
    return Room(
        RoomId(row.id), SiteId(row.site), row.kind, row.name_zh, row.name_en, row.operator, row.owner
    )  # fmt: skip


def assignment(row: Row[Any]) -> Assignment:
    return Assignment(ProbeId(row.probe), RoomId(row.room), row.from_ms, row.to_ms, ChangeNo(row.m))


def papers(row: Row[Any]) -> Papers:
    due_on = None if row.due_on is None else date.fromisoformat(row.due_on)
    return Papers(
        row.probe, row.from_ms, row.serial, row.certificate, due_on, Decimal(row.offset_c), row.lag_s
    )  # fmt: skip


def check(row: Row[Any]) -> RecordedCheck:
    return RecordedCheck(
        row.id, ProbeId(row.probe), Check(row.at_ms, row.shown, row.reference), row.by,
        row.recorded_at_ms, ChangeNo(row.m),
    )  # fmt: skip


def rule(row: Row[Any]) -> RuleVersion:
    return RuleVersion(
        RoomId(row.room), row.from_ms, row.profile, tuple(row.commodities), row.interval_s,
        row.overrides, row.recorded_at_ms, row.by, ChangeNo(row.m),
    )  # fmt: skip


def action(row: Row[Any]) -> RecordedAction:
    return RecordedAction(
        row.id, RoomId(row.room), row.kind, row.at_ms, row.by, row.recorded_at_ms, row.detail,
        ChangeNo(row.m),
    )  # fmt: skip


def person(row: Row[Any]) -> Person:
    return Person(
        PersonId(row.id), row.name, row.phone, row.lang, row.quiet_hours, tuple(row.channels)
    )


def duty(row: Row[Any]) -> Duty:
    shifts = tuple(Shift(**one) for one in row.shifts)
    return Duty(PersonId(row.person), row.role, row.scope_kind, row.scope, shifts)


def calendar_day(row: Row[Any]) -> CalendarDay:
    return CalendarDay(row.day, row.counts_as, row.name)


def silence(row: Row[Any]) -> Silence:
    return Silence(
        row.id, RoomId(row.room), row.code, row.reason, row.from_ms, row.to_ms, row.by,
        ChangeNo(row.m),
    )  # fmt: skip


def drill(row: Row[Any]) -> Drill:
    return Drill(
        row.id, SiteId(row.site), row.started_ms, row.started_by, row.answered_ms,
        row.answered_by, row.channel, ChangeNo(row.m),
    )  # fmt: skip


def lot(row: Row[Any]) -> Lot:
    return Lot(
        LotId(row.id), row.code, row.commodity, row.name_zh, row.name_en, row.quantity_kg,
        row.producer, row.created_at_ms,
    )  # fmt: skip


def epcis_event(row: Row[Any]) -> EpcisEvent:
    return EpcisEvent(
        row.event_id, row.event_time_ms, row.record_time_ms, row.body, ChangeNo(row.m)
    )
