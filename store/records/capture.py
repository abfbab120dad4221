"""EPCIS events into records, and what they mean for the rooms' stock.

A lot that an event moves into or out of a room is also recorded as the room's ``lot_in``
or ``lot_out`` action, because the rules ask for stock. Events may come in any order, so
the actions of a lot are derived from all of its events anew each time: what is missing is
added, and what no longer holds is answered at the same instant. Nothing is taken back.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, insert, select

from domain.lot import LotEvent, ObjectId, lot_event
from domain.reading import RoomId
from domain.stay import Stay, fold
from store.records import schema as t
from store.records.errors import Refused
from store.records.journal import record, record_action
from store.records.ports import ChangeNo

_RELATED_EVENTS = 10_000  # of one capture; a graph larger than this is not a lot's journey


def capture(
    c: Connection, events: Sequence[Mapping[str, Any]], *, by: str, now_ms: int
) -> list[ChangeNo]:
    """One change for each event, in their order; then the actions that follow from them."""
    numbers: list[ChangeNo] = []
    touched: dict[ObjectId, None] = {}
    for position, body in enumerate(events):
        try:
            event = lot_event(body)
        except (KeyError, TypeError, ValueError) as error:
            raise Refused(f"events[{position}]", f"not an EPCIS event: {error}") from error
        numbers.append(_keep(c, event, body, position, by=by, now_ms=now_ms))
        touched.update(dict.fromkeys(event.everything))
    _derive_actions(c, touched, by=by, now_ms=now_ms)
    return numbers


def _keep(
    c: Connection, event: LotEvent, body: Mapping[str, Any], position: int, *, by: str, now_ms: int
) -> ChangeNo:
    e = t.epcis_events.c
    before = c.execute(
        select(t.epcis_events).where(e.event_id == event.id, e.in_error == event.in_error)
    ).first()
    if before is not None:
        if _said(before.body) != _said(body):
            raise Refused(f"events[{position}].eventID", "already names another event")
        return ChangeNo(before.m)
    m = record(c, "epcis", event.id, by, now_ms, from_ms=event.at_ms)
    c.execute(
        insert(t.epcis_events).values(
            m=m,
            event_id=event.id,
            in_error=event.in_error,
            event_time_ms=event.at_ms,
            record_time_ms=now_ms,
            body=dict(body),
        )
    )
    if event.everything:
        c.execute(insert(t.epcis_objects), [{"object": o, "m": m} for o in event.everything])
    return m


def _said(body: Mapping[str, Any]) -> dict[str, Any]:
    """The event without the time at which some system took it in."""
    return {name: value for name, value in body.items() if name != "recordTime"}


def _related(c: Connection, objects: Iterable[ObjectId]) -> list[LotEvent]:
    """Every event that names one of the objects, or what they were packed with or made from."""
    known: set[str] = set()
    waiting = set(objects)
    events: dict[int, LotEvent] = {}
    while waiting and len(events) < _RELATED_EVENTS:
        known |= waiting
        wanted = select(t.epcis_objects.c.m).where(t.epcis_objects.c.object.in_(waiting))
        rows = c.execute(select(t.epcis_events).where(t.epcis_events.c.m.in_(wanted)))
        found = {row.m: lot_event(row.body) for row in rows}
        events |= found
        waiting = {o for event in found.values() for o in event.everything} - known
    return list(events.values())


def _derive_actions(c: Connection, touched: Iterable[ObjectId], *, by: str, now_ms: int) -> None:
    events = _related(c, touched)
    lots = {o for event in events for o in event.everything if o.startswith("lot:")}
    rooms = set(c.scalars(select(t.rooms.c.id)))
    folded = fold(events)
    for object in sorted(lots):
        stays = [stay for stay in folded.of(object) if stay.room in rooms]
        _settle(c, object.removeprefix("lot:"), stays, by=by, now_ms=now_ms)


def _settle(c: Connection, lot: str, stays: Sequence[Stay], *, by: str, now_ms: int) -> None:
    """After every instant at which something was recorded or is now known, the last action
    of a room says what the stays say."""
    a = t.actions.c
    mine = c.execute(select(t.actions).where(a.id.startswith(f"epcis:{lot}:", autoescape=True)))
    said: dict[tuple[int, str], list[str]] = {}  # (instant, room): kinds, in the order recorded
    for row in sorted(mine, key=lambda row: int(row.m)):
        said.setdefault((row.at_ms, row.room), []).append(row.kind)
    for stay in stays:
        said.setdefault((stay.from_ms, stay.room), [])
        if stay.to_ms is not None:
            said.setdefault((stay.to_ms, stay.room), [])
    believed: dict[str, str] = {}  # room: the last kind so far
    for (at_ms, room), kinds in sorted(said.items()):
        holds = "lot_in" if _inside(stays, room, at_ms) else "lot_out"
        last = kinds[-1] if kinds else believed.get(room, "lot_out")
        if last != holds:
            id = f"epcis:{lot}:{room}:{at_ms}:{len(kinds)}"
            detail = {"lot": lot}
            record_action(c, id, RoomId(room), holds, at_ms, detail, by=by, now_ms=now_ms)
        believed[room] = holds


def _inside(stays: Sequence[Stay], room: str, at_ms: int) -> bool:
    return any(
        stay.room == room and stay.from_ms <= at_ms and (stay.to_ms is None or at_ms < stay.to_ms)
        for stay in stays
    )
