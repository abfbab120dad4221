"""The acceptance cases again, from the probe to the phone: MQTT in, alarms and text messages out.

A story's clock lets hours pass in seconds. Facts depend on what the readings say alone, so all
cases but two play at once, a day in half a minute. What is told depends on arrival: those cases
play slower, and a message may come up to one tick after its moment, the time that the case
leaves between two samples.

``COLDTRAIL_SCENES=all`` also plays the four shorter cases with people (03, 05, 19b, 20).
"""

import os
import re
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from domain.incident import LINK_CODES
from domain.instant import rfc3339
from domain.reading import RoomId
from store.facts import open_facts_reader
from tests.support.servers import require
from tests.support.stage import DAY_MS, MINUTE_MS, Part, Sms, Stage, Told

pytestmark = pytest.mark.server

CASES = Path(__file__).parents[1] / "scenarios"
EVERY = sorted(CASES.glob("*.json"))
ALL = os.environ.get("COLDTRAIL_SCENES") == "all"
TICK_MS = 5 * MINUTE_MS
LOCAL_MS = 8 * 3_600_000
MINUTES = re.compile(r"\d\d:\d\d|\d+(?=分钟)")


def case(number: str) -> Path:
    (path,) = CASES.glob(f"{number}-*.json")
    return path


@pytest.fixture(autouse=True)
def servers() -> None:
    require("nats-server")


