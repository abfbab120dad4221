"""Test alarms: what became of each, and those that the plan starts.

A plan's drill is named by its month, so that it starts once however often anybody looks.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from api.context import Context
from domain.reading import SiteId
from store.records.ports import Drill

log = logging.getLogger(__name__)

LASTS_MS = 3_600_000  # then whoever has not answered did not
LOOK_EVERY_S = 30.0
SCHEDULE = "schedule"


@dataclass(frozen=True, slots=True)
class DrillNow:
    """``state``: answered, running or unanswered."""

    drill: Drill
    state: str

    @property
    def took_ms(self) -> int | None:
        at_ms = self.drill.answered_ms
        return None if at_ms is None else at_ms - self.drill.started_ms


def drill_now(drill: Drill, now_ms: int) -> DrillNow:
    """An answer after the hour counts as none in time, and is shown."""
    end_ms = drill.started_ms + LASTS_MS
    if drill.answered_ms is not None and drill.answered_ms <= end_ms:
        return DrillNow(drill, "answered")
    return DrillNow(drill, "running" if now_ms < end_ms else "unanswered")


def drills_now(context: Context, after_ms: int = 0) -> list[DrillNow]:
    """Newest first."""
    now_ms = context.now_ms()
    return [drill_now(drill, now_ms) for drill in context.records.drills(after_ms)][::-1]


def last_of_sites(context: Context) -> Mapping[SiteId, DrillNow]:
    found: dict[SiteId, DrillNow] = {}
    for one in drills_now(context):
        found.setdefault(one.drill.site, one)
    return found


def new_id() -> str:
    return f"d-{uuid4().hex[:12]}"


def start_due(context: Context) -> int:
    """This month's drills of the plan, from its day and minute on; how many started."""
    plan = context.records.drill_plan()
    if plan is None:
        return 0
    now_ms = context.now_ms()
    local = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(context.zone)
    if local.day != plan.day or local.hour * 60 + local.minute < plan.minute:
        return 0
    month = f"{local:%Y-%m}"
    known = {drill.id for drill in context.records.drills(now_ms - 48 * LASTS_MS)}
    started = 0
    for site in context.registry().sites:
        id = f"{month}-{site}"
        if id not in known:
            context.records.start_drill(id, site, by=SCHEDULE, now_ms=now_ms)
            started += 1
    if started:
        log.info("drills started", extra={"month": month, "sites": started})
    return started


async def keep_plan(context: Context) -> None:
    """Until cancelled."""
    while True:
        start_due(context)
        await asyncio.sleep(LOOK_EVERY_S)
