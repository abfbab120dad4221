"""JSON lines to stderr, which the supervisor puts into ``logs/{role}.log``."""

import json
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """One object a line: at, level, role, logger, message, then what was said in ``extra``."""

    def __init__(self, role: str, now_ms: Callable[[], int]) -> None:
        super().__init__()
        self._role = role
        self._now_ms = now_ms

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(self._now_ms() / 1000, UTC)
        line: dict[str, Any] = {
            "at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "role": self._role,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update({k: v for k, v in vars(record).items() if k not in _OWN})
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def to_stderr(role: str, now_ms: Callable[[], int], level: int = logging.INFO) -> None:
    """For the whole process."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(role, now_ms))
    logging.basicConfig(level=level, handlers=[handler], force=True)
