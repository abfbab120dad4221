"""Corners of the alarm decisions, worked out by hand, as whole cases through the replay.

Numbers in brackets are the decisions. Times are minutes after 2026-06-01T00:00:00Z.
"""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from coldtrail.case import parse_case
from coldtrail.replay import retrace

START = datetime(2026, 6, 1, tzinfo=UTC)
OPERATOR = {"id": "op", "role": "operator", "phone": "+8613800000001", "lang": "zh"}


def at(minute: float) -> str:
    return (START + timedelta(minutes=minute)).isoformat().replace("+00:00", "Z")


def rows(quantity: str, *said: tuple[float, float], probe: str = "p1") -> list[list[Any]]:
    return [[at(minute), "r1", probe, quantity, value] for minute, value in said]


def steady(value: float, first: int, last: int) -> list[list[Any]]:
    return rows("temperature", *((m, value) for m in range(first, last + 1, 5)))


def act(minute: float, kind: str, **more: Any) -> dict[str, Any]:
    return {"at": at(minute), "room": "r1", "kind": kind, "by": "u1", **more}


def replayed(*readings: list[Any], profile: str = "SB", **more: Any) -> dict[str, Any]:
    document = {
        "id": "x",
        "rooms": {"r1": {"profile": profile, **more.pop("room", {})}},
        "readings": sorted(readings),
        **more,
    }
    return retrace(parse_case(json.loads(json.dumps(document), parse_float=Decimal)))


def alarms(found: dict[str, Any]) -> list[tuple[str, float, float, float | None]]:
    def minute(text: str | None) -> float | None:
        if text is None:
            return None
        return (datetime.fromisoformat(text) - START).total_seconds() / 60

    return [
        (a["code"], minute(a["began_at"]) or 0, minute(a["fired_at"]) or 0, minute(a["cleared_at"]))
        for a in found["alarms"]
    ]


def test_an_excursion_with_a_hole_in_it_has_its_sums_and_its_unknown_minutes() -> None:
    """[25, 26, 27] Both are measured from 4: 1 x 5 + 4 x 30, nothing across the 20 minutes
    from 35 to 55, then 5 x 5 + 2.4 x 5: 162. The critical clears at 65, the warning is open and
    ends with its last sample, which is the same."""
    found = replayed(
        *rows("temperature", (0, 5.0), *((m, 8.0) for m in range(5, 36, 5))),
        *rows("temperature", (55, 9.0), (60, 6.4), (65, 6.0)),
        until=at(70),
    )

    limits = [a for a in found["alarms"] if not a["code"].startswith("DATA_GAP")]
    assert [(a["code"], a["began_at"], a["fired_at"], a["cleared_at"]) for a in limits] == [
        ("WARN_HIGH", at(0), at(30), None),
        ("CRIT_HIGH", at(5), at(35), at(65)),
    ]
    for alarm in limits:
        assert (alarm["peak"], alarm["degree_minutes"], alarm["minutes_unknown"]) == (9, 162, 20)
    assert ("DATA_GAP_WARN", 35, 50, 55) in alarms(found)


@pytest.mark.parametrize(
    ("back", "flagged"),
    [
        pytest.param((15, 4.0), [5, 10], id="exactly-two-away-after-exactly-three-intervals"),
        pytest.param((15, 4.01), [], id="a-hundredth-further-away"),
        pytest.param((15.01, 4.0), [], id="a-moment-later"),
    ],
)
def test_a_jump_is_flagged_up_to_the_sample_that_comes_back(
    back: tuple[float, float], flagged: list[int]
) -> None:
    """[11] a = 2.0 at 0; 12 and 13 are more than 8 away; one of the two after 5 must return."""
    found = replayed(*rows("temperature", (0, 2.0), (5, 12.0), (10, 13.0), back, (20, 2.0)))

    assert [row[0] for row in found["flagged"]] == [at(minute) for minute in flagged]


