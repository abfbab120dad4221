"""Lots as people handle them: made, moved, and each move an EPCIS event in records."""

import secrets
from dataclasses import dataclass
from typing import Any

from api.context import Context
from api.problems import Needed, NotYet, Problem
from domain.commodity import COMMODITIES
from domain.lot import lot_event, lot_object
from domain.reading import LotId
from domain.stay import Folded, fold
from store.records.ports import EpcisEvent, Lot
from traceability.epcis import Invalid, Move, from_event, to_event

CODE_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"  # 32, none that look alike: 5 bits each
CODE_LENGTH = 12  # 60 bits
EVENTS_A_PAGE = 1_000


def new_code() -> str:
    return "".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_LENGTH))


def new_lot_id() -> LotId:
    return LotId("lot-" + "".join(secrets.choice(CODE_LETTERS) for _ in range(8)))


@dataclass(frozen=True, slots=True)
class NewLot:
    id: str | None
    commodity: str
    quantity_kg: str
    producer: str
    name_zh: str = ""
    name_en: str = ""


def add_lot(context: Context, said: NewLot, by: str) -> Lot:
    """Names come from the commodity when none are given."""
    goods = COMMODITIES.get(said.commodity)
    if goods is None:
        raise Problem(422, f"unknown commodity {said.commodity[:64]!r}", field="commodity")
    now_ms = context.now_ms()
    before = context.records.lot(LotId(said.id)) if said.id else None
    lot = Lot(
        id=LotId(said.id) if said.id else new_lot_id(),
        code=before.code if before else new_code(),
        commodity=said.commodity,
        name_zh=said.name_zh or goods.name_zh,
        name_en=said.name_en or goods.name_en,
        quantity_kg=said.quantity_kg,
        producer=said.producer,
        created_at_ms=before.created_at_ms if before else now_ms,
    )
    context.records.add_lot(lot, by=by, now_ms=now_ms)
    return lot


def move_lot(context: Context, move: Move, by: str) -> str:
    """Captures the event; its id. A form sent twice (one ``key``) is one event."""
    registry = context.registry()
    if context.records.lot(LotId(move.lot)) is None:
        raise Problem(404, f"there is no lot {move.lot[:64]!r}", field="lot")
    for field, id, known in (
        ("room", move.room, registry.rooms),
        ("site", move.site, registry.sites),
    ):
        if id and id not in known:
            raise Problem(422, f"there is no {field} {id[:64]!r}", field=field)
    if move.at_ms > context.now_ms():
        raise NotYet("at")
    try:
        event = to_event(move, context.settings.base_url or "https://coldtrail.invalid")
    except Invalid as error:
        raise Problem(422, str(error), field=move.kind) from error
    except ValueError as error:
        field, _, reason = str(error).partition(": ")
        if reason == f"{move.kind} needs it":
            raise Needed(move.kind, field) from error
        raise Problem(422, reason or str(error), field=field) from error
    context.records.capture([event], by=by, now_ms=context.now_ms())
    return str(event["eventID"])


def all_events(context: Context) -> list[EpcisEvent]:
    """In order of capture."""
    found: list[EpcisEvent] = []
    page = context.records.epcis_events(0, EVENTS_A_PAGE)
    while page:
        found += page
        page = context.records.epcis_events(page[-1].m, EVENTS_A_PAGE)
    return found


@dataclass(frozen=True, slots=True)
class Step:
    """One event of a lot's journey: when it happened and when it was recorded."""

    move: Move
    recorded_at_ms: int
    event: EpcisEvent


def journey(events: list[EpcisEvent], lot: LotId) -> list[Step]:
    """What the events say of one lot, in the order in which it happened."""
    object = lot_object(lot)
    steps = [
        Step(from_event(event.body, lot), event.record_time_ms, event)
        for event in events
        if object in lot_event(event.body).everything
    ]
    return sorted(steps, key=lambda step: (step.event.event_time_ms, step.event.event_id))


def shipped(events: list[EpcisEvent]) -> set[LotId]:
    """Lots of whose journey shipping is the last that is known."""
    last: dict[str, tuple[tuple[int, str], bool]] = {}
    for event in events:
        at = (event.event_time_ms, event.event_id)
        for object in lot_event(event.body).everything:
            if object.startswith("lot:") and (object not in last or last[object][0] < at):
                lot = object.removeprefix("lot:")
                last[object] = at, from_event(event.body, lot).kind == "shipped"
    return {LotId(object.removeprefix("lot:")) for object, (_, gone) in last.items() if gone}


def folded(events: list[EpcisEvent]) -> Folded:
    return fold(lot_event(event.body) for event in events)


def in_room(stays: Folded, lots: dict[LotId, Lot], room: str) -> list[tuple[Lot, int]]:
    """Lots there now, with the instant since when."""
    return [
        (lots[id], stay.from_ms)
        for stay in stays.stays
        if stay.room == room
        and stay.to_ms is None
        and (id := LotId(stay.object.removeprefix("lot:"))) in lots
    ]


def event_json(step: Step) -> dict[str, Any]:
    return {
        "id": step.event.event_id,
        "kind": step.move.kind,
        "happened_at": step.move.at_ms,
        "recorded_at": step.recorded_at_ms,
        "room": step.move.room,
        "site": step.move.site,
        "pack": step.move.pack,
    }


def lots_in_room_during(stays: Folded, room: str, from_ms: int, to_ms: int) -> list[LotId]:
    """Lots that were there at some time of [from, to], in order of their coming."""
    found = [
        LotId(stay.object.removeprefix("lot:"))
        for stay in sorted(stays.stays, key=lambda stay: stay.from_ms)
        if stay.room == room
        and stay.object.startswith("lot:")
        and stay.from_ms <= to_ms
        and (stay.to_ms is None or stay.to_ms > from_ms)
    ]
    return list(dict.fromkeys(found))
