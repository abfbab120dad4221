"""EPCIS 2.0 and CBV 2.0 in JSON: check what is captured, answer queries, read our own forms.

No route is here: the api calls these functions and keeps what they return in records.
"""

from traceability.epcis.form import Move, capture_document, from_event, query_document, to_event
from traceability.epcis.query import BadQuery, Page, TooLarge, query
from traceability.epcis.validate import Event, Invalid, validate

__all__ = [
    "BadQuery",
    "Event",
    "Invalid",
    "Move",
    "Page",
    "TooLarge",
    "capture_document",
    "from_event",
    "query",
    "query_document",
    "to_event",
    "validate",
]