def test_a_defrost_that_returns_is_counted_from_its_first_start() -> None:
    """[32] Off at 15, so the pause would end at 35; on again at 30 it is the same defrost, which
    is bounded at 45 and too long from then until its heater goes off at 50."""
    found = replayed(
        *rows("defrost", (0, 1), (15, 0), (30, 1), (50, 0), probe="d"),
        *steady(-20, 0, 60),
        profile="FZ",
    )

    assert alarms(found) == [("DEFROST_TOO_LONG", 0, 45, 50)]
    assert found["pauses"] == [{"room": "r1", "cause": "defrost", "from": at(0), "to": at(45)}]


def test_hot_air_makes_a_power_loss_critical_when_it_is_hot_and_not_before_half_an_hour() -> None:
    """[33] 26 degC is measured at 40; the 30 degC of another probe at 5 had cooled by 20."""
    found = replayed(
        *rows("mains", (0, 0), (50, 1), probe="m"),
        *rows("ambient_temperature", (0, 20), (40, 26), probe="a"),
        *rows("ambient_temperature", (5, 30), (20, 24), probe="b"),
        *steady(2, 0, 60),
    )

    assert alarms(found) == [("POWER_LOSS_WARN", 0, 2, 50), ("POWER_LOSS_CRIT", 0, 40, 50)]


def test_goods_end_a_standby_and_the_last_of_them_ends_what_contradicts_it() -> None:
    """[20, 39] Hot throughout. Standby until the lot at 30; a timer from 30 fires at 60; the
    contradiction lasts from 30 until the lot is out at 50; then the room is empty and watched."""
    found = replayed(
        *steady(5, 0, 65),
        actions=[
            act(0, "standby_started"),
            act(30, "lot_in", lot="a"),
            act(50, "lot_out", lot="a"),
        ],
    )

    assert alarms(found) == [("STANDBY_WITH_STOCK", 30, 30, 50), ("WARN_HIGH", 30, 60, None)]
    assert found["pauses"] == [{"room": "r1", "cause": "standby", "from": at(0), "to": at(30)}]


def test_pre_cooling_closes_a_ceiling_at_both_ends() -> None:
    """[20] 41 degC all along: CEILING > 15 until 10, > 40 from 10 to 40, > 15 again."""
    found = replayed(
        *steady(41, 0, 50),
        actions=[
            act(10, "precool_started", start_c=41, medium_c=2, allowed_h=5),
            act(40, "precool_done"),
        ],
    )

    ceilings = [(fired, cleared) for code, _, fired, cleared in alarms(found) if code == "CEILING"]
    assert ceilings == [(0, 10), (10, 40), (40, None)]


@pytest.mark.parametrize(
    ("percent", "first"),
    [
        pytest.param(18, ("digest", at(22 * 60 + 30), ["LOW_BATTERY_WARN"]), id="18-waits"),
        pytest.param(9, ("raise", at(15 * 60 + 30), ["LOW_BATTERY_CRIT"]), id="9-does-not"),
    ],
)
def test_a_battery_at_half_past_eleven_at_night(
    percent: float, first: tuple[str, str, list[str]]
) -> None:
    """[46, 52] 23:30 in China is 15:30 UTC; the digest is at 06:30, 22:30 UTC."""
    found = replayed(
        *steady(2, 15 * 60, 23 * 60),
        *rows("battery", (15 * 60 + 30, percent)),
        contacts=[OPERATOR],
    )

    notice = found["notices"][0]
    assert (notice["kind"], notice["at"], notice["codes"]) == first


def test_where_the_machine_stands_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "case.json"
    readings = [*steady(5, 0, 60), *rows("battery", (0, 18))]
    case = {"id": "x", "rooms": {"r1": {"profile": "SB"}}, "readings": readings}
    path.write_text(json.dumps({**case, "contacts": [OPERATOR]}))

    def printed(zone: str) -> bytes:
        command = [sys.executable, "-m", "coldtrail", "replay", str(path)]
        done = subprocess.run(
            command, env={**os.environ, "TZ": zone}, capture_output=True, check=True
        )
        return done.stdout

    assert printed("America/New_York") == printed("Asia/Shanghai") != b""


