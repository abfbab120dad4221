"""``dry-run``: what another rule would have made of what is stored. Nothing is written."""

from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import Field

from api.asked import InContext
from api.dry_runs import MOST_ROOMS, as_json, tried
from api.problems import Problem
from api.replies import Asked, reply
from api.times import Instant
from domain.dry_run import Proposal
from domain.profile import Impossible
from domain.reading import RoomId

router = APIRouter(tags=["rules"])


class DryRunAsked(Asked):
    """``rooms`` null: every room. What is left out stays as each room has it. ``overrides``
    replace a room's own, ``also`` is laid over them."""

    rooms: list[str] | None = None
    from_: Annotated[Instant, Field(alias="from")]
    to: Instant | None = None
    profile: str | None = None
    commodities: list[str] | None = None
    interval_s: int | None = None
    overrides: dict[str, Any] | None = None
    also: dict[str, Any] | None = None


@router.post("/dry-run")
async def dry_run(asked: DryRunAsked, context: InContext) -> Response:
    """Alarms of the span gained, lost, moved and changed, room by room. The proposal is judged as
    if it had always been in force, over all that is stored up to the end of the span."""
    known = context.registry().rooms
    wanted = [RoomId(room) for room in (known if asked.rooms is None else asked.rooms)]
    for room in wanted:
        if room not in known:
            raise Problem(404, f"there is no room {room[:64]!r}", field="rooms")
    if len(wanted) > MOST_ROOMS:
        raise Problem(413, f"more than {MOST_ROOMS} rooms: use coldtrail dry-run", field="rooms")
    now_ms = context.now_ms()
    span = asked.from_, min(now_ms if asked.to is None else asked.to, now_ms)
    if span[0] >= span[1]:
        raise Problem(422, "not after the beginning", field="to")
    proposal = Proposal(
        asked.profile,
        None if asked.commodities is None else tuple(asked.commodities),
        asked.interval_s,
        asked.overrides,
        asked.also,
    )
    found: list[dict[str, Any]] = []
    refused: list[dict[str, str]] = []
    for room in wanted:
        try:
            trial = await tried(context, room, proposal, span)
        except Impossible as error:
            if len(wanted) == 1:
                raise Problem(422, error.reason, field=error.field) from error
            refused.append({"room": room, "field": error.field, "reason": error.reason})
            continue
        if trial is not None:
            found.append(as_json(trial))
    return reply({"from_ms": span[0], "to_ms": span[1], "rooms": found, "refused": refused})
