"""URL to channel: ``log:`` or ``smpp://system-id@host:port?from=number``."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from channels.log import LogChannel
from channels.ports import Channel, OnReceipt, OnReply

SMPP_PORT = 2775  # IANA
KNOWN = {"from"}


def connect(
    url: str,
    *,
    password_file: str,
    on_reply: OnReply,
    on_receipt: OnReceipt,
    now_ms: Callable[[], int],
) -> Channel:
    """The channel, started. ``ValueError`` names what is wrong with the URL; an unreachable
    carrier is not an error: sends raise ``TryLater`` until the link is there."""
    parts = urlsplit(url)
    if parts.scheme == "log":
        return LogChannel()
    if parts.scheme != "smpp":
        raise ValueError(f"no channel for {parts.scheme or url!r}: use log: or smpp://")
    options = parse_qs(parts.query, strict_parsing=bool(parts.query))
    if unknown := sorted(set(options) - KNOWN):
        raise ValueError(f"unknown option in the SMS url: {', '.join(unknown)}")
    if not parts.hostname or not parts.username:
        raise ValueError("the SMS url needs a system id and a host: smpp://id@host:port")

    from channels.smpp import SmppChannel  # only who sends SMS installs smpplib

    return SmppChannel(
        host=parts.hostname,
        port=parts.port or SMPP_PORT,
        system_id=parts.username,
        password=Path(password_file).read_text().strip(),
        source=options.get("from", [""])[0],
        on_reply=on_reply,
        on_receipt=on_receipt,
        now_ms=now_ms,
    )
