"""Does it live, does it do its job, and the numbers worth graphing."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from api.asked import InContext
from api.channels import ways_now
from api.context import Context
from api.pipeline import pipeline_now
from api.replies import reply
from api.system import NEEDED, PartNow, alarms_now, parts_now
from store.notices import LAST_ALIVE

router = APIRouter(include_in_schema=False)


@router.get("/healthz")
async def healthz() -> Response:
    return reply({"status": "lives"})


@router.get("/readyz")
async def readyz(context: InContext) -> Response:
    """503 names the stores that other roles have not made yet, and each part that does not do its
    job, with the codes of the reasons; the words are for those signed in. ``alive_s``: how long
    ago the alerts role last said that it judges, for ``coldtrail watchdog``."""
    missing = list(context.sources.missing())
    parts = parts_now(context)
    ready = not missing and all(one.ready for one in parts if one.name in NEEDED)
    alive_ms = context.sources.notices.ask(lambda reader: reader.about(LAST_ALIVE))
    alive_s = None if alive_ms is None else max(0, context.now_ms() - alive_ms) // 1000
    return reply(
        {
            "ready": ready,
            "missing": missing,
            "alive_s": alive_s,
            "parts": {one.name: _part(one) for one in parts},
        },
        200 if ready else 503,
    )


@router.get("/readyz/{part}")
async def readyz_of(part: str, context: InContext) -> Response:
    """One part alone, as its container or unit may ask."""
    found = next((one for one in parts_now(context) if one.name == part), PartNow(part, ()))
    return reply(_part(found), 200 if found.ready else 503)


def _part(one: PartNow) -> dict[str, object]:
    return {"ready": one.ready, "reasons": sorted({alarm.code for alarm in one.reasons})}


@router.get("/metrics")
async def metrics(context: InContext) -> Response:
    return Response(generate_latest(_measured(context)), media_type=CONTENT_TYPE_LATEST)


def _measured(context: Context) -> CollectorRegistry:
    """Made anew for each scrape: every number is somebody else's."""
    registry = CollectorRegistry()
    missing = Gauge(
        "coldtrail_part_missing", "1: a store is not there", ["part"], registry=registry
    )
    absent = context.sources.missing()
    for part in ("readings", "facts", "notices", "trace"):
        missing.labels(part).set(part in absent)
    own = Gauge(
        "coldtrail_system_alarms", "Alarms of the system itself", ["level"], registry=registry
    )
    said = alarms_now(context)
    for level in ("warning", "critical"):
        own.labels(level).set(sum(one.kind.level == level for one in said))
    now = context.sources.readings.ask(lambda reader: pipeline_now(context, reader))
    if now is not None:
        totals = Gauge(
            "coldtrail_readings", "Readings by what became of them", ["fate"], registry=registry
        )
        totals.labels("received").set(now.received)
        for name in ("stored", "duplicates", "conflicts", "too_late"):
            totals.labels(name).set(now.totals[name])
        for name, about in (
            ("batches", "Batches received"),
            ("quarantined", "Messages that were not admitted"),
        ):
            gauge = Gauge(f"coldtrail_{name}", about, registry=registry)
            gauge.set(now.totals[name])
        behind = Gauge(
            "coldtrail_follower_behind", "Arrivals not yet read", ["follower"], registry=registry
        )
        for follower in now.followers:
            if follower.behind is not None:
                behind.labels(follower.name).set(follower.behind)
    ways = context.sources.notices.ask(lambda reader: ways_now(context, reader))
    if ways is not None:
        failing = Gauge(
            "coldtrail_channel_failing", "1: it takes nothing", ["channel"], registry=registry
        )
        for way in ways:
            failing.labels(way.name).set(way.failing_ms is not None)
    active = context.sources.facts.ask(lambda reader: reader.facts(active=True))
    if active is not None:
        alarms = Gauge("coldtrail_alarms_active", "Active alarms", ["level"], registry=registry)
        for level in ("warning", "critical"):
            alarms.labels(level).set(sum(fact.level == level for fact in active))
    return registry
