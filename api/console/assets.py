"""Style and script of the console: own origin, kept by the phone for good."""

from fastapi import APIRouter, Response

from api.console.pages import asset
from api.problems import Problem

router = APIRouter(prefix="/assets", include_in_schema=False)

TYPES = {"console.css": "text/css; charset=utf-8", "console.js": "text/javascript; charset=utf-8"}


@router.get("/{name}")
async def named(name: str) -> Response:
    if name not in TYPES:
        raise Problem(404, "there is no such file")
    kept = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(asset(name), media_type=TYPES[name], headers=kept)
