"""What a gateway told people while the link was down is not told to them a second time."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from alerts.gateway_events import GatewayEvents
from domain.reading import RoomId
from store.notices import open_notices
from tests.support.alert_house import MINUTE_MS, NOON_MS, House
from tests.support.watch import OPERATOR, Watch, watched
from wire.events_v1 import About, Acked, Event, Told

WARM_MS = NOON_MS - 50 * MINUTE_MS
FIRED_MS = WARM_MS + 30 * MINUTE_MS
HOT = [(WARM_MS + n * 5 * MINUTE_MS, 8.0) for n in range(11)]  # until noon


def told(
    kind: str = "raise",
    *,
    code: str = "CRIT_HIGH",
    cleared_ms: int | None = None,
    hours_ago: int = 0,
) -> Told:
    """``hours_ago``: an earlier alarm, not this one."""
    back_ms = hours_ago * 60 * MINUTE_MS
    end_ms = None if cleared_ms is None else cleared_ms - back_ms
    about = About("r1", code, "critical", WARM_MS - back_ms, FIRED_MS - back_ms, end_ms, 800)
    return Told(
        f"k-{kind}-{code}", FIRED_MS + MINUTE_MS, "op", OPERATOR, kind, "r1", (code,), (about,),
        "r1草莓 8.0℃超温",
    )  # fmt: skip


@contextmanager
def away(folder: Path) -> Iterator[Watch]:
    """Noon; for an hour nothing was heard."""
    with watched(folder, from_ms=NOON_MS - 60 * MINUTE_MS) as watch:
        watch.now_ms = NOON_MS
        yield watch


def back(watch: Watch, *events: Event, rows: list[tuple[int, float]] = HOT) -> None:
    """The link returns at noon: first the report, then the readings."""
    if events:
        watch.house.report(list(events), at_ms=NOON_MS)
    watch.house.arrive(rows, at_ms=NOON_MS)


def test_who_was_told_on_the_spot_is_not_rung_again(tmp_path: Path) -> None:
    with away(tmp_path) as watch:
        back(watch, told())
        watch.turn()
        watch.turn()

        assert watch.phones.said() == []
        [row] = watch.store.notices(RoomId("r1"))
        assert (row["state"], row["to"], row["kind"]) == ("told", "op", "raise")
        assert row["text"] == "r1草莓 8.0℃超温"
        assert row["fact_ids"], "it stands with the alarm that it was about"


@pytest.mark.parametrize("at_ms", [-1, 1 << 53, 1 << 63, 10**30])
def test_a_report_that_cannot_be_is_passed_over_and_people_are_told_as_ever(
    tmp_path: Path, at_ms: int
) -> None:
    with away(tmp_path) as watch:
        back(watch, Acked("k", at_ms, "r1", "page"))
        watch.turn()
        watch.turn()

        assert len(watch.phones.said()) == 1


def test_without_a_report_the_same_readings_ring(tmp_path: Path) -> None:
    with away(tmp_path) as watch:
        back(watch)
        watch.turn()

        assert watch.phones.said() == [("1", "raise")]


def test_a_report_of_another_alarm_silences_nothing(tmp_path: Path) -> None:
    with away(tmp_path) as watch:
        back(watch, told(code="CRIT_FREEZE"), told(hours_ago=5, cleared_ms=FIRED_MS))
        watch.turn()

        assert watch.phones.said() == [("1", "raise")]


def test_the_ladder_goes_on_from_there_and_the_end_reaches_who_was_told(tmp_path: Path) -> None:
    with away(tmp_path) as watch:
        back(watch, told())
        watch.turn()
        watch.now_ms += 5 * MINUTE_MS
        watch.warm(15)
        assert watch.phones.said() == [("1", "escalate"), ("2", "escalate")]

        watch.warm(20, 2.5)

        assert sorted(watch.phones.said()[-2:]) == [("1", "clear"), ("2", "clear")]


def test_what_was_answered_on_the_spot_climbs_no_ladder(tmp_path: Path) -> None:
    with away(tmp_path) as watch:
        watch.house.report(
            [told(), Acked("a1", FIRED_MS + 2 * MINUTE_MS, "r1", "op")], at_ms=NOON_MS
        )
        watch.turn()
        [reply] = watch.store.owed(NOON_MS)
        assert (reply.provider_id, reply.room, reply.person) == ("gateway:a1", "r1", "op")
        watch.house.records.add_action(  # as the api does when it is posted
            reply.provider_id, RoomId("r1"), "ack", reply.at_ms, "op", {}, now_ms=NOON_MS
        )
        watch.house.arrive(HOT, at_ms=NOON_MS)
        watch.turn()
        watch.now_ms += 5 * MINUTE_MS

        watch.warm(60)

        assert watch.phones.said() == []


def test_what_began_and_ended_there_and_was_told_both_times_is_only_recorded(
    tmp_path: Path,
) -> None:
    over = [*HOT[:8], *((WARM_MS + n * 5 * MINUTE_MS, 2.5) for n in (8, 9, 10))]
    end_ms = WARM_MS + 45 * MINUTE_MS
    warnings = [
        Told(
            f"w-{kind}", FIRED_MS, "op", OPERATOR, kind, "r1", ("CRIT_HIGH", "WARN_HIGH"),
            tuple(
                About("r1", code, level, WARM_MS, FIRED_MS, end_ms if kind == "clear" else None)
                for code, level in (("CRIT_HIGH", "critical"), ("WARN_HIGH", "warning"))
            ), kind,
        )
        for kind in ("raise", "clear")
    ]  # fmt: skip
    with away(tmp_path) as watch:
        back(watch, *warnings, rows=over)
        watch.turn()

        assert watch.phones.said() == []
        assert {n["state"] for n in watch.store.notices(RoomId("r1"))} == {"told"}


def test_a_report_that_comes_again_or_cannot_be_read_changes_nothing(tmp_path: Path) -> None:
    with watched(tmp_path) as watch:
        watch.house.report([told()], at_ms=NOON_MS)
        watch.house.report([told()], at_ms=NOON_MS)
        assert watch.gateways.take() == 2
        assert watch.gateways.take() == 0
        assert len(watch.store.notices(RoomId("r1"))) == 1


def test_the_reports_of_another_store_are_others_however_far_the_last_was_read(
    tmp_path: Path,
) -> None:
    """As after `restore --in-place` on an old copy of the readings beside newer notices."""
    with closing(open_notices(tmp_path / "notices.db")) as notices:
        with House(tmp_path / "before") as house:
            for n in range(5):
                house.report([Acked(f"a{n}", NOON_MS, "r1", "op")], at_ms=NOON_MS)
            assert GatewayEvents(house.readings, notices).take() == 5
        with House(tmp_path / "after") as house:
            for n in range(9):  # what gateways send again is faster than this part starts
                house.report([Acked(f"b{n}", NOON_MS, "r1", "op")], at_ms=NOON_MS)

            assert GatewayEvents(house.readings, notices).take() == 9
            assert GatewayEvents(house.readings, notices).take() == 0
