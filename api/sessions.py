"""Who is asking: bearer tokens for programs, signed cookies for people.

One administrator exists so far. A cookie holds (expiry, random id, mark); the mark is a keyed
BLAKE2b that only this server can make, so nothing is kept per session. A form carries a
second mark over the same id: another site can send the cookie, but cannot know that mark.
"""

import hmac
import secrets
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from disk.whole import PRIVATE, write_whole

COOKIE = "coldtrail_session"
KEY_BYTES = 32
LASTS_MS = 14 * 24 * 3600 * 1000
LINK_LASTS_MS = 24 * 3600 * 1000
_REMEMBERED_LINKS = 1_000


@dataclass(frozen=True, slots=True)
class Session:
    person: str
    id: str
    form_mark: str  # what each form of this session carries


class Gate:
    """Decides who comes in. ``token`` is the administrator's, ``key`` signs sessions."""

    def __init__(self, token: str, key: bytes) -> None:
        self._token = token.encode()
        self._key = key
        self._used_links: dict[str, int] = {}

    def knows(self, token: str) -> bool:
        return bool(self._token) and hmac.compare_digest(token.encode(), self._token)

    def new_cookie(self, now_ms: int) -> str:
        id = secrets.token_urlsafe(16)
        return self._signed("session", now_ms + LASTS_MS, id)

    def session(self, cookie: str | None, now_ms: int) -> Session | None:
        id = self._checked("session", cookie or "", now_ms)
        return None if id is None else Session("admin", id, self._mark("form", id))

    def new_link(self, now_ms: int) -> str:
        """Signs one person in once, within a day."""
        return self._signed("link", now_ms + LINK_LASTS_MS, secrets.token_urlsafe(16))

    def use_link(self, link: str, now_ms: int) -> bool:
        id = self._checked("link", link, now_ms)
        if id is None or id in self._used_links:
            return False
        self._used_links[id] = now_ms
        while len(self._used_links) > _REMEMBERED_LINKS:
            self._used_links.pop(next(iter(self._used_links)))
        return True

    def _signed(self, purpose: str, until_ms: int, id: str) -> str:
        named = f"{until_ms}.{id}"
        return f"{named}.{self._mark(purpose, named)}"

    def _checked(self, purpose: str, text: str, now_ms: int) -> str | None:
        named, _, mark = text.rpartition(".")
        until, _, id = named.partition(".")
        if not hmac.compare_digest(mark.encode(), self._mark(purpose, named).encode()):
            return None
        return id if int(until) > now_ms else None

    def _mark(self, purpose: str, text: str) -> str:
        digest = blake2b(text.encode(), key=self._key, person=purpose.encode(), digest_size=24)
        return digest.hexdigest()


def session_key(path: Path) -> bytes:
    """Made on first start, 0600; losing it signs everybody out, no more."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, secrets.token_hex(KEY_BYTES) + "\n", mode=PRIVATE)
    key = bytes.fromhex(path.read_text().strip())
    if len(key) != KEY_BYTES:
        raise ValueError(f"{path} does not hold {KEY_BYTES} bytes in hex")
    return key
