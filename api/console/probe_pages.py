"""The probes, those that still wait for a room first; one probe with its papers and checks."""

from datetime import date
from decimal import Decimal, InvalidOperation
from urllib.parse import quote
from uuid import uuid4

from fastapi import APIRouter, Request, Response
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse

from api.asked import InContext
from api.calibration import standing
from api.console.now import WIDE
from api.console.pages import field, form_instant, form_of, page
from api.probes import ProbeNow, probes_now
from api.problems import NotYet, Problem
from domain.calibration import Check, Papers
from domain.quantity import QUANTITIES
from domain.reading import ProbeId, RoomId

router = APIRouter(include_in_schema=False)

WAITING = 20  # forms at once; a probe that has got its room makes place for the next


@router.get("/probes")
async def probes(request: Request, context: InContext, site: str = "") -> Response:
    registry = context.registry()
    found = probes_now(context)
    wide = len(registry.rooms) > WIDE
    chosen = {room.id for room in registry.rooms.values() if room.site == site}
    return page(
        request,
        "probes.html",
        probes=found,
        assigned=[
            one for one in found if one.room is not None and (not wide or one.room in chosen)
        ],
        site=site,
        wide=wide,
        shown=WAITING,
        rooms=registry.rooms,
        sites=registry.sites,
        readings=context.sources.readings.get() is not None,
    )


@router.post("/probes")
async def assign(request: Request, context: InContext) -> Response:
    form = await form_of(request)
    context.records.assign(
        ProbeId(field(form, "probe")),
        RoomId(field(form, "room")),
        form_instant(form, context, "from"),
        by="admin",
        now_ms=context.now_ms(),
    )
    return RedirectResponse("/probes", 303)


@router.get("/probes/one")
async def one(probe: str, request: Request, context: InContext) -> Response:
    registry, now_ms = context.registry(), context.now_ms()
    known = {each.probe: each for each in probes_now(context)}
    id = ProbeId(probe)
    assignments = [a for a in registry.assignments if a.probe == id]
    if id not in known and not assignments:
        raise Problem(404, f"nobody has heard of a probe {probe[:64]!r}")
    said = standing(registry, id, now_ms)
    now = known.get(id) or ProbeNow(id, None, None, (), said)
    return page(
        request,
        "probe.html",
        one=now,
        standing=said,
        held=said.held,
        room=registry.rooms.get(now.room) if now.room else None,
        rooms=registry.rooms,
        sites=registry.sites,
        assignments=assignments,
        waiting=[each.probe for each in known.values() if each.room is None],
    )


@router.post("/probes/papers")
async def put_papers(request: Request, context: InContext) -> Response:
    form = await form_of(request)
    papers = Papers(
        field(form, "probe"),
        form_instant(form, context, "from"),
        field(form, "serial"),
        field(form, "certificate"),
        _day(form, "due_on"),
        _decimal(form, "offset_c", "0"),
        int(_decimal(form, "lag_s", "0")),
    )
    context.records.put_papers(papers, by="admin", now_ms=context.now_ms())
    return _back(papers.probe)


@router.post("/probes/checks")
async def add_check(request: Request, context: InContext) -> Response:
    form = await form_of(request)
    count = QUANTITIES["temperature"].count
    at_ms = form_instant(form, context)
    if at_ms > context.now_ms():
        raise NotYet("at")
    check = Check(at_ms, count(_decimal(form, "shown", "")), count(_decimal(form, "reference", "")))
    probe = ProbeId(field(form, "probe"))
    key = f"console:{field(form, 'key') or uuid4().hex}"
    context.records.add_check(key, probe, check, by="admin", now_ms=context.now_ms())
    return _back(probe)


@router.post("/probes/swap")
async def swap(request: Request, context: InContext) -> Response:
    form = await form_of(request)
    new = ProbeId(field(form, "new"))
    at_ms = form_instant(form, context)
    if at_ms > context.now_ms():
        raise NotYet("at")
    context.records.swap(
        ProbeId(field(form, "old")), new, at_ms, by="admin", now_ms=context.now_ms()
    )
    return _back(new)


def _back(probe: str) -> Response:
    return RedirectResponse(f"/probes/one?probe={quote(probe, safe='')}", 303)


def _day(form: FormData, name: str) -> date | None:
    text = field(form, name)
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise Problem(422, f"not a day: {text[:40]!r}", field=name) from error


def _decimal(form: FormData, name: str, default: str) -> Decimal:
    """As people type it: a comma for the point, a real minus sign. Bounded before it is counted."""
    text = (field(form, name) or default).replace("−", "-").replace(",", ".")
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or abs(number) > 10_000:
        raise Problem(422, f"not a number: {text[:40]!r}", field=name)
    return number
