"""The api as a role: one process, one thread that answers, until it is told to stop."""

import gc
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

import uvicorn
from fastapi import FastAPI

from api import system
from api.app import create_app
from api.console.live import Pulse
from api.settings import Settings

log = logging.getLogger(__name__)

LONGEST_GOODBYE_S = 3  # an open page's stream must not hold up the stop


class CannotListen(Exception):
    """Somebody else has the port."""


def run(
    settings: Settings, *, now_ms: Callable[[], int], stop: threading.Event, alone: bool = False
) -> None:
    """Blocks until ``stop`` is set. ``alone``: the process is this role's and nobody else's.

    Raises ``CannotListen`` when the port is taken, and ``store.records.AlreadyOpen`` when
    ``records.db`` is."""
    app = create_app(settings, now_ms)
    server = _Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,  # addresses may carry a one-time link
            server_header=False,
            timeout_graceful_shutdown=LONGEST_GOODBYE_S,
        )
    )
    threading.Thread(target=_stop_when_told, args=(stop, server), name="stop", daemon=True).start()
    threading.Thread(
        target=system.watch, args=(app.state.context, stop), name="system", daemon=True
    ).start()
    log.info("api starts", extra={"port": settings.port})
    if alone:
        # What is loaded now lives as long as the process. Looking through all of it again and again
        # kept every answer waiting for 50 to 90 ms, once a second at 200 requests a second.
        gc.collect()
        gc.freeze()
    try:
        server.run()
    except SystemExit as error:  # how uvicorn says that it cannot listen
        raise CannotListen(f"{settings.host}:{settings.port}") from error
    if not stop.is_set():
        raise RuntimeError("the api ended without being told to")


class _Server(uvicorn.Server):
    """Signals belong to whoever runs the role; open streams end before the goodbye is waited for."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self.pulse.stop()
        await super().shutdown(sockets)

    @property
    def pulse(self) -> Pulse:
        app = cast(FastAPI, self.config.app)
        return cast(Pulse, app.state.pulse)


def _stop_when_told(stop: threading.Event, server: uvicorn.Server) -> None:
    stop.wait()
    server.should_exit = True
