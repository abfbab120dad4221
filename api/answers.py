"""Errors as problem details (RFC 7807): what a program gets for an exception."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from api.problems import Problem
from disk.room import Full
from store.records import Refused

MEDIA_TYPE = "application/problem+json"


def problem(
    status: int,
    detail: str,
    *,
    field: str | None = None,
    type: str = "about:blank",
    errors: Sequence[Mapping[str, str]] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    body: dict[str, Any] = {
        "type": type,
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if field is not None:
        body["field"] = field
    if errors:
        body["errors"] = list(errors)
    return Response(orjson.dumps(body), status, media_type=MEDIA_TYPE, headers=dict(headers or {}))


def where(location: Sequence[object]) -> str:
    """``("body", "detail", "lot")`` as ``detail.lot``: the name as the caller wrote it. Text that
    is no JSON has a place in the body and no name."""
    if location[0] == "body" and len(location) == 2 and isinstance(location[1], int):
        return "body"
    return ".".join(str(part) for part in location[1:]) or str(location[0])


def answer(error: Exception) -> Response:
    """What a program gets for an exception that ended its request."""
    match error:
        case Problem():
            retry = {"Retry-After": "2"} if error.status == 503 else None
            return problem(
                error.status, error.detail, field=error.field, type=error.type, headers=retry
            )
        case Full():
            return problem(507, "the server's disk is full: nothing was kept")
        case Refused():
            return problem(422, error.reason, field=error.field)
        case RequestValidationError():
            errors = [
                {
                    "field": where(found["loc"]),
                    "reason": str(found["msg"]).removeprefix("Value error, "),
                }
                for found in error.errors()
            ]
            first = errors[0]
            detail = f"{first['field']}: {first['reason']}"
            return problem(422, detail, field=first["field"], errors=errors)
        case HTTPException():
            return problem(error.status_code, str(error.detail), headers=error.headers)
        case _:
            return problem(500, "a mistake of ours; it is in the log")


KINDS: tuple[type[Exception], ...] = (
    Problem,
    Refused,
    Full,
    RequestValidationError,
    HTTPException,
    Exception,
)
