"""Notices from outside when Coldtrail itself is silent, and tells by a channel of its own.

One look, for cron on another machine: nothing of it depends on what it watches. What it knew at
the last look stands in a small file beside its settings, so that an outage is told once, again
each hour, and its end once.
"""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec

from channels.connect import connect
from channels.ports import Channel, Outgoing, Refused, Reply, TryLater
from channels.settings import ChannelSettings
from coldtrail.settings import Wrong, plain
from disk.whole import write_whole
from domain.message import clock_of
from domain.template import fill

ANSWER_S = 10.0
MINUTE_MS = 60_000
Phone = Annotated[str, msgspec.Meta(pattern=r"^\+[1-9][0-9]{6,14}$")]


class Watch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The settings. ``url``: the api as seen from here. ``name``: in the text, instead of a link.
    ``looks``: so many in a row must fail. ``alive_s``: older is the alerts role's sign of life."""

    url: str
    people: Annotated[list[Phone], msgspec.Meta(min_length=1)]
    channel: ChannelSettings
    name: str = "Coldtrail"
    lang: str = "zh"
    looks: Annotated[int, msgspec.Meta(ge=1)] = 2
    alive_s: Annotated[int, msgspec.Meta(ge=120)] = 300
    repeat_min: Annotated[int, msgspec.Meta(ge=1)] = 60


class Known(msgspec.Struct, frozen=True):
    """From the last look. ``told_ms`` 0: nobody yet."""

    since_ms: int = 0
    failed: int = 0
    told_ms: int = 0


@dataclass(frozen=True, slots=True)
class Looked:
    """``why`` empty: all is well. ``told``: how many phones; ``untold``: that could not be."""

    why: str
    told: int
    untold: list[str]


def load(path: Path) -> Watch:
    """``Wrong`` names what cannot be used."""
    try:
        watch = msgspec.toml.decode(path.read_bytes(), type=Watch)
    except OSError as error:
        raise Wrong(f"{path}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Wrong(f"{path}: {plain(error)}") from error
    secret = watch.channel.secret_file
    channel = msgspec.structs.replace(
        watch.channel, secret_file=str(path.parent / secret) if secret else ""
    )
    return msgspec.structs.replace(watch, channel=channel)


def look(path: Path, now_ms: Callable[[], int]) -> Looked:
    watch = load(path)
    kept = path.with_name(f"{path.name}.state")
    known = _known(kept)
    why = _what_is_wrong(watch)
    at_ms = now_ms()
    if not why and not known.told_ms:
        _keep(kept, Known())
        return Looked("", 0, [])
    if why:
        since_ms = known.since_ms or at_ms
        known = Known(since_ms, known.failed + 1, known.told_ms)
        again = at_ms - known.told_ms >= watch.repeat_min * MINUTE_MS
        if known.failed < watch.looks or not again:
            _keep(kept, known)
            return Looked(why, 0, [])
    kind = "watchdog" if why else "watchdog-over"
    untold = _tell(watch, kind, known.since_ms, at_ms, now_ms)
    told = len(watch.people) - len(untold)
    if told:  # who was reached decides: a repeat goes to all, a failure to all again at once
        _keep(kept, Known(known.since_ms, known.failed, at_ms) if why else Known())
    else:
        _keep(kept, known)
    return Looked(why, told, untold)


def _what_is_wrong(watch: Watch) -> str:
    try:
        with urllib.request.urlopen(f"{watch.url.rstrip('/')}/readyz", timeout=ANSWER_S) as answer:  # noqa: S310 - the operator's own setting
            said = json.loads(answer.read(65_536))
    except urllib.error.HTTPError as error:
        with error:
            return f"readyz answers {error.code}"
    except (OSError, ValueError) as error:
        return f"readyz does not answer: {error}"
    age = said.get("alive_s") if isinstance(said, dict) else None
    if not isinstance(age, int):
        return "readyz does not say when readings were last judged"
    return f"readings were last judged {age} s ago" if age > watch.alive_s else ""


def _tell(
    watch: Watch, kind: str, since_ms: int, at_ms: int, now_ms: Callable[[], int]
) -> list[str]:
    """What could not be told, by phone."""
    lang = "en" if watch.lang == "en" else "zh"
    filled = fill(f"{kind}-{lang}", {"place": watch.name, "since": clock_of(since_ms)})
    untold = []
    try:
        channel = connect(
            watch.channel, on_reply=not_here, on_receipt=not_here_either, now_ms=now_ms, hear=False
        )
    except (OSError, ValueError) as error:
        return [f"{phone}: {error}" for phone in watch.people]
    try:
        for phone in watch.people:
            key = f"{kind}.{since_ms}.{at_ms}.{phone}"
            message = Outgoing(key, phone, filled.text(), kind, filled)
            if why := sent_within(channel, message, ANSWER_S):
                untold.append(f"{phone}: {why}")
    finally:
        channel.close()
    return untold


def sent_within(channel: Channel, message: Outgoing, seconds: float) -> str:
    """Tried until it is taken: a link needs a moment to come up. What went wrong, or nothing."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            channel.send(message)
        except Refused as error:
            return str(error)
        except TryLater as error:
            if time.monotonic() > deadline:
                return str(error)
            time.sleep(0.2)
        else:
            return ""


def not_here(_reply: Reply) -> None:
    raise TryLater("only the running system takes replies")


def not_here_either(_id: str, _state: str) -> None:
    raise TryLater("only the running system takes receipts")


def _known(path: Path) -> Known:
    """A file that cannot be read is as none: at worst an outage is told twice."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Known)
    except (OSError, msgspec.DecodeError):
        return Known()


def _keep(path: Path, known: Known) -> None:
    write_whole(path, msgspec.json.encode(known), sync=False)
