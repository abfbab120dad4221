"""What records promise, on a real file."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from domain.calibration import Check, Papers
from domain.reading import LotId, PersonId, ProbeId, RoomId, SiteId
from store.engine import writer_engine
from store.records import (
    AlreadyOpen,
    NotReady,
    Refused,
    SqlRecords,
    migrations,
    open_records,
    open_records_reader,
)
from store.records.ports import Duty, NamedAlarm, Person, Region, Room, Site
from store.records.schema import VERSION, metadata
from tests.support.lots import (
    AIR,
    HOUR_MS,
    LOT,
    NOON_MS,
    OTHER_ROOM,
    ROOM,
    SITE,
    county,
    move,
    strawberries,
)

PAPERS = Papers(AIR, NOON_MS, "SN-1", "CAL-7", date(2027, 5, 31), Decimal("-0.20"), 900)
WANG = Person(PersonId("wang"), "王", "+8613800000001", "zh")
SAID: dict[str, Any] = {"by": "u1", "now_ms": NOON_MS}
ALARM = NamedAlarm("f1", ROOM, "CRIT_HIGH", NOON_MS, NOON_MS + HOUR_MS)


@pytest.fixture
def records(tmp_path: Path) -> Iterator[SqlRecords]:
    opened = county(tmp_path)
    yield opened
    opened.close()


def test_the_migrations_end_at_the_tables_that_the_program_knows(tmp_path: Path) -> None:
    open_records(tmp_path / "records.db").close()
    script = ScriptDirectory(str(Path(migrations.__file__).parent))
    engine = writer_engine(tmp_path / "records.db")

    with engine.begin() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)

    assert script.get_current_head() == VERSION
    assert differences == []


def test_the_journal_has_no_holes_and_a_refused_change_leaves_none(records: SqlRecords) -> None:
    before = records.last_change()
    with pytest.raises(Refused):
        records.put_room(Room(RoomId("r9"), SiteId("nowhere"), "chilled", "x", "x"), **SAID)
    records.put_person(WANG, **SAID)

    assert [c.m for c in records.changes(0)] == list(range(1, before + 2))


Change = Callable[[SqlRecords], Any]


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r.put_region(Region("county", None, "county", "县", "County"), **SAID),
        lambda r: r.put_site(Site(SITE, "county", "mobile-store", "一号车", "Van 1"), **SAID),
        lambda r: r.put_person(WANG, **SAID),
        lambda r: r.add_rule(ROOM, NOON_MS, "SB", ["strawberry"], 300, {}, **SAID),
        lambda r: r.add_action("a1", ROOM, "loading_started", NOON_MS, "u1", {}, now_ms=NOON_MS),
        lambda r: r.assign(ProbeId("ieee:2"), ROOM, NOON_MS, **SAID),
        lambda r: r.unassign(AIR, NOON_MS, **SAID),
        lambda r: r.swap(AIR, ProbeId("ieee:7"), NOON_MS, **SAID),
        lambda r: r.put_papers(PAPERS, **SAID),
        lambda r: r.add_check("k1", AIR, Check(NOON_MS, 410, 400), **SAID),
        lambda r: r.add_lot(strawberries(), **SAID),
        lambda r: r.say_of_case(ALARM, {"cause": "door"}, **SAID),
        lambda r: r.capture([move("put_in", NOON_MS)], **SAID),
    ],
    ids=[
        "region",
        "site",
        "person",
        "rule",
        "action",
        "assign",
        "unassign",
        "swap",
        "papers",
        "check",
        "lot",
        "case",
        "epcis",
    ],
)
def test_saying_the_same_thing_twice_is_one_change(records: SqlRecords, change: Change) -> None:
    first = change(records)
    last = records.last_change()

    assert change(records) == first
    assert records.last_change() == last


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda r: r.put_region(Region("a", "b", "county", "x", "x"), **SAID), "parent"),
        (lambda r: r.put_region(Region("A!", None, "county", "x", "x"), **SAID), "id"),
        (lambda r: r.put_site(Site(SITE, "county", "castle", "x", "x"), **SAID), "kind"),
        (lambda r: r.put_site(Site(SITE, "county", "locker", "x", "x", lat=91.0), **SAID), "lat"),
        (lambda r: r.put_room(Room(ROOM, SITE, "warm", "x", "x"), **SAID), "kind"),
        (lambda r: r.put_room(Room(ROOM, SITE, "chilled", "", "x"), **SAID), "name_zh"),
        (lambda r: r.put_room(Room(ROOM, SITE, "chilled", "a\nb", "x"), **SAID), "name_zh"),
        (lambda r: r.assign(ProbeId("nameless"), ROOM, 0, **SAID), "probe"),
        (lambda r: r.assign(AIR, RoomId("nowhere"), 0, **SAID), "room"),
        (lambda r: r.unassign(ProbeId("ieee:9"), 0, **SAID), "probe"),
        (lambda r: r.swap(ProbeId("ieee:9"), ProbeId("ieee:8"), NOON_MS, **SAID), "old"),
        (lambda r: r.swap(AIR, AIR, NOON_MS, **SAID), "new"),
        (lambda r: r.swap(AIR, ProbeId("nameless"), NOON_MS, **SAID), "probe"),
        (lambda r: r.put_papers(replace(PAPERS, lag_s=3601), **SAID), "lag_s"),
        (lambda r: r.put_papers(replace(PAPERS, offset_c=Decimal("0.001")), **SAID), "offset_c"),
        (lambda r: r.put_papers(replace(PAPERS, offset_c=Decimal("NaN")), **SAID), "offset_c"),
        (lambda r: r.add_check("k", AIR, Check(NOON_MS, 410, 20_000), **SAID), "reference"),
        (lambda r: r.add_rule(ROOM, 0, "ZZ", [], 300, {}, **SAID), "profile"),
        (lambda r: r.add_rule(ROOM, 0, "FT", [], 600, {}, **SAID), "interval_s"),
        (lambda r: r.add_rule(ROOM, 0, "SB", ["moonfruit"], 300, {}, **SAID), "commodities[0]"),
        (lambda r: r.add_rule(RoomId("x"), 0, "SB", [], 300, {}, **SAID), "room"),
        (lambda r: r.add_action("a", ROOM, "dance", 0, "u", {}, now_ms=0), "kind"),
        (lambda r: r.add_action("a", ROOM, "lot_in", 0, "u", {}, now_ms=0), "detail.lot"),
        (lambda r: r.add_action("a", ROOM, "precool_done", 0, "u", {"x": 1}, now_ms=0), "detail.x"),
        (
            lambda r: r.add_action(
                "a", ROOM, "rule_changed", 0, "u",
                {"overrides": {"WARN_HIGH": {"delay_min": 1}}}, now_ms=0,
            ),
            "overrides.WARN_HIGH.delay_min",
        ),
        (lambda r: r.put_person(replace(WANG, phone="13800"), **SAID), "phone"),
        (lambda r: r.put_person(replace(WANG, lang="fr"), **SAID), "lang"),
        (lambda r: r.put_duty(Duty(PersonId("x"), "operator", "room", ROOM), **SAID), "person"),
        (lambda r: r.add_lot(replace(strawberries(), commodity="moonfruit"), **SAID), "commodity"),
        (lambda r: r.add_lot(replace(strawberries(), quantity_kg="NaN"), **SAID), "quantity_kg"),
        (lambda r: r.add_lot(replace(strawberries(), code="short"), **SAID), "code"),
        (lambda r: r.say_of_case(ALARM, {"mood": "bad"}, **SAID), "mood"),
        (lambda r: r.say_of_case(ALARM, {"disposition": {"l": "eat"}}, **SAID), "disposition.l"),
        (lambda r: r.capture([{"type": "ObjectEvent"}], **SAID), "events[0]"),
        (lambda r: r.put_person(WANG, by="", now_ms=0), "by"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_its_field(
    records: SqlRecords, change: Change, field: str
) -> None:
    before = records.last_change()

    with pytest.raises(Refused) as caught:
        change(records)

    assert caught.value.field == field
    assert records.last_change() == before


def test_a_rule_recorded_late_is_refused_where_a_change_since_could_not_be_under_it(
    records: SqlRecords,
) -> None:
    records.add_rule(ROOM, NOON_MS, "SB", [], 300, {}, **SAID)
    records.add_action(
        "a", ROOM, "rule_changed", NOON_MS + 2 * HOUR_MS, "u",
        {"overrides": {"WARN_HIGH": {"limit_c": 5}}}, now_ms=NOON_MS,
    )  # fmt: skip

    with pytest.raises(Refused, match="action a changes it") as caught:
        records.add_rule(ROOM, NOON_MS + HOUR_MS, "PS", ["persimmon"], 300, {}, **SAID)
    records.add_rule(ROOM, NOON_MS + 3 * HOUR_MS, "PS", ["persimmon"], 300, {}, **SAID)
    records.add_rule(ROOM, NOON_MS - HOUR_MS, "PS", ["persimmon"], 300, {}, **SAID)

    assert caught.value.field == "overrides.WARN_HIGH"


def test_a_probe_is_in_one_room_at_a_time_also_when_moves_are_recorded_late(
    records: SqlRecords,
) -> None:
    records.assign(AIR, OTHER_ROOM, NOON_MS + 4 * HOUR_MS, **SAID)
    records.assign(AIR, OTHER_ROOM, NOON_MS, **SAID)
    records.unassign(AIR, NOON_MS + 2 * HOUR_MS, **SAID)

    spans = [
        (a.room, a.from_ms - NOON_MS, a.to_ms and a.to_ms - NOON_MS) for a in records.assignments()
    ]
    assert spans == [
        (ROOM, -24 * HOUR_MS, 0),
        (OTHER_ROOM, 0, 2 * HOUR_MS),
        (OTHER_ROOM, 4 * HOUR_MS, None),
    ]


def test_a_change_of_assignment_names_both_rooms_and_its_instant(records: SqlRecords) -> None:
    m = records.assign(AIR, OTHER_ROOM, NOON_MS, **SAID)

    change = records.changes(m - 1)[0]
    assert set(change.rooms) == {ROOM, OTHER_ROOM}
    assert (change.kind, change.from_ms, change.subject) == ("assignment", NOON_MS, AIR)


def test_a_swapped_probe_hands_its_room_over_in_one_moment(records: SqlRecords) -> None:
    new = ProbeId("ieee:7")
    records.assign(new, OTHER_ROOM, NOON_MS, **SAID)

    records.swap(AIR, new, NOON_MS + HOUR_MS, **SAID)

    spans = {(a.probe, a.room): (a.from_ms, a.to_ms) for a in records.assignments()}
    assert spans[(AIR, ROOM)][1] == NOON_MS + HOUR_MS
    assert spans[(new, ROOM)] == (NOON_MS + HOUR_MS, None)
    assert spans[(new, OTHER_ROOM)] == (NOON_MS, NOON_MS + HOUR_MS)


def test_papers_are_dated_and_touch_the_rooms_that_the_probe_measures(records: SqlRecords) -> None:
    renewed = replace(PAPERS, from_ms=NOON_MS + HOUR_MS, certificate="CAL-8")
    m = records.put_papers(renewed, **SAID)
    records.put_papers(PAPERS, **SAID)
    records.put_papers(replace(PAPERS, serial="SN-2"), **SAID)  # a correction of the same moment

    assert records.papers(AIR) == [replace(PAPERS, serial="SN-2"), renewed]
    assert records.changes(m - 1)[0].rooms == (ROOM,)
    assert records.papers(ProbeId("ieee:9")) == []


def test_the_ladder_of_a_room_holds_who_is_on_duty_for_it_its_site_and_its_regions(
    records: SqlRecords,
) -> None:
    records.put_region(Region("town", "county", "township", "镇", "Town"), **SAID)
    records.put_region(Region("other", "county", "township", "乡", "Other"), **SAID)
    records.put_site(Site(SITE, "town", "mobile-store", "一号车", "Van 1"), **SAID)
    for n, (role, kind, scope) in enumerate(
        [("county", "region", "county"), ("township", "region", "town"), ("second", "site", SITE),
         ("operator", "room", ROOM), ("operator", "room", OTHER_ROOM), ("township", "region", "other")]
    ):  # fmt: skip
        person = replace(WANG, id=PersonId(f"p{n}"))
        records.put_person(person, **SAID)
        records.put_duty(Duty(person.id, role, kind, scope), **SAID)

    ladder = [(contact.role, contact.person.id) for contact in records.contacts(ROOM)]

    assert ladder == [("operator", "p3"), ("second", "p2"), ("township", "p1"), ("county", "p0")]


def kinds(records: SqlRecords, room: RoomId) -> list[tuple[str, int]]:
    return [(a.kind, (a.at_ms - NOON_MS) // HOUR_MS) for a in records.actions(room)]


def test_putting_a_lot_in_and_taking_it_out_tells_the_rules_of_the_stock(
    records: SqlRecords,
) -> None:
    records.capture([move("put_in", NOON_MS), move("taken_out", NOON_MS + HOUR_MS)], **SAID)

    assert kinds(records, ROOM) == [("lot_in", 0), ("lot_out", 1)]
    assert records.actions(ROOM)[0].detail == {"lot": LOT}
    assert {c.rooms for c in records.changes(0) if c.kind == "action"} == {(ROOM,)}


def test_an_event_captured_late_mends_the_stock_without_taking_anything_back(
    records: SqlRecords,
) -> None:
    records.capture([move("put_in", NOON_MS), move("taken_out", NOON_MS + 3 * HOUR_MS)], **SAID)
    records.capture([move("put_in", NOON_MS + HOUR_MS, OTHER_ROOM)], **SAID)

    assert kinds(records, ROOM) == [("lot_in", 0), ("lot_out", 1), ("lot_out", 3)]
    assert kinds(records, OTHER_ROOM) == [("lot_in", 1), ("lot_out", 3)]


def test_an_event_declared_an_error_puts_the_stock_right(records: SqlRecords) -> None:
    wrong = move("put_in", NOON_MS)
    records.capture([wrong], **SAID)
    records.capture(
        [{**wrong, "errorDeclaration": {"declarationTime": "2026-06-02T00:00:00Z"}}], **SAID
    )

    assert kinds(records, ROOM) == [("lot_in", 0), ("lot_out", 0)]
    assert len(records.epcis_events()) == 2


def test_a_known_event_id_with_other_content_is_refused_whole(records: SqlRecords) -> None:
    event = move("put_in", NOON_MS)
    records.capture([event], **SAID)
    other = {**event, "bizStep": "shipping"}

    with pytest.raises(Refused, match=r"events\[1\].eventID"):
        records.capture([move("taken_out", NOON_MS + HOUR_MS), other], **SAID)

    assert len(records.epcis_events()) == 1


def test_lists_longer_than_a_page_come_whole_and_in_order(records: SqlRecords) -> None:
    for i in range(2_100):
        records.add_action(f"a{i}", ROOM, "ack", NOON_MS + (i * 7) % 50, "u1", {}, now_ms=NOON_MS)

    actions = records.actions(ROOM)
    assert len(actions) == 2_100
    assert actions == sorted(actions, key=lambda a: (a.at_ms, a.m))


def test_two_writers_of_one_file_are_refused_until_the_first_lets_go(tmp_path: Path) -> None:
    first = open_records(tmp_path / "records.db")
    with pytest.raises(AlreadyOpen):
        open_records(tmp_path / "records.db")

    first.close()
    open_records(tmp_path / "records.db").close()


def test_a_reader_of_a_missing_or_empty_file_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(NotReady, match="does not exist"):
        open_records_reader(tmp_path / "records.db")
    (tmp_path / "records.db").touch()
    with pytest.raises(NotReady, match="alembic_version"):
        open_records_reader(tmp_path / "records.db")


def test_a_reader_sees_what_was_said_before_it_asked(records: SqlRecords, tmp_path: Path) -> None:
    reader = open_records_reader(tmp_path / "records.db")

    records.add_lot(strawberries(), **SAID)

    assert reader.lot_by_code(strawberries().code) == strawberries()
    assert reader.lot(LotId("other")) is None
    assert reader.store_id() == records.store_id()


def test_threads_share_the_writer_and_the_journal_stays_whole(records: SqlRecords) -> None:
    before = records.last_change()

    def write(thread: int) -> None:
        for i in range(20):
            records.add_action(f"{thread}-{i}", ROOM, "ack", NOON_MS, "u1", {}, now_ms=NOON_MS)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [c.m for c in records.changes(before)] == list(range(before + 1, before + 81))


def test_a_lot_may_not_take_anothers_code_or_change_what_it_was(records: SqlRecords) -> None:
    records.add_lot(strawberries(), **SAID)

    with pytest.raises(Refused, match="code"):
        records.add_lot(strawberries(LotId("lot-2")), **SAID)
    with pytest.raises(Refused, match="another lot"):
        records.add_lot(replace(strawberries(), producer="Zhao"), **SAID)


def test_an_ended_duty_leaves_the_ladder_and_is_an_entry_of_the_journal(
    records: SqlRecords,
) -> None:
    records.put_person(WANG, **SAID)
    duty = Duty(WANG.id, "operator", "room", ROOM)
    given = records.put_duty(duty, **SAID)

    ended = records.end_duty(duty, **SAID)

    assert records.contacts(ROOM) == []
    assert records.duties() == []
    (entry,) = records.changes(ended - 1)
    assert (entry.kind, entry.subject, entry.rooms) == (
        "duty_end",
        f"wang operator room:{ROOM}",
        (),
    )
    assert records.end_duty(duty, **SAID) == ended
    again = records.put_duty(duty, **SAID)
    assert given < ended < again
    assert records.end_duty(duty, **SAID) > again


def test_a_duty_that_nobody_gave_cannot_be_ended(records: SqlRecords) -> None:
    records.put_person(WANG, **SAID)
    before = records.last_change()

    with pytest.raises(Refused, match="no such duty"):
        records.end_duty(Duty(WANG.id, "second", "room", ROOM), **SAID)

    assert records.last_change() == before
