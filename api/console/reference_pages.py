"""What programs can ask, as a page: drawn here, because the usual viewers load scripts from
elsewhere."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response

from api.asked import InContext
from api.console.pages import page
from api.guard import REFERENCE

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Call:
    method: str
    path: str
    about: str
    fields: tuple[str, ...]  # of its path, query and body; * behind what must be given


def calls(document: dict[str, Any]) -> Iterator[Call]:
    """Each operation of an OpenAPI document."""
    schemas = document.get("components", {}).get("schemas", {})
    for path, methods in document["paths"].items():
        for method, said in methods.items():
            fields = [
                _marked(one["name"], one.get("required")) for one in said.get("parameters", ())
            ]
            media = said.get("requestBody", {}).get("content", {}).values()
            for schema in (one.get("schema", {}) for one in media):
                body = schemas.get(str(schema.get("$ref", "")).rpartition("/")[2], schema)
                needed = body.get("required", ())
                fields += [_marked(name, name in needed) for name in body.get("properties", {})]
            yield Call(method.upper(), path, said.get("description", ""), tuple(fields))


def _marked(name: str, needed: object) -> str:
    return f"{name}*" if needed else name


@router.get(REFERENCE)
async def reference(request: Request, context: InContext) -> Response:
    found = list(calls(request.app.openapi()))
    return page(request, "reference.html", calls=found, base=context.base_url(request.base_url))
