"""Nothing is answered before it is known who asks, but for a short list that is public.

Programs show a bearer token. People have a signed cookie, which is enough to look; what
changes something needs the mark in the form as well (or the bearer token).
"""

from collections.abc import Callable

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.answers import problem
from api.sessions import COOKIE, Gate, Session

PUBLIC = frozenset({"/healthz", "/readyz", "/signin", "/assets/console.css", "/assets/console.js"})
PUBLIC_BELOW = ("/t/", "/readyz/")
FOR_PROGRAMS = ("/api/", "/epcis/", "/metrics")
REFERENCE = "/api/docs"  # a page for people, where they look for it

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
}


class Guard:
    """The outermost layer: who is asking, and headers on every answer."""

    def __init__(self, app: ASGIApp, gate: Gate, now_ms: Callable[[], int]) -> None:
        self._app = app
        self._gate = gate
        self._now_ms = now_ms

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        answer = self._answer_at_once(HTTPConnection(scope))
        if answer is not None:
            await answer(scope, receive, with_headers)
            return
        await self._app(scope, receive, with_headers)

    def _answer_at_once(self, asked: HTTPConnection) -> Response | None:
        path = asked.url.path
        session = self._session(asked)
        asked.scope.setdefault("state", {})["session"] = session
        if session is not None or path in PUBLIC or path.startswith(PUBLIC_BELOW):
            return None
        if path.startswith(FOR_PROGRAMS) and path != REFERENCE:
            challenge = {"WWW-Authenticate": 'Bearer realm="coldtrail"'}
            return problem(401, "a bearer token is needed", headers=challenge)
        return RedirectResponse("/signin", 303)

    def _session(self, asked: HTTPConnection) -> Session | None:
        scheme, _, token = asked.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return Session("admin", "", "") if self._gate.knows(token.strip()) else None
        session = self._gate.session(asked.cookies.get(COOKIE), self._now_ms())
        changes = asked.scope["method"] not in ("GET", "HEAD", "OPTIONS")
        if changes and asked.url.path.startswith(FOR_PROGRAMS):
            return None  # a cookie alone may come from another site's form
        return session
