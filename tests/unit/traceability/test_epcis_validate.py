"""What counts as EPCIS 2.0, and what is said of the rest."""

from typing import Any

import pytest

from traceability.epcis import Invalid, validate

OBJECT: dict[str, Any] = {
    "type": "ObjectEvent",
    "eventTime": "2026-06-01T20:00:00.000+08:00",
    "eventTimeZoneOffset": "+08:00",
    "action": "OBSERVE",
    "bizStep": "shipping",
    "disposition": "in_transit",
    "epcList": ["urn:epc:id:sgtin:0614141.107346.2017"],
    "readPoint": {"id": "urn:epc:id:sgln:0614141.07346.1234"},
    "bizTransactionList": [
        {"type": "po", "bizTransaction": "http://transaction.acme.example/po/12345678"}
    ],
}
WHEN: dict[str, Any] = {key: OBJECT[key] for key in ("eventTime", "eventTimeZoneOffset")}
AGGREGATION: dict[str, Any] = {
    **WHEN,
    "type": "AggregationEvent",
    "action": "ADD",
    "parentID": "urn:epc:id:sscc:0614141.1234567890",
    "childEPCs": ["urn:epc:id:sgtin:0614141.107346.2017"],
    "childQuantityList": [
        {"epcClass": "urn:epc:idpat:sgtin:4012345.098765.*", "quantity": 10},
        {"epcClass": "urn:epc:class:lgtin:4012345.012345.998877", "quantity": 200.5, "uom": "KGM"},
    ],
}
TRANSACTION: dict[str, Any] = {
    **WHEN,
    "type": "TransactionEvent",
    "action": "ADD",
    "bizTransactionList": [{"bizTransaction": "urn:epcglobal:cbv:bt:0614141073468:1152"}],
    "epcList": ["urn:epc:id:sgtin:0614141.107346.2017"],
}
TRANSFORMATION: dict[str, Any] = {
    **WHEN,
    "type": "TransformationEvent",
    "inputQuantityList": [{"epcClass": "urn:epc:class:lgtin:4012345.011111.4444", "quantity": 10}],
    "outputEPCList": ["urn:epc:id:sgtin:4012345.077889.25"],
    "ilmd": {"cbvmda:bestBeforeDate": "2026-12-31"},
}
ASSOCIATION: dict[str, Any] = {
    **WHEN,
    "type": "AssociationEvent",
    "action": "ADD",
    "parentID": "urn:epc:id:grai:4012345.55555.987",
    "childEPCs": ["urn:epc:id:giai:4000001.12345"],
    "sensorElementList": [
        {
            "sensorMetadata": {"time": "2026-06-01T12:00:00Z", "deviceID": "urn:epc:id:giai:4.1"},
            "sensorReport": [{"type": "Temperature", "value": 4.1, "uom": "CEL"}],
        }
    ],
}


@pytest.mark.parametrize(
    "event",
    [OBJECT, AGGREGATION, TRANSACTION, TRANSFORMATION, ASSOCIATION],
    ids=lambda e: e["type"],
)
def test_each_kind_of_event_is_taken_alone_in_a_list_and_in_a_document(
    event: dict[str, Any],
) -> None:
    document = {
        "@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"],
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": "2026-06-01T12:00:00Z",
        "epcisBody": {"eventList": [event]},
    }

    assert validate(event) == validate([event]) == validate(document)


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def changed(**fields: Any) -> dict[str, Any]:
    return {k: v for k, v in {**OBJECT, **fields}.items() if v is not ...}