def test_every_case_comes_out_of_the_whole_system_as_a_replay_says(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    parts = [Part(path, people=False) for path in EVERY if path.stem[:2] not in ("24", "25")]

    with Stage(tmp_path, parts, "2026-05-01T00:00:00Z", rate=3000).running() as stage:
        stage.play()

        assert differing(stage) == {}
    record_property("printed", f"{len(parts)} cases, {readings(stage)} readings, 3,000 x")


def test_a_night_critical_climbs_until_it_is_answered_and_comes_back_two_hours_later(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    night = Part(case("24"), people=True)

    with Stage(tmp_path, [night], "2026-06-01T22:05:00+08:00", rate=120).running() as stage:
        stage.play()

        assert differing(stage) == {}
        assert unlike(stage, TICK_MS) == []
    record_property("printed", table(stage))


def test_a_county_without_power_is_one_message_with_a_number(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    # Sites fall silent five seconds apart and the county's message counts those of ten minutes to
    # the second: ten times as fast, the last of them is half a second inside.
    county = Part(case("25"), people=True, until="2026-06-01T00:14:30Z")

    with Stage(tmp_path, [county], "2026-06-01T06:05:00+08:00", rate=10).running() as stage:
        stage.play()

        assert differing(stage) == {}
        assert unlike(stage, MINUTE_MS) == []
    record_property("printed", table(stage))


if ALL:  # four minutes more

    def test_the_other_cases_with_people_tell_what_a_replay_tells(
        tmp_path: Path, record_property: Callable[[str, object], None]
    ) -> None:
        parts = [Part(case(number), people=True) for number in ("03", "05", "19b", "20")]

        with Stage(tmp_path, parts, "2026-06-01T06:05:00+08:00", rate=60).running() as stage:
            stage.play()

            assert differing(stage) == {}
            assert unlike(stage, TICK_MS) == []
        record_property("printed", table(stage))


# --- facts


def differing(stage: Stage) -> dict[str, tuple[object, object]]:
    """By case and kind: what a replay says, and what the system recorded up to its horizon."""
    found: dict[str, tuple[object, object]] = {}
    with closing(open_facts_reader(stage.facts)) as facts:
        for part in stage.parts:
            want, until_ms = part.replayed(), part.until_ms
            rooms = sorted(part.case["rooms"])
            alarms = [
                alarm
                for room in rooms
                for alarm in stage.system.http("/api/v1/alarms", room=room, limit=1000)["alarms"]
                if alarm["fired_at_ms"] <= until_ms
            ]
            pauses = [p for r in rooms for p in facts.pauses(RoomId(r), 0, until_ms + 1)]
            flags = [f for r in rooms for f in facts.flags(RoomId(r), 0, until_ms + 1)]
            got: dict[str, list[Any]] = {
                "alarms": [recorded(alarm, until_ms) for alarm in alarms],
                "pauses": [
                    {"room": p.room, "cause": p.cause, "from": rfc3339(p.from_ms),
                     "to": None if p.to_ms is None else rfc3339(p.to_ms)}
                    for p in pauses
                ],
                "flagged": [
                    [rfc3339(f.at_ms), f.room, f.probe, f.quantity, f.reason] for f in flags
                ],
            }  # fmt: skip
            for key, rows in got.items():
                if sorted(map(repr, rows)) != sorted(map(repr, want[key])):
                    found[f"{part.name} {key}"] = (want[key], rows)
    return found


def recorded(alarm: dict[str, Any], until_ms: int) -> dict[str, Any]:
    """As a replay prints it. The system's clock has gone on since the horizon."""
    cleared_ms = alarm["cleared_at_ms"]
    over = cleared_ms is not None and cleared_ms <= until_ms
    return {
        "room": alarm["room"],
        "code": alarm["code"],
        "level": alarm["level"],
        "began_at": rfc3339(alarm["began_at_ms"]),
        "fired_at": rfc3339(alarm["fired_at_ms"]),
        "cleared_at": rfc3339(cleared_ms) if over else None,
        "peak": alarm["peak"],
        "degree_minutes": alarm["degree_minutes"],
        "minutes_unknown": alarm["minutes_unknown"],
    }


# --- messages


def unlike(stage: Stage, tick_ms: int) -> list[str]:
    """Messages expected and not received, received and not expected, or out of time: each
    expected one takes the first with its phone and text that came in its tick. What people are
    told after their case's horizon is no part of it."""
    until_ms = {
        contact["phone"].removeprefix("+"): part.until_ms + tick_ms
        for part in stage.parts
        for contact in part.case["contacts"]
    }
    left = [sms for sms in stage.received() if sms.at_ms <= until_ms[sms.phone]]
    wrong: list[str] = []
    for told in expected(stage):
        sms = next((s for s in left if fits(told, s, tick_ms)), None)
        if sms is None:
            wrong.append(f"missing: {clock(told.at_ms)} {told.to} {told.kind} {told.text}")
        else:
            left.remove(sms)
    return wrong + [f"not expected: {clock(s.at_ms)} {s.phone} {s.text}" for s in left]


def fits(told: Told, sms: Sms, tick_ms: int) -> bool:
    if sms.phone != told.phone.removeprefix("+") or not 0 <= sms.at_ms - told.at_ms <= tick_ms:
        return False
    if LINK_CODES.issuperset(told.codes):  # silence counts from the arrival, to the minute
        return MINUTES.sub("", sms.text) == MINUTES.sub("", told.text)
    return sms.text == told.text


def expected(stage: Stage) -> Sequence[Told]:
    told = [one for part in stage.parts for one in part.told()]
    return sorted(told, key=lambda one: (one.at_ms, one.to))


def table(stage: Stage) -> str:
    """What came of it, as the documentation shows it."""
    told = {(t.phone.removeprefix("+"), t.text): t for t in expected(stage)}
    kinds = Counter(t.kind for t in told.values())
    lines = [f"{len(stage.received())} messages, {stage.rate:g} x: {dict(kinds)}"]
    for sms in stage.received()[:20]:
        one = told.get((sms.phone, sms.text))
        if one is not None:
            late_s = (sms.at_ms - one.at_ms) / 1000
            lines.append(
                f"  {clock(one.at_ms)} +{late_s:3.0f} s {one.to:12} {one.kind:8} {sms.text}"
            )
    return "\n".join(lines)


def clock(at_ms: int) -> str:
    """Local, to the second."""
    return f"{datetime.fromtimestamp((at_ms + LOCAL_MS) % DAY_MS / 1000, UTC):%H:%M:%S}"


def readings(stage: Stage) -> int:
    return sum(len(part.case["readings"]) for part in stage.parts)
