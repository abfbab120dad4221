"""Texts by a GSM modem on this machine: files for gammu-smsd (its service ``files``).

gammu-smsd takes a file from ``outbox``, sends it, and moves it to ``sent`` or ``error``; what
comes in it writes to ``inbox``. The note in a file's name is made from the message's key, so that
a file that lies there already, waiting or sent, is not written a second time. A reply is moved to
``read`` after the callback has returned.

gammu-smsd needs ``transmitformat = unicode``: without that line 1.42 sends every Chinese
character as a question mark.
"""

import logging
import os
import re
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

from channels import gammu_smsd
from channels.ports import OnReply, Outgoing, Refused, Reply, Sent, TryLater

log = logging.getLogger(__name__)

ANSWER_S = 45.0  # a modem needs some seconds for each part
LOOK_S = 0.2
INBOX_EVERY_S = 1.0
LEFT_LYING_S = 600.0
URGENT = frozenset({"raise", "escalate"})
RECEIVED = re.compile(r"IN(?P<at>\d{8}_\d{6})_(?P<serial>\d+)_(?P<from>\+?\d+)_(?P<part>\d+)\.txt")


class GammuChannel:
    """See ``channels.ports.Channel``. ``folder`` holds inbox, outbox, sent and error, as
    gammu-smsd's own settings name them. ``smsdrc``: these settings; with them the modem itself can
    be asked for."""

    def __init__(
        self,
        folder: Path,
        *,
        on_reply: OnReply,
        now_ms: Callable[[], int],
        answer_s: float = ANSWER_S,
        hear: bool = True,
        smsdrc: Path | None = None,
    ) -> None:
        self._smsdrc = smsdrc
        self._inbox, self._outbox = folder / "inbox", folder / "outbox"
        self._sent, self._error, self._read = folder / "sent", folder / "error", folder / "read"
        self._on_reply, self._now_ms, self._answer_s = on_reply, now_ms, answer_s
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="gammu", daemon=True)
        if hear:
            self._thread.start()

    def send(self, message: Outgoing) -> Sent:
        note = _note(message.key)
        try:
            if not any(self._lies_in(f, note) for f in (self._outbox, self._sent, self._error)):
                self._put(message, note)
            return self._outcome(note)
        except OSError as error:
            raise TryLater(f"gammu-smsd's folders: {error}") from error

    def alive(self) -> None:
        """Whether gammu-smsd takes away what is put there; a dead modem leaves it lying. With its
        settings at hand, also whether it runs and its modem is there."""
        try:
            began = [path.stat().st_mtime for path in self._outbox.glob("OUT*")]
        except OSError as error:
            raise TryLater(f"gammu-smsd's folders: {error}") from error
        if not self._outbox.is_dir():
            raise TryLater(f"there is no folder {self._outbox}")
        if not os.access(self._outbox, os.W_OK | os.X_OK):
            raise TryLater(f"{self._outbox} cannot be written by this user")
        if began and time.time() - min(began) > LEFT_LYING_S:
            raise TryLater("gammu-smsd leaves what is in its outbox")
        if self._smsdrc is not None:
            gammu_smsd.ask(self._smsdrc)

    def take_back(self, key: str) -> bool:
        """True when the message was never put, or lay there unsent and is gone."""
        note = _note(key)
        if (lies := self._lies_in(self._outbox, note)) is not None:
            lies.unlink(missing_ok=True)
        return not any(self._lies_in(f, note) for f in (self._outbox, self._sent, self._error))

    def close(self) -> None:
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()

    def _put(self, message: Outgoing, note: str) -> None:
        """The order of names is the order of sending: A before C, then by time."""
        rank = "A" if message.kind in URGENT else "C"
        at = datetime.fromtimestamp(self._now_ms() / 1000, UTC).strftime("%Y%m%d_%H%M%S")
        name = f"OUT{rank}{at}_00_{message.to_phone}_{note}.txt"
        draft = self._outbox / f".{note}"  # gammu-smsd looks only at names that begin with OUT
        draft.write_bytes(b"\xff\xfe" + message.text.encode("utf-16-le"))
        draft.rename(self._outbox / name)

    def _outcome(self, note: str) -> Sent:
        deadline = time.monotonic() + self._answer_s
        while not self._closing.is_set():
            if self._lies_in(self._sent, note):
                return Sent(note)
            if failed := self._lies_in(self._error, note):
                failed.unlink()  # or the same key could never be sent again
                raise Refused("the modem could not send it")
            if time.monotonic() > deadline:
                raise TryLater("gammu-smsd has not sent it yet")
            self._closing.wait(LOOK_S)
        raise TryLater("the channel is closed")

    def _lies_in(self, folder: Path, note: str) -> Path | None:
        return next(folder.glob(f"OUT*_{note}*"), None)

    def _listen(self) -> None:
        while not self._closing.is_set():
            try:
                self._take_in()
            except OSError as error:
                log.warning("gammu-smsd's inbox cannot be read", extra={"error": str(error)})
            except TryLater as error:
                log.warning("could not keep what arrived", extra={"error": str(error)})
            self._closing.wait(INBOX_EVERY_S)

    def _take_in(self) -> None:
        """Parts of one text share everything in their names but the last number."""
        texts: dict[tuple[str, str, str], list[Path]] = {}
        for path in sorted(self._inbox.glob("IN*.txt")):
            if found := RECEIVED.fullmatch(path.name):
                texts.setdefault((found["at"], found["serial"], found["from"]), []).append(path)
        for (at, serial, sender), paths in texts.items():
            text = "".join(_text(path.read_bytes()) for path in paths)
            phone = sender if sender.startswith("+") else f"+{sender}"
            seed = f"{at}|{serial}|{sender}|{text}".encode()
            id = "gammu-" + blake2b(seed, digest_size=10).hexdigest()
            self._on_reply(Reply(id, phone, text, self._now_ms()))
            self._read.mkdir(exist_ok=True)
            for path in paths:
                path.rename(self._read / path.name)


def _note(key: str) -> str:
    return "ct" + blake2b(key.encode(), digest_size=10).hexdigest()


def _text(raw: bytes) -> str:
    """gammu writes UTF-16 with its mark, or plain text, by its setting ``inboxformat``; 1.42
    leaves zero bytes at the end."""
    coding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    return raw.decode(coding, "replace").rstrip("\0")
