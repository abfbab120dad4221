"""The simple event query, parameter by parameter."""

from typing import Any

import pytest

from store.records.ports import ChangeNo, EpcisEvent
from traceability.epcis import BadQuery, TooLarge, query

NOON_MS = 1_780_315_200_000  # 2026-06-01T12:00:00Z
MINUTE_MS = 60_000


def event(minute: int, type: str = "ObjectEvent", m: int = 0, **fields: Any) -> EpcisEvent:
    id = f"urn:e:{minute}"
    body = {"type": type, "eventID": id, "action": "OBSERVE", **fields}
    at_ms = NOON_MS + minute * MINUTE_MS
    return EpcisEvent(id, at_ms, NOON_MS + (m or minute) * MINUTE_MS, body, ChangeNo(m or minute))


EVENTS = [
    event(1, bizStep="receiving", epcList=["urn:a:1"], readPoint={"id": "urn:p:1"}),
    event(2, bizStep="storing", disposition="in_progress", epcList=["urn:a:1", "urn:a:2"],
          bizLocation={"id": "urn:r:1"}),
    event(3, "AggregationEvent", action="ADD", parentID="urn:a:9", childEPCs=["urn:a:2"]),
    event(4, "TransformationEvent", inputEPCList=["urn:a:1"], outputEPCList=["urn:a:3"]),
    event(5, action="DELETE", quantityList=[{"epcClass": "urn:c:1"}]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("params", "minutes"),
    [
        ({}, [1, 2, 3, 4, 5]),
        ({"eventType": "AggregationEvent,TransformationEvent"}, [3, 4]),
        ({"eventType": ["AggregationEvent", "ObjectEvent"]}, [1, 2, 3, 5]),
        ({"GE_eventTime": "2026-06-01T12:03:00Z"}, [3, 4, 5]),
        ({"LT_eventTime": "2026-06-01T20:03:00+08:00"}, [1, 2]),
        ({"LT_eventTime": "2026-06-01T20:03:00 08:00"}, [1, 2]),
        ({"GE_eventTime": "2026-06-01T12:02:00Z", "LT_eventTime": "2026-06-01T12:04:00Z"}, [2, 3]),
        ({"GE_recordTime": "2026-06-01T12:05:00Z"}, [5]),
        ({"EQ_bizStep": "storing"}, [2]),
        ({"EQ_bizStep": "https://ref.gs1.org/cbv/BizStep-storing|receiving"}, [1, 2]),
        ({"EQ_disposition": "in_progress"}, [2]),
        ({"EQ_action": "ADD,DELETE"}, [3, 5]),
        ({"EQ_readPoint": "urn:p:1"}, [1]),
        ({"EQ_bizLocation": "urn:r:1"}, [2]),
        ({"EQ_eventID": "urn:e:4"}, [4]),
        ({"MATCH_epc": "urn:a:2"}, [2, 3]),
        ({"MATCH_epc": "urn:a:9"}, []),
        ({"MATCH_anyEPC": "urn:a:9"}, [3]),
        ({"MATCH_anyEPC": "urn:a:1"}, [1, 2, 4]),
        ({"MATCH_inputEPC": "urn:a:1"}, [4]),
        ({"MATCH_outputEPC": "urn:a:1"}, []),
        ({"MATCH_outputEPC": "urn:a:3"}, [4]),
        ({"MATCH_epcClass": "urn:c:1"}, [5]),
        ({"orderBy": "eventTime"}, [5, 4, 3, 2, 1]),
        ({"orderBy": "eventTime", "orderDirection": "ASC", "eventCountLimit": "2"}, [1, 2]),
        ({"orderBy": "eventTime", "eventCountLimit": "2"}, [5, 4]),
    ],
)
def test_a_parameter_keeps_the_events_that_it_names(
    params: dict[str, str], minutes: list[int]
) -> None:
    assert [e["eventID"] for e in query(EVENTS, params).events] == [f"urn:e:{m}" for m in minutes]


def test_a_class_that_was_used_up_is_told_from_one_that_was_made() -> None:
    made = event(
        1, "TransformationEvent", inputQuantityList=[{"epcClass": "urn:c:1"}],
        outputQuantityList=[{"epcClass": "urn:c:2"}],
    )  # fmt: skip

    def found(parameter: str, epc_class: str) -> bool:
        return bool(query([made], {parameter: epc_class}).events)

    assert found("MATCH_inputEPCClass", "urn:c:1")
    assert found("MATCH_outputEPCClass", "urn:c:2")
    assert not found("MATCH_inputEPCClass", "urn:c:2")
    assert not found("MATCH_outputEPCClass", "urn:c:1")
    assert not found("MATCH_epcClass", "urn:c:1")


@pytest.mark.parametrize(
    ("params", "parameter"),
    [
        ({"eventType": "MagicEvent"}, "eventType"),
        ({"GE_eventTime": "yesterday"}, "GE_eventTime"),
        ({"GE_eventTime": "2026-06-01T12:00:00"}, "GE_eventTime"),
        ({"EQ_action": "LOOK"}, "EQ_action"),
        ({"perPage": "0"}, "perPage"),
        ({"perPage": "-1"}, "perPage"),
        ({"perPage": "٣"}, "perPage"),
        ({"orderBy": "weight"}, "orderBy"),
        ({"orderDirection": "UP"}, "orderDirection"),
        ({"nextPageToken": "xyz"}, "nextPageToken"),
        ({"EQ_colour": "red"}, "EQ_colour"),
        ({"eventCountLimit": "1", "maxEventCount": "1"}, "maxEventCount"),
    ],
)
def test_a_parameter_that_cannot_be_is_named(params: dict[str, str], parameter: str) -> None:
    with pytest.raises(BadQuery) as caught:
        query(EVENTS, params)

    assert caught.value.parameter == parameter


def test_more_than_max_event_count_is_an_error_and_not_a_part() -> None:
    assert len(query(EVENTS, {"maxEventCount": "5"}).events) == 5
    with pytest.raises(TooLarge):
        query(EVENTS, {"maxEventCount": "4"})


def test_an_event_comes_back_with_the_time_at_which_it_was_taken_in() -> None:
    assert query(EVENTS, {"EQ_eventID": "urn:e:1"}).events == [
        {**EVENTS[0].body, "recordTime": "2026-06-01T12:01:00Z"}
    ]


@pytest.mark.parametrize("direction", ["ASC", "DESC"])
def test_pages_follow_one_another_though_events_come_in_between(direction: str) -> None:
    params = {"perPage": "2", "orderBy": "eventTime", "orderDirection": direction}
    one = query(EVENTS, params)
    assert one.next is not None

    early = event(0, m=9)
    two = query([*EVENTS, early], {**params, "nextPageToken": one.next})
    assert two.next is not None
    three = query([*EVENTS, early], {**params, "nextPageToken": two.next})

    seen = [e["eventID"] for page in (one, two, three) for e in page.events]
    wanted = [f"urn:e:{m}" for m in (1, 2, 3, 4, 5)]
    assert seen == (wanted if direction == "ASC" else [*wanted[::-1], "urn:e:0"])
    assert three.next is None
