"""``reports``: what a week was like, for a program that sends it on."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.asked import InContext
from api.problems import Problem
from api.replies import Asked, reply
from api.weeks import as_json, last_week, week

router = APIRouter(tags=["rules"])


class WhichWeek(Asked):
    """``week``: 2026-W22, local time; the last whole one when it is left out."""

    week: str | None = None


@router.get("/reports/week")
async def report(asked: Annotated[WhichWeek, Query()], context: InContext) -> Response:
    """Maintenance, silences, unanswered drills, rules called false or to reconsider by the 30 days
    up to its end; open cases and calibrations as of now. ``alarms`` is null while nothing is
    judged."""
    now_ms = context.now_ms()
    name = asked.week or last_week(now_ms, context.zone)
    facts = context.sources.facts.get()
    try:
        found = week(context.records, facts, context.registry(), name, context.zone, now_ms)
    except ValueError as error:
        raise Problem(422, str(error), field="week") from error
    return reply(as_json(found))
