"""What a person says in the console, as an EPCIS event; and an event, as a person reads it.

Both ways, so that a lot's page shows a stranger's capture and our own form alike.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from domain.lot import LotEvent, lot_event, room_of
from traceability.epcis.validate import Event, validate

CONTEXT = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"
OFFSET = "+08:00"
_LOCAL = timezone(timedelta(hours=8))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# kind: (event type, action, business step, disposition)
KINDS: Mapping[str, tuple[str, str, str, str]] = {
    "received": ("ObjectEvent", "OBSERVE", "receiving", "in_progress"),
    "put_in": ("ObjectEvent", "OBSERVE", "storing", "in_progress"),
    "taken_out": ("ObjectEvent", "OBSERVE", "picking", "in_progress"),
    "packed": ("AggregationEvent", "ADD", "packing", "in_progress"),
    "shipped": ("ObjectEvent", "OBSERVE", "shipping", "in_transit"),
}


@dataclass(frozen=True, slots=True)
class Move:
    """``kind`` of ``KINDS``, or ``other`` for an event that no form makes.

    ``room``: the room put into or taken out of. ``site``: where. ``pack``: what it was packed
    into. ``destination``: where to, as an identifier. ``key``: made by the client, so that a
    form sent twice is one event.
    """

    kind: str
    lot: str
    at_ms: int
    key: str = ""
    site: str | None = None
    room: str | None = None
    pack: str | None = None
    destination: str | None = None
    quantity_kg: str | None = None


def identifier(base_url: str, kind: str, id: str) -> str:
    """Our own web address of a lot, room, site, pack or event: it needs nobody's licence."""
    return f"{base_url.rstrip('/')}/id/{kind}/{id}"


def to_event(move: Move, base_url: str) -> Event:
    """Raises ``traceability.epcis.Invalid`` when the form does not make a valid event,
    ``ValueError`` when it lacks what its kind needs."""
    needs = {
        "put_in": move.room,
        "taken_out": move.room,
        "packed": move.pack,
        "received": move.site,
    }
    if move.kind not in KINDS:
        raise ValueError(f"kind: unknown: {move.kind[:64]!r}")
    if move.kind in needs and not needs[move.kind]:
        field = {"packed": "pack", "received": "site"}.get(move.kind, "room")
        raise ValueError(f"{field}: {move.kind} needs it")
    type_, action, step, disposition = KINDS[move.kind]
    at = (_EPOCH + timedelta(milliseconds=move.at_ms)).astimezone(_LOCAL)
    goods: dict[str, Any] = {"epcClass": identifier(base_url, "lot", move.lot)}
    if move.quantity_kg is not None:
        goods |= {"quantity": float(Decimal(move.quantity_kg)), "uom": "KGM"}
    event: dict[str, Any] = {
        "type": type_,
        "eventTime": at.isoformat(timespec="milliseconds"),
        "eventTimeZoneOffset": OFFSET,
        "action": action,
        "bizStep": step,
        "disposition": disposition,
    }
    if move.key:
        event["eventID"] = identifier(base_url, "event", move.key)
    if move.kind == "packed":
        event["parentID"] = identifier(base_url, "pack", str(move.pack))
        event["childQuantityList"] = [goods]
    else:
        event["quantityList"] = [goods]
    room = move.room and {"id": identifier(base_url, "room", move.room)}
    site = move.site and {"id": identifier(base_url, "site", move.site)}
    seen, now = _places(move.kind, room or None, site or None)
    if seen is not None:
        event["readPoint"] = seen
    if now is not None:
        event["bizLocation"] = now
    if move.destination:
        event["destinationList"] = [{"type": "location", "destination": move.destination}]
    return validate([event])[0]


def _places(
    kind: str, room: dict[str, str] | None, site: dict[str, str] | None
) -> tuple[dict[str, str] | None, dict[str, str] | None]:
    """(readPoint, bizLocation): seen at, and where it is now."""
    match kind:
        case "put_in":
            return site, room
        case "taken_out":
            return room, site
        case "shipped":
            return room or site, None
        case "packed":
            return room or site, room
        case _:
            return site, site


def from_event(body: Mapping[str, Any], lot: str) -> Move:
    """What the event says of one lot."""
    event = lot_event(body)
    kind = _kind(event)
    room = room_of(event.now_at) or room_of(event.seen_at)
    sites = [p.id for p in (event.now_at, event.seen_at) if p is not None and p.kind == "site"]
    parent = event.parent or ""
    destinations = body.get("destinationList") or [{}]
    return Move(
        kind=kind,
        lot=lot,
        at_ms=event.at_ms,
        key=event.id,
        site=sites[0] if sites else None,
        room=room,
        pack=parent.removeprefix("pack:") if event.type == "AggregationEvent" and parent else None,
        destination=destinations[0].get("destination"),
        quantity_kg=_kilograms(body),
    )


def _kind(event: LotEvent) -> str:
    if event.in_error:
        return "other"
    for kind, (type_, action, step, _) in KINDS.items():
        if (event.type, event.action, event.step) == (type_, action, step):
            return kind
    if event.type == "ObjectEvent" and event.action != "DELETE":
        if event.step in ("stocking", "holding") and room_of(event.now_at):
            return "put_in"
        if event.step == "departing":
            return "shipped"
    return "other"


def _kilograms(body: Mapping[str, Any]) -> str | None:
    for name in ("quantityList", "childQuantityList", "inputQuantityList"):
        for element in body.get(name) or ():
            if element.get("uom") == "KGM" and "quantity" in element:
                return (
                    str(Decimal(repr(element["quantity"])).normalize().to_integral_value())
                    if (float(element["quantity"]).is_integer())
                    else repr(element["quantity"])
                )
    return None


def capture_document(events: list[dict[str, Any]], created_at: str) -> dict[str, Any]:
    return {
        "@context": [CONTEXT],
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": created_at,
        "epcisBody": {"eventList": events},
    }


def query_document(events: list[dict[str, Any]], created_at: str) -> dict[str, Any]:
    """What ``GET …/events`` answers (EPCIS 2.0, 9.7)."""
    results = {"queryName": "SimpleEventQuery", "resultsBody": {"eventList": events}}
    return {
        "@context": [CONTEXT],
        "type": "EPCISQueryDocument",
        "schemaVersion": "2.0",
        "creationDate": created_at,
        "epcisBody": {"queryResults": results},
    }
