"""One-time links, so that a terminal can offer a way in without showing the token."""

from fastapi import APIRouter, Request, Response

from api.asked import InContext
from api.replies import reply

router = APIRouter(tags=["sign-in"])


@router.post("/signin-links", status_code=201)
async def link(request: Request, context: InContext) -> Response:
    """Good for one person, once, within a day."""
    token = context.gate.new_link(context.now_ms())
    return reply({"url": f"{context.base_url(request.base_url)}/signin?token={token}"}, 201)
