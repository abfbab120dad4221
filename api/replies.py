"""Answers of the API: plain values to JSON bytes, without a model in between."""

from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import Response
from pydantic import BaseModel, ConfigDict


def reply(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    body = orjson.dumps(content, option=orjson.OPT_PASSTHROUGH_SUBCLASS, default=_plain)
    return Response(body, status, media_type="application/json", headers=dict(headers or {}))


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple | frozenset | set):
        return list(value)
    if isinstance(value, str):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


class Asked(BaseModel):
    """Query parameters and bodies: whatever has no name here is refused by its name."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
