"""Local time sent as UTC: noticed, and set right by one action."""

import json
from pathlib import Path

import pytest

from gateway.hours_off import HOUR_MS, HoursOff, Offsets, hours_ahead, read, set_offset
from gateway.receive import Admission, Message

NOW = 1_780_000_000_000
MINUTE = 60_000
TOPIC = "tele/store7/SENSOR"


def seen(*ahead: tuple[int, int]) -> dict[str, int]:
    """After messages at (minutes from now, ms ahead)."""
    watch = HoursOff()
    at = NOW
    for minute, ahead_ms in ahead:
        at = NOW + minute * MINUTE
        watch.saw(TOPIC, ahead_ms, at)
    return watch.found(at)


@pytest.mark.parametrize(
    ("ahead_ms", "hours"),
    [
        (8 * HOUR_MS, 8), (8 * HOUR_MS + 90_000, 8), (-5 * HOUR_MS - 1_000, -5), (0, 0),
        (4 * MINUTE, 0), (8 * HOUR_MS + 4 * MINUTE, 0), (15 * HOUR_MS, 0), (-90 * MINUTE, 0),
    ],
)  # fmt: skip
def test_only_a_whole_number_of_hours_is_a_zone(ahead_ms: int, hours: int) -> None:
    assert hours_ahead(ahead_ms) == hours


def test_what_is_ahead_is_sure_at_the_third_message() -> None:
    assert seen(*[(i, 8 * HOUR_MS) for i in range(2)]) == {}
    assert seen(*[(i, 8 * HOUR_MS) for i in range(3)]) == {TOPIC: 8}


def test_a_memory_sent_late_is_no_zone() -> None:
    """Its readings are of ever later times, however fast they come."""
    backlog = [(0, -5 * HOUR_MS + i * 1_000) for i in range(100)]

    assert seen(*backlog) == {}


def test_what_stays_hours_behind_for_half_an_hour_is_a_zone() -> None:
    assert seen(*[(i * 10, -5 * HOUR_MS) for i in range(6)]) == {TOPIC: -5}


def test_a_device_that_is_set_right_is_no_longer_reported() -> None:
    assert seen(*[(i, 8 * HOUR_MS) for i in range(5)], (6, 100)) == {}


def test_it_is_said_once() -> None:
    watch = HoursOff()

    assert [watch.saw(TOPIC, 8 * HOUR_MS, NOW + i) for i in range(5)] == [
        False, False, True, False, False,
    ]  # fmt: skip


def message(at_ms: int) -> Message:
    content = [{"n": "temperature", "v": 4, "t": at_ms / 1000}]
    return Message(TOPIC.replace("tele", "devices").replace("SENSOR", "readings"),
                   json.dumps(content).encode(), 1, 1, False, False, 1)  # fmt: skip


def test_the_reason_names_the_hours_and_an_offset_takes_them_off() -> None:
    admission = Admission("gw-1")
    rows, unfit = admission.admit(message(NOW + 8 * HOUR_MS), NOW, True)
    assert rows == []
    assert unfit is not None
    assert unfit.reason.endswith("8 h, local time sent as UTC?")

    admission.offsets = {unfit.topic: 8}
    rows, unfit = admission.admit(message(NOW + 8 * HOUR_MS), NOW, True)

    assert [row.at_ms for row in rows] == [NOW]
    assert unfit is None


def test_an_offset_is_set_changed_and_taken_away(tmp_path: Path) -> None:
    path = tmp_path / "offsets.json"
    offsets = Offsets(path)
    set_offset(path, TOPIC, 8)
    assert offsets.changed() == {TOPIC}
    assert offsets.hours == {TOPIC: 8}
    assert offsets.changed() == set()

    set_offset(path, TOPIC, 0)
    assert offsets.changed() == {TOPIC}
    assert read(path) == {}
    path.write_bytes(b'{"\xff": 8}')  # by whom ever: the gateway goes on
    assert read(path) == {}
    with pytest.raises(ValueError, match="15"):
        set_offset(path, TOPIC, 15)


def test_a_file_that_is_no_offsets_sets_none(tmp_path: Path) -> None:
    path = tmp_path / "offsets.json"
    path.write_text('{"a": "eight"}')

    assert Offsets(path).hours == {}
