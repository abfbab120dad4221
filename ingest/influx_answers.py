"""What an answer to a write means, for each kind of InfluxDB: one table, and the code decides by it.

Sources: *m* measured here with 1.6.7 (Debian's) and 2.8; *d* InfluxData's documentation of the
write calls, "Troubleshoot issues writing data" of OSS v2 and of InfluxDB 3 Core.

| answer | 1.x ``/write`` | 2.x ``/api/v2/write`` | 3 (the same call) |
|---|---|---|---|
| 204 | all landed (m) | all landed (m) | all landed (d) |
| a line of another type | 400 ``partial write … dropped=N``, the rest landed; 400 without it when the batch opens a new shard, nothing landed (m) | 422 ``partial write … dropped=N``, the rest landed (m) | 400 with the lines by number, the rest landed (d) |
| a point outside the retention | 400 ``partial write: points beyond retention policy dropped=N``, the rest landed (m) | 422, the same words (m) | deleted later, not refused; a server may say 400 (d) |
| a line that cannot be read | 400 ``unable to parse``: the rest landed where it says ``partial write``, else nothing did (m) | 400, nothing landed (m) | 400 with the lines by number, the rest landed (d) |
| wrong or expired token | 401, 403 (d) | 401 (m) | 401, 403 (d) |
| no such database or bucket | 404 (m) | 404 (m) | made by the write (d) |
| body too large | 413 (d) | 413 (d) | 413 (d) |
| too much, too busy | 429, 503 (d) | 429, 503 (d) | 429, 503 (d) |
| disk full | 500 ``no space left on device``; for ever, until influxd is started anew (m) | 500 (d) | 500 (d) |
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

SAID_CHARS = 300

Fate = Literal["landed", "partly", "refused", "no rights", "no bucket", "later"]

_BY_STATUS: dict[int, Fate] = {
    400: "refused",
    401: "no rights",
    403: "no rights",
    404: "no bucket",
    413: "refused",  # in halves it may pass
    422: "refused",
}
_PARTLY = re.compile(r"partial write\b.*?(?:dropped=(?P<dropped>\d+))?\s*$", re.DOTALL)
_RETENTION = "retention policy"


@dataclass(frozen=True, slots=True)
class Answer:
    """``partly``: what is not named was kept. ``dropped``: how many lines were not, 0 when it does
    not say. ``outside``: because they are older than the server keeps. ``lines``: which, from 0."""

    fate: Fate
    said: str = ""
    dropped: int = 0
    outside: bool = False
    lines: Sequence[int] = ()


class _BadLine(msgspec.Struct):
    line_number: int  # from 1
    error_message: str = ""


class _Said(msgspec.Struct):
    """1.x: error; 2.x: message; 3: error, and the lines."""

    error: str = ""
    message: str = ""
    data: list[_BadLine] = []


_said = msgspec.json.Decoder(_Said)


def meaning(status: int, body: bytes) -> Answer:
    """Total: whatever is not known here may go better later."""
    text = body.decode("utf-8", "replace").strip()
    try:
        parsed = _said.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        parsed = _Said()
    words = parsed.error or parsed.message or text
    said = words[:SAID_CHARS]
    if 200 <= status < 300:
        return Answer("landed")
    fate = _BY_STATUS.get(status, "later")
    if fate != "refused":
        return Answer(fate, f"{status} {said}")
    if parsed.data:
        numbers = tuple(sorted({one.line_number - 1 for one in parsed.data}))
        return Answer(
            "partly", f"{said}: {parsed.data[0].error_message}", len(numbers), False, numbers
        )
    found = _PARTLY.search(words)
    if found is None:
        return Answer("refused", said, outside=_RETENTION in words)
    return Answer("partly", said, int(found["dropped"] or 0), _RETENTION in words)
