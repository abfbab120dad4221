"""The simple event query of EPCIS 2.0 (8.2.7), over events that are already there.

Pure: events and parameters in, a page out. Pages continue by the last event's place in
the order, not by a count, so that events captured meanwhile shift nothing.
"""

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domain.instant import instant_ms, rfc3339
from domain.lot import bare
from store.records.ports import EpcisEvent
from traceability.epcis.schema import EVENT_TYPES

DEFAULT_PER_PAGE = 100
MOST_PER_PAGE = 1_000


class BadQuery(Exception):
    """QueryParameterException: an unknown parameter, or a value that it cannot have."""

    def __init__(self, parameter: str, reason: str) -> None:
        super().__init__(f"{parameter}: {reason}")
        self.parameter = parameter
        self.reason = reason


class TooLarge(Exception):
    """QueryTooLargeException: more events than ``maxEventCount`` match."""


@dataclass(frozen=True, slots=True)
class Page:
    """``next`` goes into ``nextPageToken``; None on the last page."""

    events: list[dict[str, Any]]
    next: str | None


Params = Mapping[str, str | Sequence[str]]
_Test = Callable[[EpcisEvent], bool]

_EPCS = ("epcList", "childEPCs")
_ANY_EPCS = (*_EPCS, "inputEPCList", "outputEPCList")
_CLASSES = ("quantityList", "childQuantityList")
_ANY_CLASSES = (*_CLASSES, "inputQuantityList", "outputQuantityList")


def query(events: Iterable[EpcisEvent], params: Params) -> Page:
    """``params``: one text, or several for a repeated parameter; lists by comma or bar.
    Raises ``BadQuery`` or ``TooLarge``."""
    values = {name: _values(raw) for name, raw in params.items()}
    order = _single(values, "orderBy", "eventTime")
    if order not in ("eventTime", "recordTime"):
        raise BadQuery("orderBy", "eventTime or recordTime")
    direction = _single(values, "orderDirection", "ASC" if "orderBy" not in values else "DESC")
    if direction not in ("ASC", "DESC"):
        raise BadQuery("orderDirection", "ASC or DESC")
    per_page = min(_number(values, "perPage", DEFAULT_PER_PAGE), MOST_PER_PAGE)
    limit = _number(values, "eventCountLimit", 0)
    most = _number(values, "maxEventCount", 0)
    if limit and most:
        raise BadQuery("maxEventCount", "not together with eventCountLimit")
    tests = [test for name in values if (test := _test(name, values[name])) is not None]
    sign = 1 if direction == "ASC" else -1

    def key(event: EpcisEvent) -> tuple[int, int]:
        at_ms = event.event_time_ms if order == "eventTime" else event.record_time_ms
        return (sign * at_ms, sign * event.m)

    found = sorted((e for e in events if all(test(e) for test in tests)), key=key)
    if most and len(found) > most:
        raise TooLarge(f"{len(found)} events match; maxEventCount is {most}")
    if limit:
        found = found[:limit]
    token = _single(values, "nextPageToken", "")
    if token:
        after = _read_token(token)
        found = [event for event in found if key(event) > after]
    page = found[:per_page]
    more = _make_token(key(page[-1])) if len(found) > per_page else None
    return Page([_shown(event) for event in page], more)


def _shown(event: EpcisEvent) -> dict[str, Any]:
    """With the time at which it was taken in, which is ours to say (EPCIS 2.0, 7.4.1)."""
    return {**event.body, "recordTime": rfc3339(event.record_time_ms)}


