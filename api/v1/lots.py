"""``lots``: made and moved; each move is an EPCIS event."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import Field

from api.asked import Caller, InContext
from api.lots import NewLot, add_lot, all_events, event_json, folded, journey, move_lot
from api.problems import Problem
from api.replies import Asked, reply
from api.times import Instant
from api.v1.places import Nothing
from domain.lot import lot_object
from domain.reading import LotId
from store.records.ports import Lot
from traceability.epcis import Move

router = APIRouter(tags=["lots"])


def _lot(lot: Lot, base_url: str) -> dict[str, Any]:
    return asdict(lot) | {"buyer_page": f"{base_url}/t/{lot.code}"}


@router.get("/lots")
async def lots(_asked: Annotated[Nothing, Query()], context: InContext) -> Response:
    stays = folded(all_events(context))
    here = {stay.object: stay.room for stay in stays.stays if stay.to_ms is None}
    return reply(
        {
            "lots": [
                _lot(lot, context.settings.base_url) | {"room": here.get(lot_object(lot.id))}
                for lot in context.records.lots()
            ]
        }
    )


@router.get("/lots/{lot}")
async def lot(lot: str, _asked: Annotated[Nothing, Query()], context: InContext) -> Response:
    found = context.records.lot(LotId(lot))
    if found is None:
        raise Problem(404, f"there is no lot {lot[:64]!r}", field="lot")
    events = all_events(context)
    versions = context.sources.trace.ask(lambda trace: trace.versions(found.id)) or []
    return reply(
        _lot(found, context.settings.base_url)
        | {
            "events": [event_json(step) for step in journey(events, found.id)],
            "stays": [asdict(stay) for stay in folded(events).of(lot_object(found.id))],
            "certificates": [
                {"version": one.version, "verdict": one.verdict, "issued_at": one.issued_at_ms}
                for one in versions
            ],
        }
    )


class LotSaid(Asked):
    id: str | None = None
    commodity: str
    quantity_kg: Annotated[str, Field(max_length=20)]
    producer: str = ""
    name_zh: str = ""
    name_en: str = ""


@router.post("/lots", status_code=201)
async def make(said: LotSaid, context: InContext, caller: Caller) -> Response:
    made = add_lot(context, NewLot(**said.model_dump()), caller.person)
    return reply(_lot(made, context.settings.base_url), 201)


class MoveSaid(Asked):
    """``kind``: received, put_in, taken_out, packed or shipped. ``key`` makes it idempotent."""

    kind: str
    at: Instant
    key: str = ""
    site: str | None = None
    room: str | None = None
    pack: str | None = None
    destination: str | None = None
    quantity_kg: str | None = None


@router.post("/lots/{lot}/events", status_code=201)
async def move(lot: str, said: MoveSaid, context: InContext, caller: Caller) -> Response:
    fields = said.model_dump()
    event = move_lot(context, Move(lot=lot, at_ms=fields.pop("at"), **fields), caller.person)
    return reply({"event": event}, 201)
