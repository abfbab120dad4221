"""EPCIS 2.0 over HTTP: capture with jobs, one event at a time, the simple event query.

A capture is checked against the schema before its 202, and is then in records; its job says
what came of folding it into stays. Jobs live as long as this process: they answer a client
that waits, the record is the events.
"""

import secrets
from collections import OrderedDict
from typing import Any, cast
from urllib.parse import urlencode

import orjson
from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from api.answers import problem
from api.asked import Caller, InContext
from api.context import Context
from api.lots import all_events, folded
from api.problems import Problem
from api.replies import reply
from domain.instant import rfc3339
from traceability.epcis import (
    BadQuery,
    Invalid,
    TooLarge,
    query,
    query_document,
    validate,
)

router = APIRouter(prefix="/epcis/v2", tags=["epcis"])

VERSIONS = {"GS1-EPCIS-Version": "2.0.0", "GS1-CBV-Version": "2.0.0"}
MOST_JOBS = 1_000
Jobs = OrderedDict[str, dict[str, Any]]


def _jobs(request: Request) -> Jobs:
    return cast(Jobs, request.app.state.capture_jobs)


def _problem(
    status: int, name: str, detail: str, errors: list[dict[str, str]] | None = None
) -> Response:
    type = f"epcisException:{name}"
    return problem(status, detail, type=type, errors=errors or [], headers=VERSIONS)


async def _document(request: Request) -> object:
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind not in ("application/json", "application/ld+json"):
        raise Problem(415, "application/json or application/ld+json", field="Content-Type")
    try:
        return orjson.loads(await request.body())
    except orjson.JSONDecodeError as error:
        raise Problem(
            400, f"not JSON: {error}", type="epcisException:ValidationException"
        ) from error


def _invalid(error: Invalid) -> Response:
    errors = []
    for line in error.problems:
        field, _, reason = line.partition(": ")
        errors.append({"field": field, "reason": reason})
    return _problem(400, "ValidationException", str(error), errors)


@router.post("/capture", status_code=202)
async def capture(request: Request, context: InContext, caller: Caller) -> Response:
    document = await _document(request)
    try:
        events = await run_in_threadpool(validate, document)
    except Invalid as error:
        return _invalid(error)
    now_ms = context.now_ms()
    id = secrets.token_hex(8)
    context.records.capture(events, by=caller.person, now_ms=now_ms)
    mine = {str(event["eventID"]) for event in events}
    misfits = [m for m in folded(all_events(context)).misfits if m.event in mine]
    jobs = _jobs(request)
    jobs[id] = {
        "captureID": id,
        "createdAt": rfc3339(now_ms),
        "finishedAt": rfc3339(context.now_ms()),
        "running": False,
        "success": True,
        "captureErrorBehaviour": "rollback",
        "errors": [
            {
                "type": "epcisException:ValidationException",
                "title": "recorded, but it does not fit what was known of the goods",
                "status": 200,
                "detail": f"{misfit.event}: {misfit.object}: {misfit.reason}",
            }
            for misfit in misfits
        ],
    }
    while len(jobs) > MOST_JOBS:
        jobs.popitem(last=False)
    where = f"{context.base_url(request.base_url)}/epcis/v2/capture/{id}"
    return Response(status_code=202, headers={"Location": where, **VERSIONS})


@router.get("/capture/{id}")
async def job(id: str, request: Request) -> Response:
    found = _jobs(request).get(id)
    if found is None:
        return _problem(404, "NoSuchResourceException", f"there is no capture job {id[:64]!r}")
    return reply(found, headers=VERSIONS)


@router.post("/events", status_code=201)
async def one_event(request: Request, context: InContext, caller: Caller) -> Response:
    document = await _document(request)
    if not isinstance(document, dict) or document.get("type") == "EPCISDocument":
        return _problem(400, "ValidationException", "one event: several go to /epcis/v2/capture")
    try:
        event = validate(document)[0]
    except Invalid as error:
        return _invalid(error)
    context.records.capture([event], by=caller.person, now_ms=context.now_ms())
    where = f"{context.base_url(request.base_url)}/epcis/v2/events?" + urlencode(
        {"EQ_eventID": event["eventID"]}
    )
    return Response(status_code=201, headers={"Location": where, **VERSIONS})


@router.get("/events")
async def events(request: Request, context: InContext) -> Response:
    """The simple event query; an unknown parameter is refused by its name."""
    given: dict[str, list[str]] = {}
    for name, value in request.query_params.multi_items():
        given.setdefault(name, []).append(value)
    try:
        page = query(all_events(context), given)
    except BadQuery as error:
        errors = [{"field": error.parameter, "reason": error.reason}]
        return _problem(400, "QueryParameterException", str(error), errors)
    except TooLarge as error:
        return _problem(413, "QueryTooLargeException", str(error))
    headers = dict(VERSIONS)
    if page.next is not None:
        again = {**given, "nextPageToken": [page.next]}
        where = (
            f"{context.base_url(request.base_url)}/epcis/v2/events?{urlencode(again, doseq=True)}"
        )
        headers["Link"] = f'<{where}>; rel="next"'
    return _query_result(context, page.events, headers)


def _query_result(
    context: Context, found: list[dict[str, Any]], headers: dict[str, str]
) -> Response:
    return reply(query_document(found, rfc3339(context.now_ms())), headers=headers)
