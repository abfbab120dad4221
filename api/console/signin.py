"""Coming in, going out, and in which language."""

from fastapi import APIRouter, Request, Response
from starlette.responses import RedirectResponse

from api.asked import InContext
from api.console.language import LANGUAGES
from api.console.pages import LANGUAGE_COOKIE, field, form_of, page, safe_path
from api.context import Context
from api.sessions import COOKIE, LASTS_MS

router = APIRouter(include_in_schema=False)


def _signed_in(context: Context, request: Request) -> Response:
    answer = RedirectResponse("/", 303)
    answer.set_cookie(
        COOKIE,
        context.gate.new_cookie(context.now_ms()),
        max_age=LASTS_MS // 1000,
        httponly=True,
        samesite="lax",  # strict would not survive the link from a message
        secure=request.url.scheme == "https",
    )
    return answer


@router.get("/signin")
async def ask(request: Request, context: InContext, token: str = "") -> Response:
    """A form; or, with a one-time link (or the token itself), in at once."""
    if not token:
        return page(request, "signin.html", wrong=False)
    if context.gate.use_link(token, context.now_ms()) or context.gate.knows(token):
        return _signed_in(context, request)
    return page(request, "signin.html", 403, wrong=True)


@router.post("/signin")
async def enter(request: Request, context: InContext) -> Response:
    form = await request.form(max_files=0, max_fields=10)
    if context.gate.knows(field(form, "token")):
        return _signed_in(context, request)
    return page(request, "signin.html", 403, wrong=True)


@router.post("/signout")
async def leave(request: Request) -> Response:
    await form_of(request)
    answer = RedirectResponse("/signin", 303)
    answer.delete_cookie(COOKIE)
    return answer


@router.get("/language")
async def language(to: str = "zh", back: str = "/") -> Response:
    answer = RedirectResponse(safe_path(back), 303)
    if to in LANGUAGES:
        answer.set_cookie(LANGUAGE_COOKIE, to, max_age=365 * 86400, samesite="lax")
    return answer
