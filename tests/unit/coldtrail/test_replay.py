"""A replay reads its case strictly and prints times, numbers and lists as they are fixed."""

import json
from pathlib import Path
from typing import Any

import pytest

from coldtrail.replay import main

START = "2026-06-01T00:00:00Z"


def reading(minute: int = 0, value: object = 2.0, *more: object, probe: str = "p1") -> list[object]:
    at = f"2026-06-01T{minute // 60:02}:{minute % 60:02}:00Z"
    return [at, "r1", probe, "temperature", value, *more]


def case(**changes: Any) -> dict[str, Any]:
    return {"id": "x", "rooms": {"r1": {"profile": "SB"}}, "readings": [reading()], **changes}


def action(kind: str = "ack", **more: Any) -> dict[str, Any]:
    return {"at": START, "room": "r1", "kind": kind, "by": "u1", **more}


def replay(folder: Path, document: object) -> int:
    path = folder / "case.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return main(path)


def room(**changes: Any) -> dict[str, Any]:
    return {"rooms": {"r1": {"profile": "SB", **changes}}}


@pytest.mark.parametrize(
    ("field", "document"),
    [
        pytest.param("not JSON", "{", id="not-json"),
        pytest.param("not JSON", '{"id": NaN}', id="nan"),
        pytest.param("not JSON", '{"id": -Infinity}', id="infinity"),
        pytest.param(
            "readings[1].value", case(readings=[reading(), reading(5, float("nan"))]), id="nan-value"
        ),
        pytest.param(
            "rooms.r1.overrides.WARN_HIGH.limit_c",
            case(**room(overrides={"WARN_HIGH": {"limit_c": float("inf")}})),
            id="infinite-limit",
        ),
        pytest.param("extra", case(extra=1), id="unknown-field"),
        pytest.param("id", {"rooms": {}, "readings": []}, id="no-id"),
        pytest.param("rooms", {"id": "x", "readings": []}, id="no-rooms"),
        pytest.param("readings", {"id": "x", "rooms": {}}, id="no-readings"),
        pytest.param("rooms.r 1", case(rooms={"r 1": {"profile": "SB"}}, readings=[]), id="slug"),
        pytest.param("rooms.r1.profile", case(**room(profile="ZZ")), id="profile"),
        pytest.param("rooms.r1.commodities[0]", case(**room(commodities=["x"])), id="commodity"),
        pytest.param(
            "rooms.r1.commodities",
            case(**room(profile="CU", commodities=["cucumber", "broccoli"])),
            id="bands",
        ),
        pytest.param("rooms.r1.interval_s", case(**room(interval_s=300.5)), id="interval"),
        pytest.param("rooms.r1.kind", case(**room(kind="chilled")), id="unknown-room-field"),
        pytest.param(
            "rooms.r1.overrides.WARN_HIGH.delay_min",
            case(**room(overrides={"WARN_HIGH": {"delay_min": 3}})),
            id="delay",
        ),
        pytest.param(
            "rooms.r1.overrides.CRIT_HIGH.delay_min",
            case(**room(profile="FT", interval_s=600)),
            id="the-profiles-own-delay",
        ),
        pytest.param("readings[0].measured_at", case(readings=[["x", "r1", "p", "door", 1]]), id="time"),
        pytest.param(
            "readings[0].measured_at",
            case(readings=[["2026-06-01T00:00:00", "r1", "p", "door", 1]]),
            id="time-without-offset",
        ),
        pytest.param(
            "readings[0].measured_at",
            case(readings=[["0001-01-01T00:00:00+08:00", "r1", "p", "door", 1]]),
            id="before-all-years",
        ),
        pytest.param("until", case(until="9999-12-31T23:59:59Z"), id="after-all-years"),
        pytest.param("readings[1].value", case(readings=[reading(), reading(5, "4")]), id="text"),
        pytest.param("readings[0].value", case(readings=[reading(0, None)]), id="null"),
        pytest.param("readings[0].value", case(readings=[reading(0, True)]), id="boolean"),
        pytest.param("readings[0].room", case(readings=[[START, "r2", "p", "door", 1]]), id="room"),
        pytest.param(
            "readings[0].quantity", case(readings=[[START, "r1", "p", "mood", 1]]), id="quantity"
        ),
        pytest.param("readings[0]", case(readings=[[START, "r1"]]), id="short-row"),
        pytest.param(
            "readings[0].probe", case(readings=[reading(probe="p\ud800")]), id="half-a-character"
        ),
        pytest.param("until", case(until="2026-05-31T23:59:59Z"), id="until"),
        pytest.param("actions[0].kind", case(actions=[action("dance")]), id="kind"),
        pytest.param("actions[0].lot", case(actions=[action("lot_in")]), id="no-lot"),
        pytest.param("actions[0].mood", case(actions=[action(mood="good")]), id="action-field"),
        pytest.param(
            "actions[0].recorded_at",
            case(actions=[action(recorded_at="2026-05-31T00:00:00Z")]),
            id="recorded-before",
        ),
        pytest.param(
            "actions[0].allowed_h",
            case(actions=[action("precool_started", start_c=28, medium_c=2, allowed_h=0)]),
            id="duration",
        ),
        pytest.param(
            "actions[0].overrides.WARN_HIGH.delay_min",
            case(actions=[action("rule_changed", overrides={"WARN_HIGH": {"delay_min": 1}})]),
            id="changed-rule",
        ),
        pytest.param(
            "contacts[0].role",
            case(contacts=[{"id": "a", "role": "boss", "phone": "+86", "lang": "zh"}]),
            id="role",
        ),
        pytest.param(
            "contacts[0].rooms[0]",
            case(contacts=[
                {"id": "a", "role": "county", "phone": "+86", "lang": "zh", "rooms": ["r9"]}
            ]),
            id="contact-room",
        ),
    ],
)  # fmt: skip
def test_a_faulty_case_ends_with_2_and_names_its_field(
    field: str, document: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = replay(tmp_path, document)

    said = capsys.readouterr()
    assert code == 2
    assert said.out == ""
    assert field in said.err


def printed(
    folder: Path, document: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> dict[str, Any]:
    assert replay(folder, document) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_quiet_case_prints_empty_lists(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert printed(tmp_path, case(), capsys) == {
        "id": "x",
        "alarms": [],
        "pauses": [],
        "flagged": [],
        "notices": [],
    }


def test_offsets_are_understood_and_output_is_utc(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = ["2026-06-01T08:00:00.2504+08:00", "r1", "p1", "temperature", 85.0]

    found = printed(tmp_path, case(readings=[row]), capsys)

    assert found["flagged"] == [
        ["2026-06-01T00:00:00.250Z", "r1", "p1", "temperature", "SENSOR_RANGE"]
    ]


def test_readings_of_no_room_are_accepted_and_judged_by_no_rule(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [["2026-06-01T00:00:00Z", "unassigned", "p9", "temperature", 85.0]]

    assert printed(tmp_path, case(readings=rows), capsys)["flagged"] == []


def test_a_clock_eight_hours_ahead_is_set_aside_and_moves_no_horizon(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        reading(480, 9.0, START),
        reading(485, 9.0, "2026-06-01T00:05:00Z"),
        ["2019-12-31T23:59:59Z", "r1", "p1", "temperature", 9.0],
        reading(5, 2.0, START),
        reading(10, 2.0),
    ]

    found = printed(tmp_path, case(readings=rows, until="2026-06-01T00:10:00Z"), capsys)

    assert [row[4] for row in found["flagged"]] == ["CLOCK_SKEW"] * 3
    assert found["alarms"] == []


def test_a_key_delivered_with_two_values_is_flagged_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [reading(0, 2.0), reading(0, 9.0), reading(0, 2.0), reading(0, 9.001)]

    assert [r[4] for r in printed(tmp_path, case(readings=rows), capsys)["flagged"]] == ["CONFLICT"]


def test_a_number_too_large_for_anything_is_out_of_range(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "case.json"
    path.write_text(json.dumps(case()).replace("2.0", "1e300"))

    assert main(path) == 0
    assert "SENSOR_RANGE" in capsys.readouterr().out


@pytest.mark.parametrize(
    "number",
    ["1e309", "-1e999", "1e9999999999999999999", pytest.param("9" * 400, id="400"),
     pytest.param("9" * 6_000, id="6000")],
)  # fmt: skip
def test_a_number_that_is_infinite_to_who_reads_json_is_refused_with_its_field(
    number: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "case.json"
    path.write_text(json.dumps(case()).replace("2.0", number))

    assert main(path) == 2
    out, err = capsys.readouterr()
    assert (out, "readings[0].value" in err, "beyond what a number can hold" in err) == ("", 1, 1)


def test_a_missing_file_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(tmp_path / "nothing.json") == 2
    assert "nothing.json" in capsys.readouterr().err


def test_a_time_long_ago_is_set_aside_and_printed_in_full(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [["0033-04-03T12:00:00Z", "r1", "p1", "temperature", 2.0]]

    found = printed(tmp_path, case(readings=rows), capsys)

    assert found["flagged"] == [["0033-04-03T12:00:00Z", "r1", "p1", "temperature", "CLOCK_SKEW"]]
