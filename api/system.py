"""What is the matter with the system itself, and whether each part does its job."""

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from api.context import Context
from api.pipeline import followers
from domain.system_alarm import SystemAlarm
from store.system_alarms import Board, read

log = logging.getLogger(__name__)

LOOK_S = 60.0
NEEDED = ("ingest", "alerts", "api")  # without one of these nobody would be told of a warm room


@dataclass(frozen=True, slots=True)
class PartNow:
    """``reasons``: why it does not do its job; it is ready without any."""

    name: str
    reasons: Sequence[SystemAlarm]

    @property
    def ready(self) -> bool:
        return not self.reasons


def alarms_now(context: Context) -> list[SystemAlarm]:
    """Critical ones first, of each kind the newest."""
    found = read(context.settings.system_path, context.now_ms())
    return sorted(found, key=lambda one: (one.kind.level != "critical", -one.since_ms, one.about))


def parts_now(context: Context) -> list[PartNow]:
    """The needed parts, and every other that gives a reason."""
    reasons: dict[str, list[SystemAlarm]] = {name: [] for name in NEEDED}
    for alarm in alarms_now(context):
        if alarm.kind.stops:
            reasons.setdefault(alarm.part, []).append(alarm)
    return [PartNow(name, why) for name, why in reasons.items()]


class Behind:
    """Followers that have something to read and do not move."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._read: Mapping[str, int | None] = {}

    def look(self, context: Context) -> None:
        n = context.sources.readings.ask(lambda reader: reader.last_arrival())
        if n is None:
            return
        now = {one.name: one for one in followers(context, n)}
        self._board.keep(
            "FOLLOWER_BEHIND",
            {
                f"part:{name}": f"{one.behind} arrivals, at {one.n}"
                for name, one in now.items()
                if one.behind and self._read.get(name, -1) == one.n
            },
        )
        self._read = {name: one.n for name, one in now.items()}


def watch(context: Context, stop: threading.Event) -> None:
    """Until ``stop``: looks each minute."""
    behind = Behind(Board(context.settings.system_path, "api", context.now_ms))
    while not stop.wait(LOOK_S):
        try:
            behind.look(context)
        except Exception:  # a look that fails is no reason to end what answers people
            log.exception("followers not looked at")
