"""Which rules earn their alarms, the month's list of those to think about again, and what would
spare a room its alarms for nothing."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from api.alarms import DAY_MS
from api.asked import InContext
from api.console.pages import page
from api.context import Context
from api.problems import Problem
from api.proposals import Proposed, proposed
from api.tuning import answered, month_of
from domain.dry_run import KINDS
from domain.judgement import Rule
from domain.proposing import NO_HARM
from domain.reading import RoomId
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
        for_nothing=Counter(a.room for a in alarms if a.cause in NO_HARM).most_common(),
    )


@router.get("/rooms/{room}/proposal")
async def proposal(room: str, request: Request, context: InContext) -> Response:
    """Accepting it is the form of the page on which rules are tried."""
    registry = context.registry()
    here = registry.rooms.get(RoomId(room))
    if here is None:
        raise Problem(404, f"there is no room {room[:64]!r}")
    now_ms = context.now_ms()
    answer = await proposed(context, here.id, (now_ms - 30 * DAY_MS, now_ms + 1))
    found = answer if isinstance(answer, Proposed) else None
    typed = list(_typed(found.trial.proposal)) if found else []
    difference = found.trial.difference if found else None
    return page(
        request,
        "proposal.html",
        room=here,
        site=registry.sites[here.site],
        found=found,
        forbids=answer.forbids if answer else (),
        codes=sorted({*difference.before, *difference.after}) if difference else [],
        kinds=KINDS,
        typed=typed,
        query=urlencode(typed),
    )


def _typed(rule: Rule) -> Iterator[tuple[str, str]]:
    """The rule as the form has it in which rules are tried."""
    yield "profile", rule.profile
    yield "interval_s", str(rule.interval_s)
    for goods in rule.commodities:
        yield "commodities", goods
    for code, change in rule.overrides.items():
        if not isinstance(change, Mapping):
            yield code, f"{change:g}"
            continue
        for field in ("limit_c", "delay_min"):
            if field in change:
                yield f"{field}:{code}", f"{change[field]:g}"


def _months(context: Context, now_ms: int) -> list[str]:
    """This one and those before it, as the address has them."""
    local = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(context.zone)
    newest = local.year * 12 + local.month - 1
    return [f"{n // 12:04}-{n % 12 + 1:02}" for n in range(newest, newest - MONTHS, -1)]
