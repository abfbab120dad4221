"""What every answer may need: the stores, the clock, who is asking."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, cast
from zoneinfo import ZoneInfo

from fastapi import Depends, Request

from api.pauses import Pauses
from api.registry import Registrar, Registry
from api.sessions import Gate, Session
from api.settings import Settings
from api.sources import Sources
from store.records.ports import Records


@dataclass(frozen=True, slots=True)
class Context:
    settings: Settings
    now_ms: Callable[[], int]
    sources: Sources
    registrar: Registrar
    gate: Gate
    pauses: Pauses
    zone: ZoneInfo

    @property
    def records(self) -> Records:
        return self.sources.records

    def registry(self) -> Registry:
        return self.registrar.now()

    def base_url(self, request: Request) -> str:
        """What others reach us by: as configured, else as this caller did."""
        return self.settings.base_url or str(request.base_url).rstrip("/")


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