@pytest.mark.parametrize(
    ("event", "place"),
    [
        pytest.param(changed(eventTime="2026-06-01 12:00"), "eventTime", id="time-format"),
        pytest.param(changed(eventTime="2026-02-30T12:00:00Z"), "eventTime", id="no-such-day"),
        pytest.param(changed(eventTime="2026-06-01T12:00:00"), "eventTime", id="no-offset"),
        pytest.param(changed(eventTimeZoneOffset="8"), "eventTimeZoneOffset", id="offset"),
        pytest.param(changed(eventTimeZoneOffset=...), "eventTimeZoneOffset", id="offset-missing"),
        pytest.param(changed(action="LOOK"), "action", id="action"),
        pytest.param(changed(action=...), "action", id="action-missing"),
        pytest.param(changed(bizStep="freezing"), "bizStep", id="unknown-step"),
        pytest.param(changed(disposition="cold"), "disposition", id="unknown-disposition"),
        pytest.param(changed(epcList=["not a uri"]), "epcList[0]", id="epc"),
        pytest.param(changed(epcList=[]), "", id="nothing-named"),
        pytest.param(changed(epcList="urn:x:y"), "epcList", id="not-a-list"),
        pytest.param(changed(readPoint="urn:x:y"), "readPoint", id="place-not-an-object"),
        pytest.param(changed(temperature=4), "temperature", id="unknown-field"),
        pytest.param(changed(type="MagicEvent"), "type", id="unknown-type"),
        pytest.param(changed(quantityList=[{"quantity": 1}]), "epcClass", id="quantity-of-what"),
        pytest.param(
            changed(quantityList=[{"epcClass": "urn:a:b", "quantity": -1}]), "quantity", id="negative"
        ),
        pytest.param(changed(errorDeclaration={}), "declarationTime", id="error-without-time"),
        pytest.param(
            {k: v for k, v in AGGREGATION.items() if k != "parentID"}, "parentID", id="add-to-nothing"
        ),
        pytest.param(
            {k: v for k, v in TRANSFORMATION.items() if k != "outputEPCList"}, "", id="no-outputs"
        ),
        pytest.param({**TRANSFORMATION, "action": "ADD"}, "action", id="transformation-has-no-action"),
        pytest.param("text", "not an object", id="not-an-object"),
        pytest.param(changed(eventTime="1969-12-31T23:59:59Z"), "eventTime", id="before-1970"),
        pytest.param(changed(eventTime="9999-12-31T23:59:59-14:00"), "eventTime", id="year-10000"),
        pytest.param(changed(**{"a:b": nested(40)}), "nested", id="too-deep"),
        pytest.param(changed(**{"a:b": nested(100_000)}), "nested", id="far-too-deep"),
        pytest.param(changed(**{"a:b": 2**60, "eventID": "urn:uuid:1"}), "2**53", id="inexact"),
        pytest.param(changed(**{"a:b": float("nan")}), "NaN", id="not-a-number"),
        pytest.param(changed(**{"a:b": "\ud800"}), "surrogate", id="lone-surrogate"),
        pytest.param(changed(**{"a:\ud800": 1}), "surrogate", id="lone-surrogate-in-a-name"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_place(event: Any, place: str) -> None:
    with pytest.raises(Invalid) as caught:
        validate([OBJECT, event])

    assert all(problem.startswith("eventList[1]") for problem in caught.value.problems)
    assert place in caught.value.problems[0]


@pytest.mark.parametrize("document", [None, 1, "x", {}, {"type": "EPCISDocument"}, {"type": "x"}])
def test_what_is_no_document_at_all_is_refused(document: Any) -> None:
    with pytest.raises(Invalid):
        validate(document)


def test_unknown_extensions_are_kept_as_they_came() -> None:
    event = changed(**{"farm:picker": {"name": "Li"}, "https://farm.example/voc/field": [7]})

    taken = validate(event)[0]

    assert taken["farm:picker"] == {"name": "Li"}
    assert taken["https://farm.example/voc/field"] == [7]


def test_an_event_without_an_id_gets_the_same_one_each_time() -> None:
    one = validate(OBJECT)[0]["eventID"]
    again = validate({**dict(reversed(OBJECT.items())), "recordTime": "2026-06-02T00:00:00Z"})[0]

    assert one == again["eventID"]
    assert one.startswith("ni:///sha-256;")
    assert validate(changed(action="ADD"))[0]["eventID"] != one


def test_an_id_of_its_own_is_left_alone() -> None:
    assert validate(changed(eventID="urn:uuid:1"))[0]["eventID"] == "urn:uuid:1"


def test_words_with_cbv_prefixes_become_bare_ones() -> None:
    event = validate(
        changed(
            bizStep="urn:epcglobal:cbv:bizstep:storing",
            disposition="https://ref.gs1.org/cbv/Disp-in_progress",
        )
    )[0]

    assert (event["bizStep"], event["disposition"]) == ("storing", "in_progress")


def test_a_step_of_ones_own_vocabulary_is_taken() -> None:
    step = "https://farm.example/voc/washing"

    assert validate(changed(bizStep=step))[0]["bizStep"] == step


def test_a_sensor_report_of_a_place_needs_no_goods() -> None:
    event = changed(
        epcList=..., bizStep="sensor_reporting", sensorElementList=ASSOCIATION["sensorElementList"]
    )

    assert validate(event)


def test_the_events_given_are_not_changed() -> None:
    before = dict(OBJECT)

    validate(OBJECT)

    assert before == OBJECT
