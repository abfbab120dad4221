"""Who may hand in readings at this gateway: the installer's user, and one a device.

A device's user is a file of its own, so that a device is added and taken away without a
restart, and without touching another's: ``NAME.password``, and beside it ``NAME.hears`` with
the topics that it may listen to, one a line.
"""

import hmac
import re
import secrets
from collections.abc import Iterable
from pathlib import Path

from disk.whole import PRIVATE, write_whole
from gateway import keys
from gateway.edge_broker import User
from gateway.settings import Settings

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
TAKEN = ("gateway", "admin", "installer", "api")
_PASSWORD, _HEARS = ".password", ".hears"


class Unfit(Exception):
    """A name or a filter that cannot be; the text says why."""


def users(settings: Settings) -> list[User]:
    """Everybody who may publish, the installer's first."""
    named = [User(u.username, keys.password(u.password_file)) for u in settings.device_users]
    return named + in_folder(settings.devices_folder)


def in_folder(folder: str) -> list[User]:
    found = []
    for path in _files(folder):
        hears = path.with_suffix(_HEARS)
        filters = hears.read_text().split() if hears.exists() else []
        found.append(User(path.stem, keys.password(str(path)), tuple(filters)))
    return found


def add(folder: Path, name: str, hears: Iterable[str] = ()) -> Path:
    """A user with a password of its own making; where it stands. Again: the same password."""
    if NAME.fullmatch(name) is None or name in TAKEN:
        raise Unfit(f"{name!r} cannot be a device's user: letters, digits, - _ . and not {TAKEN}")
    filters = list(hears)
    for filter_ in filters:
        levels = filter_.split("/")
        if not levels[0] or levels[0][0] in "#+$" or any(c.isspace() for c in filter_):
            raise Unfit(f"{filter_!r}: name the first level of what it may listen to")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{name}{_PASSWORD}"
    if filters:
        path.with_suffix(_HEARS).write_text("\n".join(filters) + "\n")
    if not path.exists():
        write_whole(path, secrets.token_urlsafe(18) + "\n", mode=PRIVATE)
    return path


def remove(folder: Path, name: str) -> bool:
    """False when there is no such device."""
    path = folder / f"{name}{_PASSWORD}"
    if NAME.fullmatch(name) is None or not path.exists():
        return False
    path.unlink()
    path.with_suffix(_HEARS).unlink(missing_ok=True)
    return True


def named_by(users: Iterable[User], username: str, password: str) -> User | None:
    """The user whose name and password these are."""
    for user in users:
        if user.username == username and hmac.compare_digest(
            user.password.encode(), password.encode()
        ):
            return user
    return None


class Watch:
    """Notices that the folder holds others than before."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.devices_folder
        self._seen = self._look()

    def changed(self) -> bool:
        seen = self._look()
        if seen == self._seen:
            return False
        self._seen = seen
        return True

    def _look(self) -> list[tuple[str, int]]:
        files = [f for path in _files(self._folder) for f in (path, path.with_suffix(_HEARS))]
        return [(file.name, file.stat().st_mtime_ns) for file in files if file.exists()]


def _files(folder: str) -> list[Path]:
    if not folder or not Path(folder).is_dir():
        return []
    return sorted(p for p in Path(folder).glob(f"*{_PASSWORD}") if NAME.fullmatch(p.stem))
