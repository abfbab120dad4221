"""Is anything lost, and which probes still wait for a room."""

import json
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.responses import RedirectResponse

from api.console.pages import field, form_instant, form_of, page
from api.context import Context, InContext
from api.pipeline import pipeline_now
from api.probes import probes_now
from domain.reading import ProbeId, RoomId

router = APIRouter(include_in_schema=False)


@router.get("/pipeline")
async def pipeline(request: Request, context: InContext) -> Response:
    readings = context.sources.readings
    return page(
        request,
        "pipeline.html",
        now=readings.ask(lambda reader: pipeline_now(context, reader)),
        held=readings.ask(lambda reader: reader.quarantined(limit=50)) or [],
        sites=context.registry().gateway_sites(),
        roles=_roles(context),
        missing=context.sources.missing(),
    )


def _roles(context: Context) -> dict[str, Any]:
    """What the supervisor wrote; nothing when none runs or it is just being written."""
    path = Path(context.settings.status_path)
    try:
        said = json.loads(path.read_bytes()) if context.settings.status_path else {}
    except (OSError, ValueError):
        return {}
    roles = said.get("roles", {}) if isinstance(said, dict) else {}
    return roles if isinstance(roles, dict) else {}


@router.get("/probes")
async def probes(request: Request, context: InContext) -> Response:
    registry = context.registry()
    return page(
        request,
        "probes.html",
        probes=probes_now(context),
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
