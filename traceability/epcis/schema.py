"""The JSON Schema of EPCIS 2.0 events, written from the standard's list of fields.

Sections 7.3 and 7.4 (events), 7.1.2 and 9 (documents) of EPCIS 2.0; words of CBV 2.0,
section 7. Extensions are what carries a prefix (``ours:field`` or a whole web address);
they are kept as they come. A field without a prefix that the standard does not know is a
slip of the pen, and refused.
"""

from typing import Any

BUSINESS_STEPS = (
    "accepting", "arriving", "assembling", "collecting", "commissioning", "consigning",
    "creating_class_instance", "cycle_counting", "decommissioning", "departing", "destroying",
    "disassembling", "dispensing", "encoding", "entering_exiting", "holding", "inspecting",
    "installing", "killing", "loading", "other", "packing", "picking", "receiving", "removing",
    "repackaging", "repairing", "replacing", "reserving", "retail_selling", "sampling",
    "sensor_reporting", "shipping", "staging_outbound", "stock_taking", "stocking", "storing",
    "transforming", "transporting", "unloading", "unpacking", "void_shipping",
)  # fmt: skip
DISPOSITIONS = (
    "active", "available", "completeness_inferred", "completeness_verified", "conformant",
    "container_closed", "container_open", "damaged", "destroyed", "dispensed", "disposed",
    "encoded", "expired", "in_progress", "in_transit", "inactive", "mismatch_class",
    "mismatch_instance", "mismatch_quantity", "needs_replacement", "no_pedigree_match",
    "non_conformant", "non_sellable_other", "partially_dispensed", "recalled", "reserved",
    "retail_sold", "returned", "sellable_accessible", "sellable_not_accessible", "stolen",
    "unavailable", "unknown",
)  # fmt: skip
EVENT_TYPES = (
    "ObjectEvent", "AggregationEvent", "TransactionEvent", "TransformationEvent",
    "AssociationEvent",
)  # fmt: skip

_EXTENSION = "^(@context|isA|[^:]+:.+)$"
_URI: dict[str, Any] = {"type": "string", "format": "uri", "maxLength": 1024}
_TIME: dict[str, Any] = {"type": "string", "format": "date-time"}
_TEXT: dict[str, Any] = {"type": "string", "maxLength": 4096}
_NUMBER: dict[str, Any] = {"type": "number"}
_ACTION: dict[str, Any] = {"enum": ["ADD", "OBSERVE", "DELETE"]}


def _word(words: tuple[str, ...]) -> dict[str, Any]:
    """One of CBV's words, or a vocabulary of somebody's own."""
    return {"anyOf": [{"enum": list(words)}, _URI]}


def _list(of: dict[str, Any], least: int = 0) -> dict[str, Any]:
    return {"type": "array", "items": of, "minItems": least, "maxItems": 10_000}


def _object(required: list[str], properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": required,
        "properties": properties,
        "patternProperties": {_EXTENSION: True},
        "additionalProperties": False,
    }


_PLACE = _object(["id"], {"id": _URI})
_QUANTITIES = _list(
    _object(
        ["epcClass"],
        {
            "epcClass": _URI,
            "quantity": {"type": "number", "exclusiveMinimum": 0},
            "uom": {"type": "string", "pattern": "^[A-Z0-9]{2,3}$"},  # UN/CEFACT Rec. 20
        },
    )
)
_SENSOR_METADATA = {
    "time": _TIME, "startTime": _TIME, "endTime": _TIME, "deviceID": _URI,
    "deviceMetadata": _URI, "rawData": _URI, "dataProcessingMethod": _URI, "bizRules": _URI,
}  # fmt: skip
_SENSOR_REPORT = {
    "type": _TEXT, "exception": _TEXT, "deviceID": _URI, "deviceMetadata": _URI,
    "rawData": _URI, "dataProcessingMethod": _URI, "time": _TIME, "microorganism": _URI,
    "chemicalSubstance": _URI, "value": _NUMBER, "component": _TEXT, "stringValue": _TEXT,
    "booleanValue": {"type": "boolean"},
    "hexBinaryValue": {"type": "string", "pattern": "^[A-Fa-f0-9]+$"},
    "uriValue": _URI, "minValue": _NUMBER, "maxValue": _NUMBER, "meanValue": _NUMBER,
    "sDev": _NUMBER, "percRank": _NUMBER, "percValue": _NUMBER, "uom": _TEXT,
    "coordinateReferenceSystem": _URI,
}  # fmt: skip
_SENSORS = _list(
    _object(
        ["sensorReport"],
        {
            "sensorMetadata": _object([], _SENSOR_METADATA),
            "sensorReport": _list(_object([], _SENSOR_REPORT), 1),
        },
    )
)
_ERROR = _object(
    ["declarationTime"],
    {"declarationTime": _TIME, "reason": _TEXT, "correctiveEventIDs": _list(_URI)},
)
_DISPOSITION = _word(DISPOSITIONS)

