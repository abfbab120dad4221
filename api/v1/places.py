"""``sites`` and ``regions``: where things are."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.asked import Caller, InContext
from api.problems import Problem
from api.replies import Asked, reply
from domain.reading import RoomId, SiteId
from store.records.ports import Region, Room, Site

router = APIRouter(tags=["places"])


class Nothing(Asked):
    """No query parameter is known here."""


@router.get("/sites")
async def sites(_asked: Annotated[Nothing, Query()], context: InContext) -> Response:
    registry = context.registry()
    return reply(
        {
            "regions": [asdict(region) for region in registry.regions.values()],
            "sites": [
                asdict(site) | {"rooms": [room.id for room in registry.rooms_of(site.id)]}
                for site in registry.sites.values()
            ],
        }
    )


@router.get("/sites/{site}")
async def site(site: str, _asked: Annotated[Nothing, Query()], context: InContext) -> Response:
    registry = context.registry()
    found = registry.sites.get(SiteId(site))
    if found is None:
        raise Problem(404, f"there is no site {site[:64]!r}", field="site")
    rooms = [asdict(room) for room in registry.rooms_of(found.id)]
    return reply(asdict(found) | {"rooms": rooms})


class RegionSaid(Asked):
    parent: str | None = None
    kind: str
    name_zh: str
    name_en: str


class SiteSaid(Asked):
    region: str
    kind: str
    name_zh: str
    name_en: str
    gateway: str | None = None
    lat: float | None = None
    lon: float | None = None


class RoomSaid(Asked):
    site: str
    kind: str
    name_zh: str
    name_en: str
    operator: str = ""
    owner: str = ""


@router.put("/regions/{region}")
async def put_region(region: str, said: RegionSaid, context: InContext, caller: Caller) -> Response:
    value = Region(region, **said.model_dump())
    m = context.records.put_region(value, by=caller.person, now_ms=context.now_ms())
    return reply({"change": m})


@router.put("/sites/{site}")
async def put_site(site: str, said: SiteSaid, context: InContext, caller: Caller) -> Response:
    value = Site(SiteId(site), **said.model_dump())
    m = context.records.put_site(value, by=caller.person, now_ms=context.now_ms())
    return reply({"change": m})


@router.put("/rooms/{room}")
async def put_room(room: str, said: RoomSaid, context: InContext, caller: Caller) -> Response:
    fields = said.model_dump()
    value = Room(RoomId(room), SiteId(fields.pop("site")), **fields)
    m = context.records.put_room(value, by=caller.person, now_ms=context.now_ms())
    return reply({"change": m})
