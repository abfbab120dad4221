"""Who is told what, and when. Minutes of a story, strawberries at 4 and 7 degC."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from domain.decision import Seen, State, step
from domain.incident import Contact, RoomSeen, RoomState, silence_due
from domain.judgement import Fact
from tests.unit.decision.story import LADDER, MIDNIGHT_MS, MINUTE_MS, NOON_MS, Story, person

OP = [person("op")]


def test_nobody_reacts_and_the_ladder_climbs_and_repeats() -> None:
    story = Story().steady(0, 200, 8.0)

    assert story.tells(LADDER, 200) == [
        (30, "op", "raise", "CRIT_HIGH"),
        (45, "op*", "escalate", "CRIT_HIGH"),
        (45, "second", "escalate", "CRIT_HIGH"),
        (60, "town", "escalate", "CRIT_HIGH"),
        (90, "county", "escalate", "CRIT_HIGH"),
        (120, "county", "repeat", "CRIT_HIGH"),
        (150, "county", "repeat", "CRIT_HIGH"),
        (180, "county", "repeat", "CRIT_HIGH"),
    ]


def test_without_township_and_county_the_step_reached_is_repeated() -> None:
    story = Story().steady(0, 95, 8.0)

    assert story.tells(LADDER[:2], 95)[3:] == [
        (60, "op", "repeat", "CRIT_HIGH"),
        (60, "second", "repeat", "CRIT_HIGH"),
        (90, "op", "repeat", "CRIT_HIGH"),
        (90, "second", "repeat", "CRIT_HIGH"),
    ]


def test_an_acknowledgement_buys_two_hours_and_then_the_ladder_begins_anew() -> None:
    story = Story().steady(0, 230, 8.0).does(70, "ack")

    assert story.tells(LADDER, 230)[4:] == [
        (190, "op", "repeat", "CRIT_HIGH"),
        (205, "op*", "escalate", "CRIT_HIGH"),
        (205, "second", "escalate", "CRIT_HIGH"),
        (220, "town", "escalate", "CRIT_HIGH"),
    ]


def test_an_acknowledgement_at_the_very_moment_of_a_step_stops_it() -> None:
    story = Story().steady(0, 60, 8.0).does(45, "ack")

    assert story.tells(LADDER, 60) == [(30, "op", "raise", "CRIT_HIGH")]


def test_a_critical_told_after_the_acknowledgement_starts_the_ladder_again() -> None:
    story = Story().steady(0, 70, 8.0).does(35, "ack").one(40, "door", 1)

    assert story.tells(LADDER[:2], 90) == [
        (30, "op", "raise", "CRIT_HIGH"),
        (70, "op", "raise", "DOOR_OPEN_CRIT"),
        (85, "op*", "escalate", "CRIT_HIGH DOOR_OPEN_CRIT"),
        (85, "second", "escalate", "CRIT_HIGH DOOR_OPEN_CRIT"),
    ]


def test_the_all_clear_goes_to_everybody_told_and_no_repeat_with_it() -> None:
    story = Story().steady(0, 50, 8.0).steady(55, 120, 2.0)

    assert story.tells(LADDER, 120)[3:] == [
        (60, "op", "clear", "CRIT_HIGH"),
        (60, "second", "clear", "CRIT_HIGH"),
    ]


def test_an_all_clear_holds_the_peak_though_it_had_ended_before_it_was_told() -> None:
    story = Story(MIDNIGHT_MS).steady(325, 380, 5.4)
    story.one(382, "temperature", 2.0, arriving=394).one(385, "temperature", 2.0, arriving=394)

    told = story.told(OP, 394)

    assert [(story.minute(t.notice.at_ms), t.notice.kind) for t in told] == [
        (390, "digest"),
        (394, "clear"),
    ]
    assert "5.4℃" in told[-1].text


def test_a_warning_under_a_critical_is_never_sent() -> None:
    story = Story().steady(0, 60, 8.0).steady(65, 120, 5.0).does(35, "ack")

    codes = {tell[3] for tell in story.tells(OP, 120)}
    assert codes == {"CRIT_HIGH"}


def test_a_warning_at_night_waits_for_the_morning_and_a_critical_does_not() -> None:
    warm = Story(MIDNIGHT_MS, ("r1", "r2")).steady(0, 420, 5.0)
    for minute in range(0, 421, 5):
        warm.one(minute, "temperature", 8.0 if minute < 60 else 2.0, room="r2")

    tells = warm.tells(OP, 420)
    assert (390, "op", "digest", "WARN_HIGH") in tells  # 06:30
    assert [t for t in tells if t[0] < 390] == [
        (30, "op", "raise", "CRIT_HIGH"),
        (45, "op*", "escalate", "CRIT_HIGH"),
        (60, "op", "repeat", "CRIT_HIGH"),
        (65, "op", "clear", "CRIT_HIGH"),
    ]


def test_a_person_without_quiet_hours_hears_of_a_warning_at_night() -> None:
    story = Story(MIDNIGHT_MS).steady(0, 60, 5.0)

    assert story.tells([person("op", quiet_hours=False)], 60) == [(30, "op", "raise", "WARN_HIGH")]


def test_a_warning_told_in_the_digest_has_its_all_clear() -> None:
    story = Story(MIDNIGHT_MS).steady(0, 400, 5.0).steady(405, 420, 2.0)

    assert story.tells(OP, 420) == [
        (390, "op", "digest", "WARN_HIGH"),
        (410, "op", "clear", "WARN_HIGH"),
    ]


def test_the_mornings_digest_is_within_the_caps_too() -> None:
    rooms = [f"r{i}" for i in range(1, 8)]
    story = Story(MIDNIGHT_MS, rooms).steady(0, 400, 5.0)
    for i, room in enumerate(rooms[1:]):
        story.one(335 + i, "battery", 9, room=room).does(345, "ack", room)

    tells = story.tells(OP, 400)
    assert [t[2:] for t in tells[:6]] == [("raise", "LOW_BATTERY_CRIT")] * 6
    # Due at 06:30; the first of the six is an hour old at 06:35.
    assert tells[6:] == [(395, "op", "digest", "WARN_HIGH")]


def test_late_data_tells_of_the_past_once_and_rings_nobody() -> None:
    story = Story().steady(0, 0, 2.5)
    story.steady(5, 60, 2.5, arriving=180).steady(65, 115, 8.0, arriving=180)
    story.steady(120, 180, 3.0, arriving=180)

    assert story.tells(LADDER, 190)[-5:] == [
        (180, "county", "clear", "DATA_GAP_CRIT DATA_GAP_WARN"),
        (180, "op", "clear", "DATA_GAP_CRIT DATA_GAP_WARN"),
        (180, "op", "past", "CRIT_HIGH WARN_HIGH"),
        (180, "second", "clear", "DATA_GAP_CRIT DATA_GAP_WARN"),
        (180, "town", "clear", "DATA_GAP_CRIT DATA_GAP_WARN"),
    ]


def test_an_old_upload_that_ends_in_the_middle_of_an_excursion_is_not_yet_told() -> None:
    story = Story().steady(0, 0, 2.5).steady(5, 60, 8.0, arriving=180)

    assert "CRIT_HIGH" not in {tell[3] for tell in story.tells(OP, 185)}


def test_what_newer_data_removes_is_corrected_for_those_who_heard_it() -> None:
    story = Story().steady(0, 45, 8.0)
    for minute in range(5, 45, 5):
        story.one(minute, "temperature", 2.0, arriving=50)  # conflicts: neither is trusted
    story.steady(50, 60, 2.0)

    tells = story.tells(OP, 62)
    assert (50, "op", "corrected", "CRIT_HIGH") in tells


def test_a_correction_is_the_last_word_on_what_never_was_though_its_like_was_told_before() -> None:
    story = Story().steady(0, 5, 16.0).steady(10, 60, 2.0)
    story.one(65, "temperature", 20.0).steady(70, 90, 2.0)  # known as a spike at 70

    assert story.tells(OP, 90) == [
        (0, "op", "raise", "CEILING"),
        (15, "op", "clear", "CEILING"),
        (65, "op", "raise", "CEILING"),
        (70, "op", "corrected", "CEILING"),
    ]


def test_what_was_over_and_is_active_after_all_is_told_as_new() -> None:
    story = Story().steady(0, 30, 8.0).steady(35, 40, 2.0)
    story.one(40, "temperature", 8.0, arriving=43)  # so it was not over: neither is trusted
    story.steady(45, 65, 8.0)

    assert story.tells(LADDER[:2], 65) == [
        (30, "op", "raise", "CRIT_HIGH"),
        (40, "op", "clear", "CRIT_HIGH"),
        (43, "op", "raise", "CRIT_HIGH"),
        (58, "op*", "escalate", "CRIT_HIGH"),
        (58, "second", "escalate", "CRIT_HIGH"),
    ]


def test_a_warning_that_was_over_and_is_active_after_all_is_told_as_new() -> None:
    story = Story().steady(0, 30, 5.0).steady(35, 40, 2.0)
    story.one(40, "temperature", 5.0, arriving=43).steady(45, 50, 5.0)

    assert story.tells(OP, 50)[1:] == [
        (40, "op", "clear", "WARN_HIGH"),
        (43, "op", "raise", "WARN_HIGH"),
    ]


def test_what_was_over_and_is_active_on_old_samples_is_not_told_again_until_they_are_new() -> None:
    story = Story().steady(0, 30, 8.0).steady(35, 40, 2.0)
    story.one(40, "temperature", 8.0, arriving=56)

    assert story.tells(OP, 60)[2:] == [(55, "op", "raise", "DATA_GAP_WARN")]
    story.one(65, "temperature", 8.0)
    assert story.tells(OP, 65)[3:] == [(65, "op", "raise", "CRIT_HIGH")]


def test_a_clock_that_is_put_back_tells_nothing_again() -> None:
    fact = Fact("CEILING", "critical", NOON_MS, NOON_MS, NOON_MS + 10 * MINUTE_MS, 1600, 0, 0)
    state, kinds = State(), []
    for minute in (0, 10, 5, 10):
        now_ms = NOON_MS + minute * MINUTE_MS
        room = RoomSeen([fact], now_ms, 300, now_ms)
        state, told = step(state, now_ms, Seen({"r1": room}, {"r1": [OP[0].contact]}, {"r1": "s1"}))
        kinds += [n.kind for n in told]

    assert kinds == ["raise", "clear"]


def test_two_alarms_that_late_data_makes_one_are_not_told_again_while_it_is_active() -> None:
    # Over for an hour at 115, active anew since 155; late samples show that it never was over.
    story = Story().steady(0, 105, 8.0).steady(110, 120, 2.0).steady(125, 165, 8.0)
    for minute in (110, 115, 120):
        story.one(minute, "temperature", 8.0, arriving=162)

    assert "CRIT_HIGH" in story.tells(OP, 165)[-1][3]
    assert [t for t in story.tells(OP, 165) if t[2] == "raise"] == [
        (30, "op", "raise", "CRIT_HIGH"),
        (155, "op", "raise", "CRIT_HIGH"),
    ]


def test_a_correction_reaches_whoever_heard_of_it_on_the_ladder_each_person_once() -> None:
    story = Story().steady(0, 65, 8.0).one(20, "door", 1)  # a critical of its own at 50
    for minute in range(0, 70, 5):
        story.one(minute, "temperature", 2.0, arriving=68)
    story.one(20, "door", 0, arriving=68)
    story.steady(70, 75, 2.0)

    corrected = [tell for tell in story.tells(LADDER, 75) if tell[2] == "corrected"]
    assert corrected == [
        (68, "op", "corrected", "CRIT_HIGH DOOR_OPEN_CRIT"),
        (68, "second", "corrected", "CRIT_HIGH"),
        (68, "town", "corrected", "CRIT_HIGH DOOR_OPEN_CRIT"),
    ]


def test_silence_is_told_by_arrival_and_maintenance_starts_it_anew() -> None:
    story = Story().steady(0, 10, 2.0).does(20, "maintenance_started")
    story.does(60, "maintenance_ended")

    assert story.tells(OP, 80) == [(75, "op", "raise", "DATA_GAP_WARN")]


@given(
    st.integers(0, 1_000),
    st.integers(1, 100),
    st.lists(st.integers(1, 1_000), min_size=2, max_size=8, unique=True),
)
def test_silence_counts_while_somebody_is_there_to_hear_it(
    since: int, gap: int, marks: list[int]
) -> None:
    marks = sorted(marks)
    away = list(zip(marks[::2], marks[1::2], strict=False))
    at = since
    while gap_left := gap - sum(
        not any(left <= t < back for left, back in away) for t in range(since, at)
    ):
        at += gap_left

    assert silence_due(since, gap, away) == at


def test_a_probe_that_was_taken_away_is_not_missed_though_its_late_samples_arrive() -> None:
    story = Story().steady(0, 10, 2.0).does(12, "probe_removed", probe="p-r1")
    story.one(5, "temperature", 2.0, arriving=15)

    assert story.tells(OP, 90) == []
    story.one(20, "temperature", 2.0)
    assert story.tells(OP, 40) == [(35, "op", "raise", "DATA_GAP_WARN")]


def test_five_sites_without_power_give_the_township_one_message_with_their_number() -> None:
    rooms = [f"s{i}" for i in range(5)]
    story = Story(MIDNIGHT_MS, rooms)
    for i, room in enumerate(rooms):
        story.one(i, "mains", 0, room=room)

    told = story.told([person("town", "township")], 30)

    assert [story.minute(t.notice.at_ms) for t in told] == [12]  # first told at 2, plus 10
    assert told[0].text.startswith("5个站点")


def test_four_sites_without_power_are_no_group() -> None:
    rooms = [f"s{i}" for i in range(4)]
    story = Story(NOON_MS, rooms)
    for i, room in enumerate(rooms):
        story.one(i, "mains", 0, room=room)

    assert story.told([person("town", "township")], 20) == []


def test_beyond_six_texts_in_an_hour_one_summary_comes_but_a_first_critical_never_waits() -> None:
    rooms = [f"r{i}" for i in range(10)]
    story = Story(NOON_MS, rooms)
    for i, room in enumerate(rooms[:8]):
        story.one(i, "door", 1, room=room)
    story.steady(0, 40, 8.0, room="r9")
    for room in rooms[:8]:
        story.one(29, "door", 0, room=room)
    story.does(35, "ack", "r9")

    tells = story.tells(OP, 75)
    raised = [t for t in tells if t[2] == "raise" and t[3] == "DOOR_OPEN_WARN"]
    assert len(raised) == 6
    assert (30, "op", "raise", "CRIT_HIGH") in tells
    # Seven were sent; at 71 only five of them are less than an hour old.
    assert [t for t in tells if t[0] > 30] == [(71, "op", "digest", "DOOR_OPEN_WARN")]


def test_the_same_step_again_says_nothing() -> None:
    fact = Fact("CRIT_HIGH", "critical", NOON_MS, NOON_MS, None, 800, 0, 0)
    room = RoomSeen([fact], NOON_MS, 300, newest_sample_ms=NOON_MS)
    seen = Seen({"r1": room}, {"r1": [Contact("op", "operator", "+86138")]}, {"r1": "s1"})

    state, first = step(State(), NOON_MS, seen)
    again, second = step(state, NOON_MS, seen)

    assert len(first) == 1
    assert second == []
    assert again.rooms == state.rooms


def test_a_rooms_state_survives_being_written_down() -> None:
    fact = Fact("CRIT_HIGH", "critical", NOON_MS, NOON_MS, None, 800, 0, 0)
    room = RoomSeen([fact], NOON_MS, 300, newest_sample_ms=NOON_MS)
    seen = Seen({"r1": room}, {"r1": [Contact("op", "operator", "+86138")]}, {"r1": "s1"})
    state, _ = step(State(), NOON_MS, seen)

    written = msgspec.json.encode(state.rooms["r1"])

    assert msgspec.json.decode(written, type=RoomState) == state.rooms["r1"]


def test_what_ended_before_tell_from_is_never_told() -> None:
    fact = Fact("CRIT_HIGH", "critical", NOON_MS, NOON_MS, NOON_MS + MINUTE_MS, 800, 0, 0)
    room = RoomSeen([fact], NOON_MS + 60 * MINUTE_MS, 300, tell_from_ms=NOON_MS + MINUTE_MS)
    seen = Seen({"r1": room}, {"r1": [Contact("op", "operator", "+86138")]}, {"r1": "s1"})

    assert step(State(), NOON_MS + 60 * MINUTE_MS, seen)[1] == []


def test_two_alarms_of_one_code_found_at_one_moment_are_two_notices() -> None:
    # One came with a backlog, the other with the readings of now, and both are over.
    one, other = (
        Fact("CRIT_HIGH", "critical", at, at, at + 60 * MINUTE_MS, 850, 0, 0)
        for at in (NOON_MS, NOON_MS + 180 * MINUTE_MS)
    )
    now_ms = NOON_MS + 300 * MINUTE_MS

    def seen(*facts: Fact) -> Seen:
        room = RoomSeen(facts, now_ms, 300, now_ms, {})
        return Seen({"r1": room}, {"r1": [OP[0].contact]}, {"r1": "s1"})

    state, first = step(State(), now_ms, seen(one))
    _, second = step(state, now_ms, seen(one, other))

    assert [n.kind for n in (*first, *second)] == ["past", "past"]
    assert first[0].key != second[0].key
