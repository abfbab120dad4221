"""From values to a page: templates, language, forms that only our own pages can send."""

import base64
import hashlib
import hmac
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any
from uuid import uuid4

from fastapi import Request, Response
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from starlette.datastructures import FormData

from api.asked import caller_of, context_of
from api.console.language import Words, preferred
from api.context import Context
from api.problems import Problem

LANGUAGE_COOKIE = "coldtrail_language"
HTML = "text/html; charset=utf-8"


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("api.console"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def asset(name: str) -> bytes:
    return files("api.console").joinpath("assets", name).read_bytes()


@cache
def asset_url(name: str) -> str:
    """Named by its content, so that a phone may keep it for good."""
    return f"/assets/{name}?v={hashlib.sha256(asset(name)).hexdigest()[:12]}"


@cache
def asset_hash(name: str) -> str:
    """As a content security policy names it (CSP 3, 2.3.1)."""
    return "sha256-" + base64.b64encode(hashlib.sha256(asset(name)).digest()).decode()


def words_for(request: Request, context: Context) -> Words:
    lang = request.query_params.get("lang") or request.cookies.get(LANGUAGE_COOKIE)
    accept = request.headers.get("accept-language", "")
    return Words(preferred(lang, accept), context.zone, context.now_ms())


def page(request: Request, template: str, status: int = 200, /, **values: Any) -> Response:
    text = rendered(request, template, **values)
    headers = {"Cache-Control": "no-store", "Content-Language": words_of(request).html_lang}
    return Response(text, status, media_type=HTML, headers=headers)


def rendered(request: Request, template: str, /, **values: Any) -> str:
    context = context_of(request)
    words = words_for(request, context)
    session = getattr(request.state, "session", None)
    return (
        _templates()
        .get_template(template)
        .render(
            w=words,
            now_ms=context.now_ms(),
            session=session,
            beat=request.app.state.pulse.beat,
            path=request.url.path,
            address=_address(request),
            asset_url=asset_url,
            inline_style=lambda name: Markup(asset(name).decode()),  # noqa: S704 - our own file
            new_key=lambda: uuid4().hex,
            phone_url=context.settings.demo_phone_url,
            **values,
        )
    )


def _address(request: Request) -> str:
    query = f"?{request.url.query}" if request.url.query else ""
    return request.url.path + query


def words_of(request: Request) -> Words:
    return words_for(request, context_of(request))


async def form_of(request: Request) -> FormData:
    """The form, if one of our own pages made it for this session."""
    form = await request.form(max_files=0, max_fields=100)
    expected = caller_of(request).form_mark
    given = form.get("mark")
    if (
        not isinstance(given, str)
        or not expected
        or not hmac.compare_digest(given.encode(), expected.encode())
    ):
        raise Problem(403, "the form has expired", field="mark")
    return form


def field(form: FormData, name: str, default: str = "") -> str:
    value = form.get(name, default)
    return value.strip() if isinstance(value, str) else default


def form_instant(form: FormData, context: Context, name: str = "at") -> int:
    """A ``datetime-local`` in the installation's zone; empty means now. Whole minutes that have
    just begun are not in the future of a form sent within them."""
    text = field(form, name)
    return local_instant(text, context, name) if text else context.now_ms()


def local_instant(text: str, context: Context, name: str) -> int:
    try:
        local = datetime.fromisoformat(text)
    except ValueError as error:
        raise Problem(422, f"not a time: {text[:40]!r}", field=name) from error
    aware = local if local.tzinfo else local.replace(tzinfo=context.zone)
    return int(aware.timestamp()) * 1000


def safe_path(text: str) -> str:
    """A path of this site, or the front page: never another host."""
    inside = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable()
    return text if inside else "/"
