"""Noticing that the store was set back by other means than ``restore``.

A file copied over ``readings.db``, or a snapshot of the machine put back, leaves the store its id.
Gateways then believe that it has what it once gave receipts for, and keep for two weeks what they
would have to send again. Two things remember better: a file beside the store, which no copy
of the store brings along, and the gateways, which say up to which arrival a receipt spoke. Where
the store has gone on beyond that before a gateway is heard, they say that its receipts lack what
earlier ones had.

Once noticed it holds for as long as the store has this id: ``coldtrail restore --in-place`` gives it
another, and the gateways send what it lacks.
"""

import logging
from pathlib import Path
from time import monotonic

import msgspec

from disk.whole import write_whole
from domain.system_alarm import SERVER
from store.system_alarms import Board

log = logging.getLogger(__name__)

WRITE_EVERY_S = 10.0


class _Kept(msgspec.Struct, frozen=True):
    """``lacks_after``: the arrival at which the store stood when it was found to be set back, and
    ``n`` how far it had come as far as is known. ``by``: the gateway whose receipts it lacks, where
    it stood no lower."""

    store: str
    n: int
    lacks_after: int | None = None
    by: str = ""


class Watermark:
    """``n``: the store's last arrival now. Without a path only gateways are heard."""

    def __init__(self, path: Path | None, store: str, n: int, board: Board) -> None:
        self._path, self._board = path, board
        self._kept = self._written = _Kept(store, n)
        self._write_at_s = 0.0
        before = _load(path)
        if before is not None and before.store == store:
            self._kept = self._written = before
            if before.n > n:
                self._set_back(n, "what stands beside it")
        self._say()
        self.came_to(n)

    def came_to(self, n: int) -> None:
        """The store holds everything up to this arrival."""
        if n > self._kept.n and self._kept.lacks_after is None:
            self._kept = msgspec.structs.replace(self._kept, n=n)
        if self._kept != self._written and monotonic() >= self._write_at_s:
            self._write()

    def claimed(
        self, store: str, n: int, gateway: str, last: int, *, lacking: bool = False
    ) -> None:
        """A gateway heard a receipt of this store that spoke up to ``n``, and the last is ``last``;
        ``lacking``: one whose receipts had more before than they have now."""
        if store != self._kept.store or not (lacking or n > last):
            return
        if n > last:
            self._kept = msgspec.structs.replace(self._kept, n=max(n, self._kept.n))
        elif self._kept.lacks_after is None:
            self._kept = msgspec.structs.replace(self._kept, by=gateway)
        self._set_back(last, f"gateway {gateway}")
        self._say()

    def _set_back(self, n: int, by: str) -> None:
        if self._kept.lacks_after is not None:
            return
        came_to = self._kept.n
        self._kept = msgspec.structs.replace(self._kept, lacks_after=n)
        log.error("the store was set back", extra={"n": n, "came_to": came_to, "known_by": by})
        self._write()

    def _say(self) -> None:
        kept = self._kept
        on = kept.lacks_after is not None
        detail = f"at arrival {kept.lacks_after}, and it had come to {kept.n}" if on else ""
        if on and kept.by:
            detail = f"before arrival {kept.lacks_after}: it lacks what {kept.by} has receipts for"
        self._board.say("STORE_SET_BACK", SERVER, on=on, detail=detail)

    def _write(self) -> None:
        self._write_at_s = monotonic() + WRITE_EVERY_S
        if self._path is None:
            return
        try:
            write_whole(self._path, msgspec.json.encode(self._kept))
        except OSError as error:  # no room: later, then
            log.warning("the watermark is not written", extra={"error": str(error)})
            return
        self._written = self._kept


def _load(path: Path | None) -> _Kept | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Kept) if path else None
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        log.warning("the watermark cannot be read", extra={"error": str(error)})
        return None  # a disk that died half way; gateways know as well
