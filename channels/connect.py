"""URL to channel: ``log:`` or ``smpp://system-id@host:port?from=number``."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, urlsplit

from channels.log import LogChannel
from channels.ports import Channel, OnReceipt, OnReply
from channels.settings import ChannelSettings

SMPP_PORT = 2775  # IANA
KNOWN = {"from"}


def checked(url: str) -> tuple[SplitResult, dict[str, list[str]]]:
    """The URL's parts and options. ``ValueError`` names what is wrong with it."""
    parts = urlsplit(url)
    if parts.scheme == "log":
        return parts, {}
    if parts.scheme != "smpp":
        raise ValueError(f"no channel for {parts.scheme or url!r}: use log: or smpp://")
    options = parse_qs(parts.query, strict_parsing=bool(parts.query))
    if unknown := sorted(set(options) - KNOWN):
        raise ValueError(f"unknown option in the SMS url: {', '.join(unknown)}")
    if not parts.hostname or not parts.username:
        raise ValueError("the SMS url needs a system id and a host: smpp://id@host:port")
    if parts.password is not None:
        raise ValueError("the SMS url holds no password: it is in a file of its own")
    if parts.port == 0:
        raise ValueError("the SMS url has the port 0")
    return parts, options


def checked_way(way: ChannelSettings) -> None:
    """``ValueError`` names what cannot be used, before anything is started."""
    checked(way.url)


def carries(url: str) -> str:
    """What the url's kind of channel brings: text or voice. ``ValueError`` as of ``checked``."""
    checked(url)
    return "text"


def connect(
    way: ChannelSettings,
    *,
    on_reply: OnReply,
    on_receipt: OnReceipt,
    now_ms: Callable[[], int],
) -> Channel:
    """The channel, started. ``ValueError`` as of ``checked``; an unreachable carrier is not an
    error: sends raise ``TryLater`` until the link is there."""
    parts, options = checked(way.url)
    if parts.scheme == "log":
        return LogChannel()

    from channels.smpp import SmppChannel  # only who sends SMS installs smpplib

    return SmppChannel(
        host=parts.hostname or "",
        port=parts.port or SMPP_PORT,
        system_id=parts.username or "",
        password=Path(way.secret_file).read_text().strip(),
        source=options.get("from", [""])[0],
        on_reply=on_reply,
        on_receipt=on_receipt,
        now_ms=now_ms,
    )
