"""What each part of the system says is the matter with it: a small file a part, in one folder.

Each file has one writer and is replaced as a whole, so nobody waits for anybody, and whoever
looks needs no part to answer: alerts tells people, the console, ``/readyz`` and ``coldtrail
status`` show it. A file is padded to whole blocks: when the disk is full and it cannot be
replaced, it is overwritten in place, because a full disk is what it may have to speak of.
"""

import logging
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from disk.whole import write_whole
from domain.system_alarm import SystemAlarm, kinds

log = logging.getLogger(__name__)

CARRIED_MS = 600_000  # an alarm that comes back so soon after a restart is the one of before
BLOCK = 4_096
MOST_DETAIL = 300
MOST_SAID = 200  # alarms of one part


class _Said(msgspec.Struct, frozen=True):
    """``until_ms``: it is over by itself then; None: when its part says so."""

    code: str
    about: str
    since_ms: int
    detail: str = ""
    until_ms: int | None = None


class _File(msgspec.Struct, frozen=True):
    alarms: list[_Said] = []


_decoder = msgspec.json.Decoder(_File)
_Key = tuple[str, str]


class Board:
    """One part's alarms; its threads share it. Without a folder nothing is written.

    What an earlier life of the part said is over with it, unless it had a time of its own;
    said again soon, it counts as having gone on.
    """

    def __init__(self, folder: str, part: str, now_ms: Callable[[], int]) -> None:
        self._path = Path(folder, f"{part}.json") if folder else None
        self._now_ms = now_ms
        self._lock = threading.Lock()
        now = now_ms()
        before = _load(self._path) if self._path else []
        self._carried = {(one.code, one.about): one.since_ms for one in before}
        self._carried_until_ms = now + CARRIED_MS
        self._said: dict[_Key, _Said] = {
            (one.code, one.about): one for one in before if one.until_ms and one.until_ms > now
        }
        self._written: list[_Said] | None = None
        self._logged = set(self._said)
        self._write()

    def say(
        self,
        code: str,
        about: str,
        *,
        on: bool,
        detail: str = "",
        for_ms: int | None = None,
    ) -> None:
        """The alarm is on, or over. ``for_ms``: on for so long after the last time of saying."""
        with self._lock:
            self._set(code, about, on, detail, for_ms)
            self._write()

    def keep(self, code: str, now: Mapping[str, str]) -> None:
        """Exactly these are on, of this kind: what each concerns, and a detail."""
        with self._lock:
            for gone in [key for key in self._said if key[0] == code and key[1] not in now]:
                del self._said[gone]
            for about, detail in now.items():
                self._set(code, about, True, detail, None)
            self._write()

    def _set(self, code: str, about: str, on: bool, detail: str, for_ms: int | None) -> None:
        key = (kinds()[code].code, about)
        if not on:
            self._said.pop(key, None)
            return
        now_ms = self._now_ms()
        known = self._said.get(key)
        if known is not None and known.until_ms is not None and known.until_ms <= now_ms:
            known = None
        if known is not None:
            since_ms = known.since_ms
        elif now_ms < self._carried_until_ms:
            since_ms = self._carried.get(key, now_ms)
        else:
            since_ms = now_ms
        if known is None and len(self._said) >= MOST_SAID:
            return
        until_ms = None if for_ms is None else now_ms + for_ms
        self._said[key] = _Said(code, about, since_ms, detail[:MOST_DETAIL], until_ms)

    def _write(self) -> None:
        now_ms = self._now_ms()
        for key in [k for k, one in self._said.items() if one.until_ms and one.until_ms <= now_ms]:
            del self._said[key]
        self._log_difference()
        said = sorted(self._said.values(), key=lambda one: (one.code, one.about))
        if self._path is None or said == self._written:
            return
        raw = msgspec.json.encode(_File(said))
        raw += b" " * (-len(raw) % BLOCK)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(self._path, raw, sync=False)
        except OSError:
            try:
                _overwrite(self._path, raw)
            except OSError as error:
                log.error("system alarms not written", extra={"reason": str(error)})  # noqa: TRY400 - the reason says it all
                return  # tried again when something is said
        self._written = said

    def _log_difference(self) -> None:
        for code, about in self._said.keys() - self._logged:
            detail = self._said[code, about].detail
            log.warning("system alarm", extra={"code": code, "about": about, "detail": detail})
        for code, about in self._logged - self._said.keys():
            log.info("system alarm over", extra={"code": code, "about": about})
        self._logged = set(self._said)


def read(folder: str, now_ms: int) -> list[SystemAlarm]:
    """What every part says now; oldest first, of the same instant by code."""
    found = [
        SystemAlarm(one.code, one.about, one.since_ms, one.detail, path.stem)
        for path in (Path(folder).glob("*.json") if folder else ())
        for one in _load(path)
        if one.code in kinds() and (one.until_ms is None or one.until_ms > now_ms)
    ]
    return sorted(found, key=lambda one: (one.since_ms, one.code, one.about))


def forget_others(folder: str, parts: set[str]) -> None:
    """Parts that this installation no longer has say nothing any more."""
    for path in Path(folder).glob("*.json"):
        if path.stem not in parts:
            path.unlink(missing_ok=True)


def _load(path: Path) -> list[_Said]:
    """Nothing where there is no file, or one that was being overwritten."""
    try:
        return _decoder.decode(path.read_bytes()).alarms
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return []


def _overwrite(path: Path, raw: bytes) -> None:
    fd = os.open(path, os.O_WRONLY)
    try:
        os.pwrite(fd, raw, 0)
        os.ftruncate(fd, len(raw))
    finally:
        os.close(fd)
