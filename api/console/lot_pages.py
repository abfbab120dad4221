"""Lots, a lot's journey, and forms that each become one EPCIS event."""

from functools import partial
from typing import cast
from uuid import uuid4

import segno
from fastapi import APIRouter, Request, Response
from starlette.responses import RedirectResponse

from api.asked import InContext
from api.buyers import Buyers
from api.console.pages import field, form_instant, form_of, page
from api.lots import NewLot, add_lot, all_events, folded, journey, move_lot, shipped
from api.problems import Problem
from api.rooms import rooms_now
from api.times import instant_ms
from domain.commodity import COMMODITIES
from domain.lot import lot_object
from domain.reading import LotId
from traceability.epcis import Move
from traceability.epcis.form import KINDS
from traceability.reader import LotTrace, TraceReader

router = APIRouter(include_in_schema=False)


def _trace(lot: LotId, reader: TraceReader) -> LotTrace | None:
    return reader.lot(lot)


@router.get("/lots")
async def lots(request: Request, context: InContext) -> Response:
    registry = context.registry()
    events = all_events(context)
    here = {s.object: s.room for s in folded(events).stays if s.to_ms is None}
    verdicts = {}
    found = context.records.lots()[::-1]
    for lot in found:
        trace = context.sources.trace.ask(partial(_trace, lot.id))
        verdicts[lot.id] = trace.verdict if trace else None
    return page(
        request,
        "lots.html",
        lots=found,
        where={
            lot.id: room if (room := here.get(lot_object(lot.id))) in registry.rooms else None
            for lot in found
        },
        shipped=shipped(events),
        rooms=rooms_now(context),
        verdicts=verdicts,
        commodities=sorted(COMMODITIES.values(), key=lambda goods: (goods.category, goods.key)),
        sites=registry.sites,
    )


@router.post("/lots")
async def make(request: Request, context: InContext) -> Response:
    form = await form_of(request)
    key = field(form, "key") or uuid4().hex
    said = NewLot(
        f"lot-{key[:12]}",
        field(form, "commodity"),
        field(form, "quantity_kg"),
        field(form, "producer"),
    )
    lot = add_lot(context, said, "admin")
    site = field(form, "site")
    if site:
        at_ms = context.now_ms()
        received = Move("received", lot.id, at_ms, key, site=site, quantity_kg=lot.quantity_kg)
        move_lot(context, received, "admin")
    return RedirectResponse(f"/lots/{lot.id}", 303)


@router.get("/lots/{lot}")
async def lot(lot: str, request: Request, context: InContext) -> Response:
    found = context.records.lot(LotId(lot))
    if found is None:
        raise Problem(404, f"there is no lot {lot[:64]!r}")
    registry = context.registry()
    events = all_events(context)
    stays = folded(events)
    mine = stays.of(lot_object(found.id))
    steps = journey(events, found.id)
    in_now = next((registry.rooms.get(stay.room) for stay in mine if stay.to_ms is None), None)
    room_now = rooms_now(context).get(in_now.id) if in_now else None
    address = f"{context.base_url(request.base_url)}/t/{found.code}"
    return page(
        request,
        "lot.html",
        lot=found,
        steps=steps,
        misfits={m.event: m.reason for m in stays.misfits if m.object == lot_object(found.id)},
        in_now=in_now,
        reports=cast(Buyers, request.app.state.buyers).reports(found.code),
        trace=context.sources.trace.ask(lambda reader: reader.lot(found.id)),
        instant_ms=instant_ms,
        rooms=registry.rooms,
        alarmed=room_now if room_now and room_now.alarms else None,
        sites=registry.sites,
        kinds=list(KINDS),
        buyer_address=address,
        qr=segno.make(address, error="m", micro=False).svg_inline(
            scale=4, border=2, omitsize=True, svgclass="qr", lineclass=None
        ),
    )


@router.post("/lots/{lot}/events")
async def move(lot: str, request: Request, context: InContext) -> Response:
    form = await form_of(request)
    kind = field(form, "kind")
    room = field(form, "room") or None
    site = field(form, "site") or None
    if room and not site:
        at = context.registry().rooms.get(room)  # type: ignore[call-overload] # an unknown id finds nothing
        site = at.site if at else None
    event = Move(
        kind,
        lot,
        form_instant(form, context),
        field(form, "key") or uuid4().hex,
        site=site,
        room=room,
        pack=field(form, "pack") or None,
        destination=field(form, "destination") or None,
    )
    move_lot(context, event, "admin")
    return RedirectResponse(f"/lots/{lot}", 303)