_EVERY: dict[str, Any] = {
    "type": {"enum": list(EVENT_TYPES)},
    "eventID": _URI,
    "eventTime": _TIME,
    "recordTime": _TIME,
    "eventTimeZoneOffset": {
        "type": "string",
        "pattern": "^[+-]((0[0-9]|1[0-3]):[0-5][0-9]|14:00)$",
    },
    "certificationInfo": {"anyOf": [_URI, _list(_URI, 1)]},
    "errorDeclaration": _ERROR,
    "bizStep": _word(BUSINESS_STEPS),
    "disposition": _DISPOSITION,
    "persistentDisposition": _object(
        [], {"set": _list(_DISPOSITION, 1), "unset": _list(_DISPOSITION, 1)}
    ),
    "readPoint": _PLACE,
    "bizLocation": _PLACE,
    "bizTransactionList": _list(
        _object(["bizTransaction"], {"type": _TEXT, "bizTransaction": _URI}), 1
    ),
    "sourceList": _list(_object(["type", "source"], {"type": _TEXT, "source": _URI}), 1),
    "destinationList": _list(
        _object(["type", "destination"], {"type": _TEXT, "destination": _URI}), 1
    ),
    "sensorElementList": _SENSORS,
}
_ILMD: dict[str, Any] = {"type": "object"}
_OBJECTS = {"action": _ACTION, "epcList": _list(_URI), "quantityList": _QUANTITIES}
_CHILDREN = {
    "action": _ACTION, "parentID": _URI, "childEPCs": _list(_URI),
    "childQuantityList": _QUANTITIES,
}  # fmt: skip
_WHEN = ["type", "eventTime", "eventTimeZoneOffset"]


def _event(required: list[str], own: dict[str, Any], **more: Any) -> dict[str, Any]:
    return _object([*_WHEN, *required], {**_EVERY, **own}) | more


def _some(*names: str) -> dict[str, Any]:
    """At least one of these lists, and not an empty one."""
    return {"anyOf": [{"required": [n], "properties": {n: {"minItems": 1}}} for n in names]}


_ADDS_OR_TAKES = {"properties": {"action": {"enum": ["ADD", "DELETE"]}}}

EVENTS: dict[str, dict[str, Any]] = {
    "ObjectEvent": _event(
        ["action"],
        {**_OBJECTS, "ilmd": _ILMD},
        anyOf=[
            _some("epcList", "quantityList"),
            # 7.4.2: without objects it must report a place's sensors.
            {"required": ["sensorElementList", "readPoint"]},
        ],
    ),
    "AggregationEvent": _event(
        ["action"],
        _CHILDREN,
        **{"if": _ADDS_OR_TAKES, "then": {"required": ["parentID"]}},
        anyOf=[_some("childEPCs", "childQuantityList"), {"required": ["parentID"]}],
    ),
    "TransactionEvent": _event(["action", "bizTransactionList"], {**_OBJECTS, "parentID": _URI}),
    "TransformationEvent": _event(
        [],
        {
            "inputEPCList": _list(_URI),
            "inputQuantityList": _QUANTITIES,
            "outputEPCList": _list(_URI),
            "outputQuantityList": _QUANTITIES,
            "transformationID": _URI,
            "ilmd": _ILMD,
        },
        # 7.4.6: inputs and outputs, or one side of a transformation that has a name.
        anyOf=[
            {
                "allOf": [
                    _some("inputEPCList", "inputQuantityList"),
                    _some("outputEPCList", "outputQuantityList"),
                ]
            },
            {
                "allOf": [
                    {"required": ["transformationID"]},
                    _some(
                        "inputEPCList",
                        "inputQuantityList",
                        "outputEPCList",
                        "outputQuantityList",
                    ),
                ]
            },
        ],
    ),
    "AssociationEvent": _event(["action", "parentID"], _CHILDREN),
}

DOCUMENT = _object(
    ["@context", "type", "schemaVersion", "creationDate", "epcisBody"],
    {
        "@context": True,
        "id": _URI,
        "type": {"const": "EPCISDocument"},
        "schemaVersion": {"type": "string", "pattern": "^2\\.[0-9]+(\\.[0-9]+)?$"},
        "creationDate": _TIME,
        "instanceIdentifier": _TEXT,
        "sender": _TEXT,
        "receiver": _TEXT,
        "epcisHeader": {"type": "object"},
        "epcisBody": _object(["eventList"], {"eventList": {"type": "array", "maxItems": 10_000}}),
    },
)
