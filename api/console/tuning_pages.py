"""Which rules earn their alarms, and the month's list of those to think about again."""

from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response

from api.alarms import DAY_MS
from api.console.pages import page
from api.context import Context, InContext
from api.problems import Problem
from api.tuning import answered, month_of
from domain.tuning import figures, reconsider

router = APIRouter(include_in_schema=False)

MONTHS = 4  # offered by a tap; any other by its address


@router.get("/tuning")
async def tuning(request: Request, context: InContext, month: str = "") -> Response:
    now_ms = context.now_ms()
    span = now_ms - 30 * DAY_MS, now_ms + 1
    if month:
        try:
            span = month_of(month, context.zone)
        except ValueError as error:
            raise Problem(422, str(error), field="month") from error
    facts = context.sources.facts.get()
    alarms = answered(context.records, facts, span) if facts else []
    return page(
        request,
        "tuning.html",
        month=month,
        months=_months(context, now_ms),
        judged=facts is not None,
        count=len(alarms),
        rules=figures(alarms),
        listed=reconsider(alarms),
        rooms=context.registry().rooms,
    )


def _months(context: Context, now_ms: int) -> list[str]:
    """This one and those before it, as the address has them."""
    local = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(context.zone)
    newest = local.year * 12 + local.month - 1
    return [f"{n // 12:04}-{n % 12 + 1:02}" for n in range(newest, newest - MONTHS, -1)]
