"""From journals to certificates: real records, readings in memory, alarms by hand."""

import hashlib
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.calibration import Papers
from domain.instant import rfc3339
from domain.reading import GatewayId, ProbeId, Series
from store.memory import MemoryStore
from store.ports import AdmittedBatch, BatchId
from store.records import SqlRecords
from store.records.ports import Site
from store.words import named
from tests.support.batches import columns
from tests.support.lots import (
    AIR,
    CODE,
    HOUR_MS,
    LOT,
    MINUTE_MS,
    NOON_MS,
    OTHER_ROOM,
    ROOM,
    SITE,
    JudgedFacts,
    county,
    every,
    move,
    strawberries,
)
from traceability.certificate import Verified, content_digest, verify
from traceability.database import TraceDatabase, open_trace
from traceability.follow import Follower, Issuer
from traceability.lot_record import Stores
from traceability.reader import TraceReader, open_trace_reader
from traceability.signing import public_bytes
from wire.status_v1 import Backlog, Status, encode

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SAID: dict[str, Any] = {"by": "u1", "now_ms": NOON_MS}


class Trace:
    """The follower with everything around it; ``now_ms`` moves by hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now_ms = NOON_MS + 24 * HOUR_MS
        self.records: SqlRecords = county(folder)
        self.readings = MemoryStore()
        self.facts = JudgedFacts()
        self.reader: TraceReader
        self._seq = 0
        self._open()
        self.reader = open_trace_reader(folder / "trace.db")

    def _open(self) -> None:
        self.database: TraceDatabase = open_trace(self.folder / "trace.db")
        stores = Stores(self.readings, self.records, self.facts)
        issuer = Issuer(KEY, lambda code: f"https://cold.example/t/{code}")
        self.follower = Follower(stores, self.database, issuer, lambda: self.now_ms)

    def restart(self) -> None:
        self.database.close()
        self._open()

    def close(self) -> None:
        self.reader.close()
        self.database.close()
        self.records.close()

    def report(
        self, rows: list[tuple[int, int, int]], *, backlog: bool = False, probe: ProbeId = AIR
    ) -> None:
        self._seq += 1
        batch = AdmittedBatch(
            BatchId(GatewayId("g1"), "e1", self._seq),
            self._seq.to_bytes(16, "big"),
            "readings",
            [(Series(probe, "temperature"), columns(*rows))],
            self.now_ms,
        )
        self.readings.write([batch], self.now_ms, backlog=backlog)

    def stayed(self, hours: int = 2) -> None:
        """The lot came in at noon and was shipped some hours later."""
        self.records.add_lot(strawberries(), **SAID)
        out_ms = NOON_MS + hours * HOUR_MS
        self.records.capture([move("put_in", NOON_MS), move("shipped", out_ms)], **SAID)

    def settle(self, minutes: int = 20) -> None:
        """Until nothing is left to do, however long things wait."""
        for _ in range(minutes * 2):
            while self.follower.poll():
                pass
            self.now_ms += MINUTE_MS // 2

    def versions(self) -> list[tuple[int, str, str]]:
        return [(v.version, v.because, v.verdict) for v in self.reader.versions(LOT)]

    def certificate(self, version: int | None = None) -> dict[str, Any]:
        data = self.reader.certificate(LOT, version)
        assert data is not None
        found: dict[str, Any] = json.loads(data)
        return found


@pytest.fixture
def trace(tmp_path: Path) -> Iterator[Trace]:
    made = Trace(tmp_path)
    yield made
    made.close()


COOL = [200] * 25  # two hours at 2.00 degC and the reading after them


def test_a_cool_stay_ends_in_a_certificate_that_passes_and_verifies(trace: Trace) -> None:
    trace.report(every(5, COOL))
    trace.stayed()

    trace.settle()

    assert trace.versions() == [(1, "first", "pass")]
    data = trace.reader.certificate(LOT)
    assert data is not None
    assert verify(data, public_key=public_bytes(KEY.public_key())) == Verified(
        lot=LOT, code=CODE, version=1, verdict="pass", issued_at=trace.certificate()["issued_at"],
        evidence_until="2026-06-01T14:00:00Z", key_id="56475aa75463474c", pinned=True,
    )  # fmt: skip
    stay = trace.certificate()["stays"][0]
    assert stay["summary"]["minutes_unknown"] == "0.00"
    assert (stay["summary"]["low_c"], stay["summary"]["high_c"]) == ("2.00", "2.00")
    assert [step["kind"] for step in trace.certificate()["journey"]] == ["put_in", "shipped"]


def test_late_readings_make_a_second_version_that_names_the_first(trace: Trace) -> None:
    trace.report(every(5, COOL[:12]))
    trace.report(every(5, COOL[18:], NOON_MS + 90 * MINUTE_MS))
    trace.stayed()
    trace.settle()
    assert trace.versions() == [(1, "first", "attention")]

    trace.report(every(5, COOL[12:18], NOON_MS + HOUR_MS), backlog=True)
    trace.settle()

    assert trace.versions() == [(1, "first", "attention"), (2, "late data", "pass")]
    first = trace.reader.certificate(LOT, 1)
    assert first is not None
    assert trace.certificate(2)["previous"] == hashlib.sha256(first).hexdigest()
    assert isinstance(verify(first), Verified)


def test_a_backlog_in_many_pieces_makes_one_new_version(trace: Trace) -> None:
    trace.report(every(5, COOL[:2]))
    trace.stayed()
    trace.settle()
    before = len(trace.versions())

    for i in range(2, 25):
        trace.report(every(5, COOL[i : i + 1], NOON_MS + i * 5 * MINUTE_MS), backlog=True)
        trace.follower.poll()
        trace.now_ms += 1_000
    trace.settle()

    assert len(trace.versions()) == before + 1


def test_the_same_content_never_makes_a_new_version(trace: Trace) -> None:
    trace.report(every(5, COOL))
    trace.stayed()
    trace.settle()

    trace.report(every(5, COOL), backlog=True)  # all of it again
    trace.report(every(5, [900] * 20, NOON_MS + 3 * HOUR_MS))  # after the lot had left
    trace.records.add_action("a1", ROOM, "ack", NOON_MS, "u1", {}, now_ms=NOON_MS)
    trace.restart()
    trace.settle()

    assert trace.versions() == [(1, "first", "pass")]


def test_a_reading_corrected_by_a_conflict_shows(trace: Trace) -> None:
    trace.report(every(5, COOL))
    trace.stayed()
    trace.settle()

    trace.report([(NOON_MS + HOUR_MS, 850, 0)])
    trace.settle()

    assert [version[:2] for version in trace.versions()] == [(1, "first"), (2, "late data")]


def test_a_critical_alarm_during_the_stay_fails_and_its_release_needs_attention(
    trace: Trace,
) -> None:
    trace.report(every(5, COOL))
    trace.stayed()
    fact = trace.facts.raise_("CRIT_HIGH", NOON_MS, NOON_MS + HOUR_MS)
    trace.settle()
    assert trace.versions() == [(1, "first", "fail")]
    assert trace.certificate()["verdict"]["reasons"] == [
        {"stay": 0, "because": "CRIT_HIGH", "fact": fact, "rule": "m5:abc"}
    ]

    said = {"cause": "door", "disposition": {LOT: "release"}, "closed": True}
    alarm = named(trace.facts.fact(fact)[-1], NOON_MS)
    trace.records.say_of_case(alarm, said, **SAID)
    trace.settle()

    assert trace.versions()[1:] == [(2, "judgement", "attention")]


def test_a_certificate_prints_what_was_done_and_the_role_of_whoever_took_the_case_not_the_name(
    trace: Trace,
) -> None:
    trace.report(every(5, COOL))
    trace.stayed()
    fact = trace.facts.raise_("CRIT_HIGH", NOON_MS, NOON_MS + HOUR_MS)
    other = trace.facts.raise_("CEILING", NOON_MS, NOON_MS + HOUR_MS)
    alarm = named(trace.facts.fact(fact)[-1], NOON_MS)
    for said in (
        {"cause": "door", "disposition": {LOT: "release"}, "role": "operator", "person": "wang"},
        {"action": "closed it", "disposition": {"another-lot": "sort"}, "closed": True},
    ):
        trace.records.say_of_case(alarm, said, **SAID)
    trace.settle()

    (stay,) = trace.certificate()["stays"]
    facts = {one["id"]: one for one in stay["facts"]}
    assert facts[fact]["disposition"] == "release", "said of this lot, whatever becomes of others"
    assert (facts[fact]["action"], facts[fact]["role"]) == ("closed it", "operator")
    assert facts[fact]["case_closed"]
    assert not {"action", "role"} & facts[other].keys()
    assert not facts[other]["case_closed"]
    assert "wang" not in str(trace.certificate())


def test_what_a_stuck_probe_or_one_out_of_date_measured_is_marked_unverified(trace: Trace) -> None:
    trace.records.put_papers(Papers(AIR, 0, "S1", "C1", date(2026, 5, 31)), **SAID)
    trace.report(every(5, COOL))
    trace.stayed()
    trace.facts.raise_("SENSOR_STUCK", NOON_MS - HOUR_MS, NOON_MS + HOUR_MS)
    trace.settle()

    (stay,) = trace.certificate()["stays"]
    assert stay["unverified"] == [
        {"from": stay["from"], "to": rfc3339(NOON_MS + HOUR_MS), "because": "SENSOR_STUCK",
         "probe": None},
        {"from": stay["from"], "to": stay["to"], "because": "calibration overdue", "probe": AIR},
    ]  # fmt: skip

    trace.records.put_papers(Papers(AIR, 1, "S1", "C2", date(2027, 5, 31)), **SAID)
    trace.settle()

    (stay,) = trace.certificate()["stays"]
    assert [each["because"] for each in stay["unverified"]] == ["SENSOR_STUCK"]


def test_an_alarm_that_comes_after_the_certificate_makes_a_new_version(trace: Trace) -> None:
    trace.report(every(5, COOL))
    trace.stayed()
    trace.settle()

    trace.facts.raise_("WARN_HIGH", NOON_MS, NOON_MS + HOUR_MS, level="warning")
    trace.settle()

    assert trace.versions()[1:] == [(2, "judgement", "attention")]


def test_an_alarm_outside_the_stay_is_none_of_the_lots(trace: Trace) -> None:
    trace.report(every(5, COOL))
    trace.stayed()
    trace.facts.raise_("CRIT_HIGH", NOON_MS - 3 * HOUR_MS, NOON_MS)
    trace.facts.raise_("CRIT_HIGH", NOON_MS + 2 * HOUR_MS, None)
    trace.settle()

    assert trace.versions() == [(1, "first", "pass")]


def test_when_a_lot_moves_the_excursion_stays_with_it_and_the_alarm_with_the_room(
    trace: Trace,
) -> None:
    moved_ms = NOON_MS + HOUR_MS
    trace.records.add_lot(strawberries(), **SAID)
    trace.records.capture(
        [
            move("put_in", NOON_MS),
            move("put_in", moved_ms, OTHER_ROOM),
            move("shipped", NOON_MS + 2 * HOUR_MS),
        ],
        **SAID,
    )
    trace.report(every(5, [800] * 25))
    trace.facts.raise_("CRIT_HIGH", NOON_MS, NOON_MS + 3 * HOUR_MS)
    trace.settle()

    left, entered = trace.certificate()["stays"]
    assert [fact["code"] for fact in left["facts"]] == ["CRIT_HIGH"]
    assert left["summary"]["minutes_above"] == "60.00"
    assert entered["facts"] == []
    assert trace.certificate()["verdict"]["verdict"] == "fail"


def test_no_certificate_is_issued_before_the_rules_have_judged(trace: Trace) -> None:
    trace.facts.judged_to = (0, 10**9)
    trace.report(every(5, COOL))
    trace.stayed()
    trace.settle()
    found = trace.reader.lot(LOT)
    assert trace.versions() == []
    assert found is not None
    assert found.verdict == "pass"

    trace.facts.judged_to = (1, 10**9)
    trace.settle()

    assert trace.versions() == [(1, "first", "pass")]


def test_without_readings_there_is_no_data_and_the_certificate_says_so(trace: Trace) -> None:
    trace.records.add_lot(strawberries(), **SAID)
    trace.records.capture(
        [move("put_in", NOON_MS, OTHER_ROOM), move("shipped", NOON_MS + HOUR_MS, OTHER_ROOM)],
        **SAID,
    )
    trace.settle()

    assert trace.versions() == [(1, "first", "no data")]


def test_a_lot_recorded_before_its_readings_waits_for_them(trace: Trace) -> None:
    trace.records.add_lot(strawberries(), **SAID)
    events = [move("put_in", NOON_MS), move("shipped", NOON_MS + 2 * HOUR_MS)]
    trace.records.capture(events, by="u1", now_ms=trace.now_ms)
    trace.settle()
    assert trace.versions() == []

    trace.report(every(5, COOL), backlog=True)
    trace.settle()

    assert trace.versions() == [(1, "first", "pass")]


def test_while_its_gateway_still_hands_over_old_readings_there_is_no_new_version(
    trace: Trace,
) -> None:
    trace.records.put_site(
        Site(SITE, "county", "mobile-store", "一号车", "Van 1", gateway="g1"), **SAID
    )

    def says(oldest_ms: int | None) -> None:
        status = Status("online", "e1", "1", oldest_ms=oldest_ms, backlog=Backlog(3, 100, 1000))
        trace.readings.put_status(GatewayId("g1"), encode(status), trace.now_ms)

    trace.stayed()
    trace.report(every(5, COOL[:12]))
    says(NOON_MS + HOUR_MS)
    trace.settle(5)
    assert trace.versions() == []

    trace.report(every(5, COOL[12:], NOON_MS + HOUR_MS), backlog=True)
    says(None)
    trace.settle()

    assert trace.versions() == [(1, "first", "pass")]


def test_while_the_lot_is_there_new_readings_are_shown_but_make_no_version(trace: Trace) -> None:
    trace.report(every(5, COOL))
    trace.records.add_lot(strawberries(), **SAID)
    trace.records.capture([move("put_in", NOON_MS)], **SAID)
    trace.settle()
    before = trace.reader.by_code(CODE)
    assert before is not None
    assert before.open
    assert before.until_ms == NOON_MS + 105 * MINUTE_MS  # three intervals before the newest

    trace.report(every(5, [210] * 12, NOON_MS + 125 * MINUTE_MS))
    trace.settle()

    after = trace.reader.by_code(CODE)
    assert after is not None
    assert after.until_ms == NOON_MS + 165 * MINUTE_MS
    assert trace.versions() == [(1, "first", "pass")]


def test_shipping_it_makes_a_version_because_of_the_event(trace: Trace) -> None:
    trace.report(every(5, COOL))
    trace.records.add_lot(strawberries(), **SAID)
    trace.records.capture([move("put_in", NOON_MS)], **SAID)
    trace.settle()

    trace.records.capture([move("shipped", NOON_MS + 2 * HOUR_MS)], **SAID)
    trace.settle()

    assert trace.versions() == [(1, "first", "pass"), (2, "event", "pass")]
    assert trace.certificate()["stays"][0]["to"] == "2026-06-01T14:00:00Z"


def test_a_lot_that_just_left_waits_for_the_readings_of_its_last_minutes(trace: Trace) -> None:
    trace.now_ms = NOON_MS + 2 * HOUR_MS + 1_000
    trace.report(every(5, COOL[:-1]))
    trace.stayed()
    for _ in range(4):
        trace.follower.poll()
        trace.now_ms += MINUTE_MS
    assert trace.versions() == []

    trace.report(every(5, [200], NOON_MS + 2 * HOUR_MS))
    trace.settle()

    assert trace.versions() == [(1, "first", "pass")]


def test_papers_that_contradict_one_another_need_attention(trace: Trace) -> None:
    trace.report(every(5, COOL))
    trace.records.add_lot(strawberries(), **SAID)
    wrong = move("taken_out", NOON_MS + 2 * HOUR_MS, OTHER_ROOM)
    trace.records.capture([move("put_in", NOON_MS), wrong], **SAID)
    trace.settle()

    assert trace.versions() == [(1, "first", "attention")]
    assert trace.reader.misfits(wrong["eventID"]) == [
        ("lot:lot-1", "taken out of apples, but it was in berries")
    ]


def test_a_rule_recorded_for_the_past_moves_the_limit_that_is_measured_from(trace: Trace) -> None:
    trace.report(every(5, [500] * 25))
    trace.stayed()
    trace.settle()
    assert trace.certificate()["stays"][0]["summary"]["degree_minutes_above"] == "120.00"

    overrides = {"WARN_HIGH": {"limit_c": 4.5}}
    trace.records.add_rule(ROOM, NOON_MS + HOUR_MS, "SB", ["strawberry"], 300, overrides, **SAID)
    trace.settle()

    stay = trace.certificate()["stays"][0]
    assert stay["summary"]["degree_minutes_above"] == "90.00"
    assert [limit["high"] for limit in stay["limits"]] == [400, 450]


def test_a_probe_that_was_moved_counts_only_while_it_was_in_the_room(trace: Trace) -> None:
    trace.records.assign(AIR, OTHER_ROOM, NOON_MS + HOUR_MS, **SAID)
    trace.report(every(5, [200] * 12 + [900] * 13))
    trace.stayed()
    trace.settle()

    assert trace.certificate()["stays"][0]["summary"]["high_c"] == "2.00"


def test_stopped_and_started_it_goes_on_where_it_was(trace: Trace) -> None:
    trace.report(every(5, COOL[:12]))
    trace.stayed()
    trace.restart()
    trace.follower.poll()
    trace.restart()
    trace.report(every(5, COOL[12:], NOON_MS + HOUR_MS))
    trace.restart()
    trace.settle()

    assert trace.versions() == [(1, "first", "no data"), (2, "late data", "pass")]
    assert trace.reader.cursor() == (2, trace.records.last_change())


PIECES = [every(5, [180 + 3 * i], NOON_MS + 5 * i * MINUTE_MS) for i in range(25)]


@settings(max_examples=15, deadline=None)
@given(st.permutations(PIECES), st.integers(0, 25), st.integers(0, 25), st.booleans())
def test_the_record_in_the_end_depends_on_what_came_and_not_on_when(
    pieces: list[list[tuple[int, int, int]]], first: int, second: int, backlog: bool
) -> None:
    with TemporaryDirectory() as folder:
        trace = Trace(Path(folder))
        for number, piece in enumerate(pieces):
            if number == first:
                trace.records.capture([move("shipped", NOON_MS + 2 * HOUR_MS)], **SAID)
            if number == second:
                trace.records.add_lot(strawberries(), **SAID)
                trace.records.capture([move("put_in", NOON_MS)], **SAID)
            trace.report(piece, backlog=backlog)
            if number % 5 == 0:
                trace.follower.poll()
                trace.now_ms += 7_000
        if 25 in (first, second):
            trace.records.add_lot(strawberries(), **SAID)
            events = [move("put_in", NOON_MS), move("shipped", NOON_MS + 2 * HOUR_MS)]
            trace.records.capture(events, **SAID)
        trace.settle()

        stay = trace.certificate()["stays"][0]
        digest = content_digest(trace.certificate())
        trace.close()

    assert (stay["unknown_ms"], stay["series"][0]["n"]) == (0, 24)
    assert digest == EXPECTED.setdefault("digest", digest)


EXPECTED: dict[str, str] = {}  # the first example's, which all others must repeat
