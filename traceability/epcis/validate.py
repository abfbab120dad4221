"""Is it EPCIS? Documents and bare lists of events in, normalised events out.

Nothing is half-taken: one bad event refuses the whole capture, with every problem and its
place in the text named.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, NewType

import jsonschema_rs

from domain.instant import instant_ms
from domain.lot import bare
from traceability.canonical import canonical
from traceability.epcis.schema import BUSINESS_STEPS, DISPOSITIONS, DOCUMENT, EVENTS

Event = NewType("Event", dict[str, Any])  # validated, CBV words bare, with its eventID

MOST_EVENTS = 10_000
MOST_PROBLEMS = 50
MOST_DEPTH = 32
YEAR_10000_MS = 253_402_300_800_000


class Invalid(Exception):
    """Not EPCIS 2.0. ``problems``: one line each, with the place: ``eventList[3].eventTime: …``."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        super().__init__("; ".join(self.problems[:3]))


@cache
def _validator(name: str) -> jsonschema_rs.Draft202012Validator:
    schema = DOCUMENT if name == "EPCISDocument" else EVENTS[name]
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)


def validate(document: object) -> list[Event]:
    """A capture document, a bare list of events, or one event. Raises ``Invalid``."""
    where = "eventList"
    if isinstance(document, list):
        bodies = document
    elif isinstance(document, dict) and document.get("type") == "EPCISDocument":
        problems = _problems("EPCISDocument", document, "")
        if problems:
            raise Invalid(problems)
        bodies = document["epcisBody"]["eventList"]
        where = "epcisBody.eventList"
    elif isinstance(document, dict) and document.get("type") in EVENTS:
        bodies = [document]
    else:
        raise Invalid(["neither an EPCISDocument nor a list of events nor an event"])
    if len(bodies) > MOST_EVENTS:
        raise Invalid([f"{where}: {len(bodies)} events; at most {MOST_EVENTS} at a time"])
    return _events(bodies, where)


def _events(bodies: list[Any], where: str) -> list[Event]:
    events: list[Event] = []
    problems: list[str] = []
    for position, body in enumerate(bodies):
        here = f"{where}[{position}]"
        found = _event_problems(body, here)
        problems += found
        if not found:
            try:
                canonical(body)  # whatever is signed or hashed later must have such a form
                events.append(_normalised(body))
            except (ValueError, OverflowError) as error:
                problems.append(f"{here}: {error}")
        if len(problems) >= MOST_PROBLEMS:
            break
    if problems:
        raise Invalid(problems[:MOST_PROBLEMS])
    return events


def _event_problems(body: object, here: str) -> list[str]:
    if not isinstance(body, dict):
        return [f"{here}: not an object"]
    if _too_deep(body):
        return [f"{here}: nested deeper than {MOST_DEPTH}"]
    kind = body.get("type")
    if not isinstance(kind, str) or kind not in EVENTS:
        return [f"{here}.type: one of {', '.join(EVENTS)}"]
    return _problems(kind, body, here)


def _problems(name: str, instance: object, here: str) -> list[str]:
    found = []
    try:
        for error in _validator(name).iter_errors(instance):
            place = here
            for step in error.instance_path:
                place += f"[{step}]" if isinstance(step, int) else f".{step}"
            found.append(f"{place.lstrip('.') or 'document'}: {error.message[:200]}")
            if len(found) >= MOST_PROBLEMS:
                break
    except UnicodeEncodeError as error:  # a lone surrogate: no UTF-8 says it
        found.append(f"{here or 'document'}: {error.reason}")
    return found


def _normalised(body: Mapping[str, Any]) -> Event:
    event = dict(body)
    for field, words in (("bizStep", BUSINESS_STEPS), ("disposition", DISPOSITIONS)):
        if field in event and bare(event[field]) in words:
            event[field] = bare(event[field])
    if not 0 <= instant_ms(event["eventTime"]) < YEAR_10000_MS:
        raise ValueError("eventTime: between 1970 and 9999")
    event.setdefault("eventID", event_id(event))
    return Event(event)


def _too_deep(value: object) -> bool:
    """What is nested deeper than any event's sense would be a weapon against its readers."""
    level = [value]
    for _ in range(MOST_DEPTH):
        level = [
            inner
            for one in level
            if isinstance(one, dict | list)
            for inner in (one.values() if isinstance(one, dict) else one)
        ]
    return any(isinstance(one, dict | list) for one in level)


def event_id(event: Mapping[str, Any]) -> str:
    """A name made from what the event says (RFC 6920), so that capturing it again is a repeat.

    Without the time of recording, which is not part of what happened."""
    said = {k: v for k, v in event.items() if k not in ("eventID", "recordTime")}
    digest = base64.urlsafe_b64encode(hashlib.sha256(canonical(said)).digest())
    return f"ni:///sha-256;{digest.decode().rstrip('=')}"