def test_a_forecast_opens_exactly_at_the_warning_limit_and_reaches_the_critical_one_exactly() -> (
    None
):
    """[35] 1.0 + 0.1 each 4 minutes is 1.5 degC an hour. At 120 it is 4.0, the warning limit, and
    4.0 + 2 x 1.5 is 7.0, the critical one. At 116 it was 3.9."""
    rise = rows("temperature", *((4 * k, round(1.0 + 0.1 * k, 1)) for k in range(31)))

    found = replayed(*rise, room={"interval_s": 240})

    assert alarms(found) == [("PREDICT_HIGH", 120, 120, None)]


def test_a_dose_of_cold_counts_a_hole_as_one_interval_and_runs_through_it() -> None:
    """[22, 27] 8.5 from 0 to 600: 121 samples of 5 minutes. The one at 700 adds 5, not 100. So
    24 h are full with sample 288, which is at 700 + 166 x 5 = 1530. WARN_CHILL: the hole drops no
    alarm. Measured from 10: 1.5 x (600 + 830) and 100 unknown."""
    found = replayed(*steady(8.5, 0, 600), *steady(8.5, 700, 1530), profile="CU")

    dose = next(a for a in found["alarms"] if a["code"] == "CRIT_CHILL_CUM")
    assert (dose["began_at"], dose["fired_at"]) == (at(0), at(1530))
    assert (dose["peak"], dose["degree_minutes"], dose["minutes_unknown"]) == (8.5, 2145, 100)


def test_a_removed_probe_closes_what_it_raised_and_starts_anew() -> None:
    """[27, 41] 5.0 throughout. Fired at 30; taken away at 42, two minutes after its last sample:
    1 x 42. It speaks again at 100 and fires 30 minutes later. Its silence is nobody's gap."""
    found = replayed(
        *steady(5, 0, 40), *steady(5, 100, 130), actions=[act(42, "probe_removed", probe="p1")]
    )

    assert alarms(found) == [("WARN_HIGH", 0, 30, 42), ("WARN_HIGH", 100, 130, None)]
    assert [a["degree_minutes"] for a in found["alarms"]] == [42, 30]


def test_a_compressor_that_never_stops_is_counted_from_whatever_came_last() -> None:
    """[47] On since 0; the set point is known from 30; at 50 a temperature reached it; 6 h later
    it is told, until the compressor stops."""
    found = replayed(
        *rows("compressor", (0, 1), (420, 0), probe="c"),
        *rows("setpoint", (30, 2.0), probe="c"),
        *[[*row[:4], 2.0 if row[0] == at(50) else 3.0] for row in steady(3, 0, 430)],
    )

    assert alarms(found) == [("COMP_NEVER_STOPS", 50, 410, 420)]


def test_with_samples_an_hour_apart_both_gaps_begin_after_three_hours() -> None:
    """[34] 3 intervals are 180 minutes, and the critical one's 60 are less than that."""
    found = replayed(
        *rows("temperature", (0, 5), (400, 5)), profile="VX", room={"interval_s": 3600}
    )

    assert alarms(found) == [("DATA_GAP_CRIT", 0, 180, 400), ("DATA_GAP_WARN", 0, 180, 400)]


def test_a_lying_probe_is_judged_by_its_own_neighbours_without_conflicts_and_over_gaps() -> None:
    """[9, 43] -127 at 0; two values at 5 are a conflict and skipped; -127 at 60 is the second in a
    row. 2.0 at 65 is one good sample, -127 at 70 starts the count of good ones anew."""
    found = replayed(
        *rows("temperature", (0, -127), (5, 2.0), (5, 3.0), (60, -127), (65, 2.0)),
        *rows("temperature", (70, -127), (75, 2.0), (80, 2.0)),
    )

    ranges = [a for a in found["alarms"] if a["code"] == "SENSOR_RANGE"]
    assert [(a["level"], a["began_at"], a["fired_at"], a["cleared_at"]) for a in ranges] == [
        ("critical", at(0), at(60), at(80))
    ]
    assert [(row[0], row[4]) for row in found["flagged"]] == [
        (at(0), "SENSOR_RANGE"),
        (at(5), "CONFLICT"),
        (at(60), "SENSOR_RANGE"),
        (at(70), "SENSOR_RANGE"),
    ]
