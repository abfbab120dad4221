"""The api, put together: the guard outside, then programs' routes, then people's pages."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from zoneinfo import ZoneInfo

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware

from api import answers, buyer, drills, epcis, health, v1
from api.buyers import Buyers
from api.console import (
    alarm_pages,
    assets,
    duty_pages,
    explain_pages,
    live,
    lot_pages,
    now,
    people_pages,
    pipeline_pages,
    places,
    probe_pages,
    reference_pages,
    setup_pages,
    signin,
    try_pages,
    tuning_pages,
    week_pages,
)
from api.console.language import Words
from api.console.pages import page, words_of
from api.context import Context
from api.guard import FOR_PROGRAMS, Guard
from api.pauses import Pauses
from api.problems import Needed, NoSuchCode, NotYet, Problem
from api.registry import Registrar
from api.sessions import Gate, session_key
from api.settings import Settings
from api.sources import Sources
from disk.room import Full
from store.records import Refused, open_records

log = logging.getLogger(__name__)

MOST_BODY_BYTES = 8 << 20  # an EPCIS document of some ten thousand events
FORMS_OF_LISTS = frozenset({"/lots", "/probes", "/signin", "/silences", "/drills", "/people"})
PAGES = (
    assets, signin, live, now, places, setup_pages, duty_pages, people_pages, alarm_pages,
    explain_pages, try_pages, tuning_pages, week_pages, lot_pages, pipeline_pages, probe_pages,
    reference_pages,
)  # fmt: skip


def create_app(settings: Settings, now_ms: Callable[[], int]) -> FastAPI:
    """Takes the lock of ``records.db`` at once (``store.records.AlreadyOpen`` when another has
    it) and gives it back when the application's life ends."""
    records = open_records(settings.records_path)
    sources = Sources(settings, records)
    token = Path(settings.admin_token_file).read_text().strip()
    gate = Gate(token, session_key(Path(settings.session_key_file)))
    zone = ZoneInfo(settings.timezone)
    buyers = Buyers(Path(settings.records_path).with_name("buyers.db"))
    context = Context(settings, now_ms, sources, Registrar(records), gate, Pauses(sources), zone)

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        pulse = live.Pulse()
        app.state.pulse = pulse
        watcher = asyncio.create_task(pulse.watch(context), name="pulse")
        watcher.add_done_callback(_said_why)
        planner = asyncio.create_task(drills.keep_plan(context), name="drills")
        planner.add_done_callback(_no_more_drills)
        try:
            yield
        finally:
            for task in (watcher, planner):
                task.cancel()
            await asyncio.gather(watcher, planner, return_exceptions=True)
            buyers.close()
            sources.close()
            records.close()

    app = FastAPI(
        title="Coldtrail",
        version="1",
        lifespan=life,
        openapi_url="/api/v1/openapi.json",
        max_body_size=MOST_BODY_BYTES,
        docs_url=None,  # their pages load scripts from elsewhere
        redoc_url=None,
    )
    app.state.context = context
    app.state.buyers = buyers
    app.state.shelf = buyer.Shelf()
    app.state.capture_jobs = epcis.Jobs()
    for kind in answers.KINDS:
        app.add_exception_handler(kind, _told)
    for part in (health, buyer, v1, epcis, *PAGES):  # matched in turn: those asked most first
        app.include_router(part.router)
    app.add_middleware(GZipMiddleware, minimum_size=1_000, compresslevel=5)
    app.add_middleware(Guard, gate=gate, now_ms=now_ms)
    return app


def _said_why(watcher: asyncio.Task[None]) -> None:
    """Pages still answer without it, but are renewed by hand: somebody should know."""
    if not watcher.cancelled() and watcher.exception() is not None:
        log.error("pages are no longer renewed", exc_info=watcher.exception())


def _no_more_drills(planner: asyncio.Task[None]) -> None:
    if not planner.cancelled() and planner.exception() is not None:
        log.error("planned drills no longer start", exc_info=planner.exception())


async def _told(request: Request, error: Exception) -> Response:
    """Problem details for a program, a page in their own words for people."""
    if request.url.path.startswith(FOR_PROGRAMS):
        return answers.answer(error)
    words = words_of(request)
    match error:
        case Problem(field="mark"):
            status, what = error.status, words("problem.form_expired")
        case Problem(status=503, field=str(part)):
            status, what = 503, words("app.not_ready", part=words.known("part", part))
        case NoSuchCode():
            status, what = 404, words("problem.no_code")
        case NotYet():
            status, what = error.status, words("problem.future")
        case Needed():
            step, named = words.known("lot", error.step), words.known("field", error.field)
            status, what = error.status, words("problem.needed", step=step, field=named)
        case Problem(status=404) | HTTPException(status_code=404):
            status, what = 404, words("problem.not_found")
        case Problem() | HTTPException():
            status = error.status if isinstance(error, Problem) else error.status_code
            what = _named(words, error)
        case Full():
            status, what = 507, words("problem.full")
        case Refused() | RequestValidationError():
            status, what = 422, _named(words, error)
        case _:
            status, what = 500, words("problem.ours")
    return page(request, "problem.html", status, what=what, back=_back(request))


def _named(words: Words, error: Exception) -> str:
    """The reason, behind the name that the field has on the page."""
    field = getattr(error, "field", None)
    reason = error.reason if isinstance(error, Refused) else str(error)
    named = words.known("field", field)
    return f"{named}: {reason}" if field and named != field else str(error)


def _back(request: Request) -> str:
    """The page of the form that was sent: the list itself, or the thing that the form is about.
    Empty for a stranger with a wrong code, who has nowhere to go."""
    path = request.url.path
    if path.startswith("/t/"):
        return "" if request.method == "GET" else path.rpartition("/")[0]
    if request.method != "POST":
        return "/"
    return path if path in FORMS_OF_LISTS else path.rpartition("/")[0] or "/"
