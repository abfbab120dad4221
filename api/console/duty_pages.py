"""Ladders, silences and drills: who would be told, what is not told, and whether telling works."""

from uuid import uuid4

from fastapi import APIRouter, Request, Response
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse

from api.asked import Caller, InContext
from api.console.pages import field, form_of, local_instant, page
from api.context import Context
from api.drills import drills_now, last_of_sites, new_id
from api.ladders import ladder_of, next_rungs, state_of
from api.problems import Problem
from api.sessions import Session
from domain.message import CODES
from domain.reading import RoomId, SiteId
from domain.roster import ROLES
from store.records import Refused
from store.records.checks import LONGEST_SILENCE_H, NEVER_SILENT
from store.records.ports import DrillPlan

router = APIRouter(include_in_schema=False)

HOURS = (1, 2, 4, 8, LONGEST_SILENCE_H)
SHOWN = 60


@router.get("/rooms/{room}/ladder")
async def ladder(room: str, request: Request, context: InContext, at: str = "") -> Response:
    id = RoomId(room)
    registry = context.registry()
    if id not in registry.rooms:
        raise Problem(404, f"there is no room {room[:64]!r}")
    now_ms = context.now_ms()
    at_ms = local_instant(at, context, "at") if at else now_ms
    standing = ladder_of(context, id, at_ms)
    now_standing = standing if not at else ladder_of(context, id, now_ms)
    state = state_of(context, room)
    return page(
        request,
        "ladder.html",
        room=registry.rooms[id],
        site=registry.sites[registry.rooms[id].site],
        ladder=standing,
        roles=ROLES,
        at_ms=at_ms,
        chosen=bool(at),
        incident=state.incident if state else None,
        coming=next_rungs(context, room, now_standing.on_turn),
        people=registry.people,
        silences=[one for one in context.records.silences(now_ms) if one.room == id],
    )


@router.get("/silences")
async def silences(
    request: Request, context: InContext, room: str = "", code: str = ""
) -> Response:
    return _silences(request, context, 200, typed={"room": room, "code": code})


@router.post("/silences")
async def silence(request: Request, context: InContext, caller: Caller) -> Response:
    form = await form_of(request)
    try:
        if field(form, "do") == "end":
            now_ms = context.now_ms()
            context.records.end_silence(field(form, "id"), by=caller.person, now_ms=now_ms)
        else:
            _silence(form, context, caller)
    except Refused as error:
        typed = {name: field(form, name) for name in form}
        return _silences(request, context, 422, refused=error, typed=typed)
    return RedirectResponse("/silences", 303)


def _silence(form: FormData, context: Context, caller: Session) -> None:
    hours = field(form, "hours")
    context.records.silence(
        f"console:{field(form, 'key') or uuid4().hex}",
        RoomId(field(form, "room")),
        field(form, "code"),
        field(form, "reason"),
        int(hours) if hours.isdecimal() else 0,
        by=field(form, "by") or caller.person,
        now_ms=context.now_ms(),
    )


def _silences(
    request: Request,
    context: Context,
    status: int,
    *,
    refused: Refused | None = None,
    typed: dict[str, str],
) -> Response:
    registry, now_ms = context.registry(), context.now_ms()
    found = context.records.silences()[::-1]
    return page(
        request,
        "silences.html",
        status,
        now=[one for one in found if one.to_ms > now_ms],
        over=[one for one in found if one.to_ms <= now_ms][:SHOWN],
        rooms=registry.rooms,
        sites=registry.sites,
        people=registry.people,
        codes=[code for code in CODES if code not in NEVER_SILENT],
        hours=HOURS,
        refused=refused,
        typed=typed,
    )


@router.get("/drills")
async def drills(request: Request, context: InContext) -> Response:
    registry = context.registry()
    found = drills_now(context)
    reader = context.sources.notices.get()
    told = {
        one.drill.id: reader.notices(RoomId(f"drill:{one.drill.id}"), 50)[::-1] if reader else ()
        for one in found[:SHOWN]
    }
    return page(
        request,
        "drills.html",
        sites=registry.sites,
        last=last_of_sites(context),
        found=found[:SHOWN],
        told=told,
        plan=context.records.drill_plan(),
        people=registry.people,
    )


@router.post("/drills")
async def drill(request: Request, context: InContext, caller: Caller) -> Response:
    form = await form_of(request)
    records, now_ms, by = context.records, context.now_ms(), caller.person
    match field(form, "do"):
        case "start":
            id = f"d-{key[:12]}" if (key := field(form, "key")) else new_id()
            records.start_drill(id, SiteId(field(form, "site")), by=by, now_ms=now_ms)
        case "answer":
            by = field(form, "by") or by
            records.answer_drill(field(form, "id"), now_ms, "console", by=by, now_ms=now_ms)
        case "plan":
            records.put_drill_plan(_plan(form), by=by, now_ms=now_ms)
        case other:
            raise Problem(422, f"no such form: {other[:64]!r}", field="do")
    return RedirectResponse("/drills", 303)


def _plan(form: FormData) -> DrillPlan | None:
    day = field(form, "day")
    if not day.isdecimal() or not int(day):
        return None
    return DrillPlan(int(day), minute_of(field(form, "at"), 10 * 60))


def minute_of(text: str, default: int) -> int:
    """As ``<input type=time>`` has it."""
    hour, _, minute = text.partition(":")
    if not (hour.isdecimal() and minute[:2].isdecimal()):
        return default
    return min(int(hour), 24) * 60 + min(int(minute[:2]), 59)
