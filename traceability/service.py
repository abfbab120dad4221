"""Traceability as a process: opens its stores, follows them until told to stop."""

import logging
import threading
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import OperationalError

import store.connect
import store.errors
from disk.room import Full
from domain.system_alarm import SERVER
from store.connect import open_readings
from store.facts import open_facts_reader
from store.records import open_records_reader
from store.system_alarms import Board
from traceability.database import open_trace
from traceability.follow import Follower, Issuer
from traceability.lot_record import Stores
from traceability.settings import Settings
from traceability.signing import load_private

log = logging.getLogger(__name__)

ABOUT = "part:traceability"
FULL_PAUSE_S = 5.0

T = TypeVar("T")


def run(settings: Settings, *, now_ms: Callable[[], int], stop: threading.Event) -> None:
    """Blocks until ``stop``. What is not there yet is waited for; a mistake is raised."""
    board = Board(settings.system_path, "traceability", now_ms)
    key = load_private(settings.signing_key_file)
    database = _wait_for(lambda: open_trace(settings.trace_path), board, stop)
    if database is None:
        return
    closing: list[Callable[[], None]] = [database.close]
    try:
        readings = _wait_for(
            lambda: open_readings(settings.readings_path, write=False), board, stop
        )
        records = _wait_for(lambda: open_records_reader(settings.records_path), board, stop)
        facts = _wait_for(lambda: open_facts_reader(settings.facts_path), board, stop)
        closing += [part.close for part in (readings, records, facts) if part is not None]
        if readings is None or records is None or facts is None:
            return
        base_url = settings.base_url.rstrip("/")
        issuer = Issuer(key, lambda code: f"{base_url}/t/{code}" if base_url else None)
        follower = Follower(Stores(readings, records, facts), database, issuer, now_ms)
        log.info("following")
        disk = _Disk(board)
        while not stop.is_set():
            if not _poll(follower, disk):
                stop.wait(settings.poll_s if disk.has_room else FULL_PAUSE_S)
    finally:
        for close in reversed(closing):
            close()


class _Disk:
    """Says once that there is no room to write, and once that there is again."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self.has_room = True

    def look(self, full: Full | None) -> None:
        if full is not None and self.has_room:
            log.error("disk full: waiting for room", extra={"reason": str(full)})
        elif full is None and not self.has_room:
            log.warning("there is room again")
        self.has_room = full is None
        self._board.say("DISK_FULL", SERVER, on=full is not None, detail=str(full or ""))


def _poll(follower: Follower, disk: _Disk) -> bool:
    try:
        worked = follower.poll()
    except Full as error:
        disk.look(error)
        return False
    except OperationalError as error:
        if "locked" not in str(error.orig):
            raise
        log.warning("a store is busy", extra={"error": str(error.orig)})
        return False
    if not disk.has_room:
        disk.look(None)
    return worked


def _wait_for(open_: Callable[[], T], board: Board, stop: threading.Event) -> T | None:
    """None when told to stop first."""
    while not stop.is_set():
        try:
            found = open_()
        except (store.errors.NotReady, Full) as error:
            log.info("waiting for a file", extra={"reason": str(error)})
            board.say("PART_WAITS", ABOUT, on=True, detail=str(error))
            stop.wait(0.5)
        else:
            board.say("PART_WAITS", ABOUT, on=False)
            return found
    return None
