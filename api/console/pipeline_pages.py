"""Is anything lost: gateways, roles, quarantine."""

import json
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response

from api.asked import InContext
from api.channels import carried, totals, ways_now
from api.console.pages import page
from api.context import Context
from api.pipeline import pipeline_now
from api.system import alarms_now, parts_now

router = APIRouter(include_in_schema=False)

MONTHS = 3  # of what was carried, on the page; the API has all


@router.get("/pipeline")
async def pipeline(request: Request, context: InContext) -> Response:
    readings, notices = context.sources.readings, context.sources.notices
    usage = notices.ask(lambda reader: carried(reader, MONTHS)) or []
    return page(
        request,
        "pipeline.html",
        ways=notices.ask(lambda reader: ways_now(context, reader)) or [],
        usage=totals(usage),
        now=readings.ask(lambda reader: pipeline_now(context, reader)),
        held=readings.ask(lambda reader: reader.quarantined(limit=50)) or [],
        sites=context.registry().gateway_sites(),
        roles=_roles(context),
        system=alarms_now(context),
        parts=parts_now(context),
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
