"""What an EPCIS event says of lots and rooms.

Events come from our console and from strangers, in the words of CBV 2.0. Where goods are
follows from the standard's own terms: ``bizLocation`` is where the objects are after the
event, ``readPoint`` where they were seen during it (EPCIS 2.0, 7.3.5.3 and 7.3.5.4).
Our identifiers are web addresses that end in ``/id/{kind}/{id}``, so a server that moves
to another host still knows them; ``urn:coldtrail:{kind}:{id}`` says the same. Any other
identifier is kept whole and names goods or places that are not ours.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NewType

from domain.instant import instant_ms
from domain.reading import RoomId

ObjectId = NewType("ObjectId", str)  # "lot:{id}", "pack:{id}", or a foreign identifier whole

_OURS = re.compile(
    r"(?:https?://[^/?#]+(?:/[^?#]*)?/id/|urn:coldtrail:)"
    r"(lot|pack|room|site)[/:]([A-Za-z0-9][A-Za-z0-9._~-]{0,63})"
)
_CBV = re.compile(
    r"(?:urn:epcglobal:cbv:(?:bizstep|disp|btt|sdt):"
    r"|(?:https?://(?:ref\.|www\.)?gs1\.org/(?:cbv|voc)/|cbv:)(?:BizStep|Disp|BTT|SDT)-)"
    r"([A-Za-z_]+)"
)

# CBV 2.0 business steps after which the goods are on the road, or no more.
LEAVING = frozenset({"departing", "shipping", "transporting"})
ENDING = frozenset({"decommissioning", "destroying", "dispensing", "retail_selling"})
TAKING = frozenset({"picking", "staging_outbound", "loading", "removing"})


@dataclass(frozen=True, slots=True)
class Place:
    kind: str  # room | site | elsewhere
    id: str


@dataclass(frozen=True, slots=True)
class LotEvent:
    """One event, in our terms. ``objects``: the goods it is about (children of an
    aggregation, inputs of a transformation); ``outputs``: of a transformation only."""

    id: str
    at_ms: int
    type: str  # ObjectEvent | AggregationEvent | TransactionEvent | TransformationEvent | ...
    action: str  # ADD | OBSERVE | DELETE
    step: str  # CBV business step, bare
    objects: tuple[ObjectId, ...]
    parent: ObjectId | None = None
    outputs: tuple[ObjectId, ...] = ()
    seen_at: Place | None = None  # readPoint
    now_at: Place | None = None  # bizLocation
    in_error: bool = False  # declares the event of this id to be an error

    @property
    def everything(self) -> tuple[ObjectId, ...]:
        """Each object it names, once."""
        parent = () if self.parent is None else (self.parent,)
        return tuple(dict.fromkeys((*self.objects, *parent, *self.outputs)))


def lot_object(lot: str) -> ObjectId:
    return ObjectId(f"lot:{lot}")


def identify(uri: str) -> tuple[str, str]:
    """(kind, id) of one of our identifiers; ("", the text itself) of any other."""
    found = _OURS.fullmatch(uri)
    return (found[1], found[2]) if found else ("", uri)


def object_id(uri: str) -> ObjectId:
    kind, own = identify(uri)
    return ObjectId(f"{kind}:{own}" if kind in ("lot", "pack") else uri)


def place(uri: str) -> Place:
    kind, own = identify(uri)
    return Place(kind, own) if kind in ("room", "site") else Place("elsewhere", uri)


def room_of(where: Place | None) -> RoomId | None:
    return RoomId(where.id) if where is not None and where.kind == "room" else None


def lot_event(body: Mapping[str, Any]) -> LotEvent:
    """A validated EPCIS event (normalised JSON, with its eventID) in our terms."""
    kind = str(body["type"])
    children = "child" if kind in ("AggregationEvent", "AssociationEvent") else ""
    if kind == "TransformationEvent":
        objects = _objects(body, "inputEPCList", "inputQuantityList")
    elif children:
        objects = _objects(body, "childEPCs", "childQuantityList")
    else:
        objects = _objects(body, "epcList", "quantityList")
    parent = body.get("parentID")
    return LotEvent(
        id=str(body["eventID"]),
        at_ms=instant_ms(body["eventTime"]),
        type=kind,
        action=str(body.get("action", "OBSERVE")),
        step=bare(str(body.get("bizStep", ""))),
        objects=objects,
        parent=None if parent is None else object_id(str(parent)),
        outputs=_objects(body, "outputEPCList", "outputQuantityList"),
        seen_at=_place(body.get("readPoint")),
        now_at=_place(body.get("bizLocation")),
        in_error="errorDeclaration" in body,
    )


def bare(word: str) -> str:
    """A CBV word without its prefix: ``urn:epcglobal:cbv:bizstep:storing``, the web
    vocabulary's ``https://ref.gs1.org/cbv/BizStep-storing`` and ``storing`` are the same."""
    found = _CBV.fullmatch(word)
    return found[1] if found else word


def _objects(body: Mapping[str, Any], epcs: str, quantities: str) -> tuple[ObjectId, ...]:
    named: Sequence[str] = body.get(epcs) or ()
    classes: Sequence[Mapping[str, Any]] = body.get(quantities) or ()
    found = [object_id(uri) for uri in named]
    found += [object_id(str(element["epcClass"])) for element in classes]
    return tuple(dict.fromkeys(found))


def _place(value: Mapping[str, Any] | None) -> Place | None:
    return None if value is None else place(str(value["id"]))
