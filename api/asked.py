"""What a request brings to its route: the context, and who is asking."""

from typing import Annotated, cast

from fastapi import Depends, Request

from api.context import Context
from api.sessions import Session


def context_of(request: Request) -> Context:
    return cast(Context, request.app.state.context)


def caller_of(request: Request) -> Session:
    """Set by the guard before any route behind it is reached."""
    return cast(Session, request.state.session)


# Coroutines: a plain function would be a trip to another thread and back for each request.
async def _context(request: Request) -> Context:
    return context_of(request)


async def _caller(request: Request) -> Session:
    return caller_of(request)


InContext = Annotated[Context, Depends(_context)]
Caller = Annotated[Session, Depends(_caller)]
