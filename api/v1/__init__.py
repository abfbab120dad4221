"""``/api/v1``: what programs read and say."""

from fastapi import APIRouter

from api.v1 import (
    alarms,
    dry_runs,
    lots,
    people,
    pipeline,
    places,
    probes,
    readings,
    reports,
    rooms,
    signin,
    silences,
    tuning,
)

router = APIRouter(prefix="/api/v1")
for part in (  # matched in turn: what is asked most first
    readings,
    places,
    rooms,
    dry_runs,
    tuning,
    reports,
    probes,
    alarms,
    lots,
    pipeline,
    people,
    silences,
    signin,
):
    router.include_router(part.router)
