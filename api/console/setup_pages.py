"""Forms for what is new: a site in a region, a room in a site, a rule for a room.

What is refused comes back on the same page with the field, the reason and what was typed;
nothing of it has happened. Each form is good once: an id that is taken is refused, except by
the very same thing sent again.
"""

from collections.abc import Collection, Mapping
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse

from api.asked import Caller, InContext
from api.console.pages import field, form_instant, form_of, page
from api.context import Context
from api.problems import Problem
from domain.commodity import COMMODITIES
from domain.profile import PROFILES
from domain.reading import RoomId, SiteId
from store.records import Refused
from store.records.ports import ROOM_KINDS, SITE_KINDS, Region, Room, RuleVersion, Site

router = APIRouter(include_in_schema=False)

INTERVALS_S = (60, 120, 300, 600, 900, 1800, 3600)


def unused(word: str, taken: Collection[str]) -> str:
    """``room3`` when there are room1 and room2."""
    number = len(taken) + 1
    while f"{word}{number}" in taken:
        number += 1
    return f"{word}{number}"


@router.get("/regions/{region}/sites/new")
async def new_site(region: str, request: Request, context: InContext) -> Response:
    typed = {"id": unused("site", context.registry().sites), "kind": "village-point"}
    return _site_page(request, context, _region(context, region), typed)


@router.post("/regions/{region}/sites/new")
async def add_site(region: str, request: Request, context: InContext, caller: Caller) -> Response:
    found = _region(context, region)
    form = await form_of(request)
    try:
        site = Site(
            SiteId(field(form, "id")), found.id, field(form, "kind"), *_names(form),
            field(form, "gateway") or None,
        )  # fmt: skip
        _is_new(context.registry().sites, site)
        context.records.put_site(site, by=caller.person, now_ms=context.now_ms())
    except Refused as error:
        return _site_page(request, context, found, _typed(form), error)
    return RedirectResponse(f"/sites/{site.id}", 303)


@router.get("/sites/{site}/rooms/new")
async def new_room(site: str, request: Request, context: InContext) -> Response:
    typed = {"id": unused("room", context.registry().rooms), "kind": "chilled"}
    return _room_page(request, _site(context, site), typed)


@router.post("/sites/{site}/rooms/new")
async def add_room(site: str, request: Request, context: InContext, caller: Caller) -> Response:
    found = _site(context, site)
    form = await form_of(request)
    try:
        room = Room(
            RoomId(field(form, "id")), found.id, field(form, "kind"), *_names(form),
            field(form, "operator"), field(form, "owner"),
        )  # fmt: skip
        _is_new(context.registry().rooms, room)
        context.records.put_room(room, by=caller.person, now_ms=context.now_ms())
    except Refused as error:
        return _room_page(request, found, _typed(form), error)
    return RedirectResponse(f"/rooms/{room.id}", 303)


@router.get("/rooms/{room}/rules/new")
async def new_rule(room: str, request: Request, context: InContext) -> Response:
    held = context.registry().rule(_room(context, room).id, context.now_ms())
    typed = {
        "profile": held.profile if held else "",
        "interval_s": str(held.interval_s if held else 300),
    }
    return _rule_page(request, context, room, typed, held.commodities if held else ())


@router.post("/rooms/{room}/rules/new")
async def add_rule(room: str, request: Request, context: InContext, caller: Caller) -> Response:
    """Limits of the room's own stay as long as its profile does."""
    found = _room(context, room)
    form = await form_of(request)
    goods = [value for value in form.getlist("commodities") if isinstance(value, str) and value]
    profile = field(form, "profile")
    try:
        context.records.add_rule(
            found.id,
            form_instant(form, context, "from"),
            profile,
            goods,
            _seconds(field(form, "interval_s")),
            _kept(context.registry().rule(found.id, context.now_ms()), profile),
            by=caller.person,
            now_ms=context.now_ms(),
        )
    except Refused as error:
        return _rule_page(request, context, room, _typed(form), goods, error)
    return RedirectResponse(f"/rooms/{found.id}", 303)


def _seconds(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 9):
        raise Refused("interval_s", "must be a whole number of seconds")
    return int(text)


def _kept(held: RuleVersion | None, profile: str) -> Mapping[str, Any]:
    return held.overrides if held is not None and held.profile == profile else {}


def _site_page(
    request: Request,
    context: Context,
    region: Region,
    typed: Mapping[str, str],
    refused: Refused | None = None,
) -> Response:
    return page(
        request, "new_site.html", 422 if refused else 200,
        region=region, kinds=SITE_KINDS, typed=typed, refused=refused,
    )  # fmt: skip


def _room_page(
    request: Request, site: Site, typed: Mapping[str, str], refused: Refused | None = None
) -> Response:
    return page(
        request, "new_room.html", 422 if refused else 200,
        site=site, kinds=ROOM_KINDS, typed=typed, refused=refused,
    )  # fmt: skip


def _rule_page(
    request: Request,
    context: Context,
    room: str,
    typed: Mapping[str, str],
    goods: Collection[str],
    refused: Refused | None = None,
) -> Response:
    registry = context.registry()
    found = _room(context, room)
    return page(
        request,
        "new_rule.html",
        422 if refused else 200,
        room=found,
        site=registry.sites[found.site],
        held=registry.rule(found.id, context.now_ms()),
        profiles=PROFILES,
        intervals=INTERVALS_S,
        commodities=sorted(COMMODITIES.values(), key=lambda one: (one.category, one.key)),
        goods=goods,
        apart=[COMMODITIES[key] for key in goods if key in COMMODITIES]
        if refused is not None and refused.field == "commodities" and len(goods) > 1
        else [],
        typed=typed,
        refused=refused,
    )


def _region(context: Context, id: str) -> Region:
    found = context.registry().regions.get(id)
    if found is None:
        raise Problem(404, f"there is no region {id[:64]!r}")
    return found


def _site(context: Context, id: str) -> Site:
    found = context.registry().sites.get(SiteId(id))
    if found is None:
        raise Problem(404, f"there is no site {id[:64]!r}")
    return found


def _room(context: Context, id: str) -> Room:
    found = context.registry().rooms.get(RoomId(id))
    if found is None:
        raise Problem(404, f"there is no room {id[:64]!r}")
    return found


def _names(form: FormData) -> tuple[str, str]:
    """One name stands for both languages when the other is left out."""
    zh, en = field(form, "name_zh"), field(form, "name_en")
    return zh or en, en or zh


def _is_new(known: Mapping[Any, Any], value: Site | Room) -> None:
    if known.get(value.id, value) != value:
        raise Refused("id", "is taken by another")


def _typed(form: FormData) -> dict[str, str]:
    return {name: field(form, name) for name in form}
