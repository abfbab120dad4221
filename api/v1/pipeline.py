"""``pipeline`` and ``quarantine``: is anything lost, and what was set aside; ``channels`` and
``usage``: how the ways to people fare, and what they carried."""

import base64
from dataclasses import asdict
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Response
from pydantic import Field

from api.asked import InContext
from api.channels import carried, ways_now
from api.pipeline import pipeline_now
from api.replies import Asked, reply
from api.system import alarms_now
from api.v1.places import Nothing

router = APIRouter(tags=["pipeline"])


@router.get("/pipeline")
async def pipeline(_asked: Annotated[Nothing, Query()], context: InContext) -> Response:
    now = pipeline_now(context, context.sources.readings.need())
    return reply(
        {
            "received": now.received,
            **now.totals,
            "last_arrival": now.last_arrival,
            "last_stored_at": now.last_stored_ms,
            "gateways": {
                gateway.id: {
                    "status": msgspec.to_builtins(gateway.status),
                    "heard_at": gateway.heard_ms,
                    "epochs": gateway.epochs,
                    "backlog": msgspec.to_builtins(gateway.status.backlog)
                    if gateway.status
                    else None,
                    "lost": [
                        {
                            "epoch": one.stone.epoch,
                            "first": one.stone.first,
                            "last": one.stone.last,
                            "missing_batches": one.missing,
                            "readings": one.stone.readings,
                            "from": one.stone.oldest_ms,
                            "to": one.stone.newest_ms,
                            "reason": one.stone.reason,
                            "said_at": one.said_ms,
                        }
                        for one in gateway.lost
                    ],
                    "without_time": [
                        {
                            "boot": one.boot,
                            "readings": one.readings,
                            "not_before": one.not_before_ms,
                            "not_after": one.not_after_ms,
                        }
                        for one in gateway.without_time
                    ],
                }
                for gateway in now.gateways
            },
            "system_alarms": [
                {
                    "code": one.code,
                    "level": one.kind.level,
                    "about": one.about,
                    "since": one.since_ms,
                    "part": one.part,
                    "detail": one.detail,
                    "means": one.kind.means,
                    "do": one.kind.do,
                }
                for one in alarms_now(context)
            ],
            "followers": {follower.name: asdict(follower) for follower in now.followers},
        }
    )


@router.get("/channels")
async def channels(_asked: Annotated[Nothing, Query()], context: InContext) -> Response:
    """The ways to reach people, in their order: when each last worked, since when it does not."""
    reader = context.sources.notices.need()
    return reply({"channels": [asdict(way) for way in ways_now(context, reader)]})


class WhichMonths(Asked):
    months: Annotated[int, Field(ge=1, le=120)] = 12


@router.get("/usage")
async def usage(asked: Annotated[WhichMonths, Query()], context: InContext) -> Response:
    """Messages and parts carried, by local month (newest first), organisation and channel."""
    rows = carried(context.sources.notices.need(), asked.months)
    return reply({"usage": [asdict(row) for row in rows]})


class WhichQuarantined(Asked):
    after: Annotated[int, Field(ge=0)] = 0
    limit: Annotated[int, Field(ge=1, le=1000)] = 100


@router.get("/quarantine")
async def quarantine(asked: Annotated[WhichQuarantined, Query()], context: InContext) -> Response:
    """What was not admitted, with its bytes in base64, oldest first."""
    found = context.sources.readings.need().quarantined(asked.after, asked.limit)
    return reply(
        {
            "quarantined": [
                asdict(one) | {"payload": base64.b64encode(one.payload).decode()} for one in found
            ],
            "next": found[-1].id if len(found) == asked.limit else None,
        }
    )