def _test(name: str, wanted: Sequence[str]) -> _Test | None:
    if name in ("orderBy", "orderDirection", "perPage", "nextPageToken",
                "eventCountLimit", "maxEventCount"):  # fmt: skip
        return None
    match name:
        case "eventType":
            for kind in wanted:
                if kind not in EVENT_TYPES:
                    raise BadQuery(name, f"unknown event type {kind[:64]!r}")
            return lambda e: e.body["type"] in wanted
        case "GE_eventTime":
            least = _instant(name, wanted)
            return lambda e: e.event_time_ms >= least
        case "LT_eventTime":
            end = _instant(name, wanted)
            return lambda e: e.event_time_ms < end
        case "GE_recordTime":
            least = _instant(name, wanted)
            return lambda e: e.record_time_ms >= least
        case "LT_recordTime":
            end = _instant(name, wanted)
            return lambda e: e.record_time_ms < end
        case "EQ_action":
            for action in wanted:
                if action not in ("ADD", "OBSERVE", "DELETE"):
                    raise BadQuery(name, "ADD, OBSERVE or DELETE")
            return lambda e: e.body.get("action") in wanted
        case "EQ_eventID":
            return lambda e: e.event_id in wanted
        case "EQ_bizStep" | "EQ_disposition":
            field = name.removeprefix("EQ_")
            words = {bare(word) for word in wanted}
            return lambda e: bare(e.body.get(field, "")) in words
        case "EQ_readPoint" | "EQ_bizLocation":
            field = name.removeprefix("EQ_")
            return lambda e: e.body.get(field, {}).get("id") in wanted
        case "MATCH_epc":
            return lambda e: _names(e, _EPCS, ()).intersection(wanted) != set()
        case "MATCH_anyEPC":
            return lambda e: (
                (_names(e, _ANY_EPCS, ()) | {e.body.get("parentID")}).intersection(wanted) != set()
            )
        case "MATCH_parentID":
            return lambda e: e.body.get("parentID") in wanted
        case "MATCH_epcClass":
            return lambda e: _names(e, (), _CLASSES).intersection(wanted) != set()
        case "MATCH_inputEPC":
            return lambda e: _names(e, ("inputEPCList",), ()).intersection(wanted) != set()
        case "MATCH_outputEPC":
            return lambda e: _names(e, ("outputEPCList",), ()).intersection(wanted) != set()
        case "MATCH_inputEPCClass":
            return lambda e: _names(e, (), ("inputQuantityList",)).intersection(wanted) != set()
        case "MATCH_outputEPCClass":
            return lambda e: _names(e, (), ("outputQuantityList",)).intersection(wanted) != set()
        case "MATCH_anyEPCClass":
            return lambda e: _names(e, (), _ANY_CLASSES).intersection(wanted) != set()
        case _:
            raise BadQuery(name[:64], "unknown parameter")


def _names(event: EpcisEvent, lists: Sequence[str], classes: Sequence[str]) -> set[str | None]:
    found: set[str | None] = set()
    for name in lists:
        found.update(event.body.get(name) or ())
    for name in classes:
        found.update(element["epcClass"] for element in event.body.get(name) or ())
    return found


def _values(raw: str | Sequence[str]) -> list[str]:
    given = [raw] if isinstance(raw, str) else list(raw)
    return [part for text in given for part in text.replace("|", ",").split(",") if part]


def _single(values: Mapping[str, Sequence[str]], name: str, default: str) -> str:
    found = values.get(name, [])
    if len(found) > 1:
        raise BadQuery(name, "one value")
    return found[0] if found else default


def _number(values: Mapping[str, Sequence[str]], name: str, default: int) -> int:
    text = _single(values, name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0):
        raise BadQuery(name, "a whole number above 0")
    return int(text)


def _instant(name: str, wanted: Sequence[str]) -> int:
    # A plus sign in a query string that was not escaped arrives as a space.
    try:
        return instant_ms(_single({name: wanted}, name, "").replace(" ", "+"))
    except ValueError as error:
        raise BadQuery(name, "a time with offset, like 2026-06-01T00:00:00Z") from error


def _make_token(key: tuple[int, int]) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def _read_token(token: str) -> tuple[int, int]:
    try:
        at, m = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        return int(at), int(m)
    except (binascii.Error, ValueError, TypeError) as error:
        raise BadQuery("nextPageToken", "not a token of ours") from error
