"""Tells an open page that something changed, so that it fetches itself anew.

One watcher looks at the journals for all pages. What people must see (facts, changes) is told
at the next look; readings alone at most every ten seconds, for the sake of a slow link.
"""

import asyncio
from collections.abc import AsyncIterator
from functools import partial

from fastapi import APIRouter, Request
from starlette.responses import StreamingResponse

from api.context import Context
from store.facts import SqlFactsReader
from store.facts_ports import StoredFact

LOOK_S = 1.0
READINGS_EVERY_S = 10.0
MOST_PAGES = 200  # open at once; the next one goes without and is refreshed by hand

router = APIRouter(include_in_schema=False)


class Pulse:
    """``beat`` grows with each change worth showing; ``pages`` listen."""

    def __init__(self) -> None:
        self.beat = 0
        self.pages = 0
        self.stopped = False
        self._changed = asyncio.Condition()

    async def watch(self, context: Context) -> None:
        """Until cancelled."""
        clock = asyncio.get_running_loop().time
        urgent, n, told_s = _urgent(context, 0), _arrived(context), clock()
        while True:
            await asyncio.sleep(LOOK_S)
            now, arrived = _urgent(context, urgent[1]), _arrived(context)
            if now != urgent or (arrived != n and clock() - told_s >= READINGS_EVERY_S):
                urgent, n, told_s = now, arrived, clock()
                await self._tell()

    async def stop(self) -> None:
        self.stopped = True
        await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self.beat += 1
            self._changed.notify_all()

    async def listen(self, seen: int) -> AsyncIterator[bytes]:
        """``seen``: the beat at which the page was made, so that nothing falls between."""
        self.pages += 1
        try:
            yield b"retry: 3000\n\n"
            while not self.stopped:
                try:
                    async with asyncio.timeout(20), self._changed:
                        await self._changed.wait_for(lambda: self.beat != seen)  # noqa: B023 - awaited before seen moves on
                    seen = self.beat
                    yield b"event: changed\ndata: 1\n\n"
                except TimeoutError:
                    yield b": still here\n\n"  # so that a dead link is noticed
        finally:
            self.pages -= 1


def _urgent(context: Context, after: int) -> tuple[int, int]:
    """The ends of the changes journal and of the journal of fact versions."""
    return context.records.last_change(), _newest_fact(context, after)


def _arrived(context: Context) -> int:
    return context.sources.readings.ask(lambda reader: int(reader.last_arrival())) or 0


def _newest_fact(context: Context, after: int) -> int:
    """The end of the journal of fact versions."""
    page = context.sources.facts.ask(partial(_versions_after, after))
    while page:
        after = page[-1].seq
        page = context.sources.facts.ask(partial(_versions_after, after))
    return after


def _versions_after(seq: int, reader: SqlFactsReader) -> list[StoredFact]:
    return reader.versions_after(seq)


@router.get("/events")
async def events(request: Request, seen: int | None = None) -> StreamingResponse:
    pulse: Pulse = request.app.state.pulse
    if pulse.pages >= MOST_PAGES:
        return StreamingResponse(iter(()), 204)
    return StreamingResponse(
        pulse.listen(pulse.beat if seen is None else seen),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store"},
    )
