"""The week's report: one page to read on a Monday, and to print."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api.asked import InContext
from api.console.pages import page
from api.problems import Problem
from api.weeks import last_week, week

router = APIRouter(include_in_schema=False)

WEEKS = 5  # offered by a tap; any other by its address


@router.get("/reports/week")
async def report(
    request: Request, context: InContext, name: Annotated[str, Query(alias="week")] = ""
) -> Response:
    now_ms, zone = context.now_ms(), context.zone
    facts = context.sources.facts.get()
    registry = context.registry()
    try:
        found = week(
            context.records, facts, registry, name or last_week(now_ms, zone), zone, now_ms
        )
    except ValueError as error:
        raise Problem(422, str(error), field="week") from error
    return page(
        request,
        "week.html",
        one=found,
        weeks=[last_week(now_ms, zone, back) for back in range(WEEKS)],
        running=found.to_ms > now_ms,
        rooms=registry.rooms,
        sites=registry.sites,
        people=registry.people,
    )
