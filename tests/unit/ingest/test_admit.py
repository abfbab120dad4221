"""What may enter the store: the checks in their order, and what each failure costs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.reading import ProbeId, Quality, Series
from ingest.admit import Admitted, Gateway, Rejected, admit, keep_rows, readmit_rows
from store.ports import BatchId
from tests.support.batches import AIR, KEY, MINUTE_MS, NOON_MS, Row, sealed
from wire import tombstone_v1, topics

GATEWAYS = {
    "g1": Gateway("g1", 7, {"k1": KEY}),
    "g2": Gateway("g2", 7, {"k1": bytes(32)}),
}
TOPIC = topics.batch(7, "g1", "live")
GOOD: Row = (NOON_MS, 412, 0)


def admitted(payload: bytes) -> Admitted:
    outcome = admit(TOPIC, payload, GATEWAYS)
    assert isinstance(outcome, Admitted)
    return outcome


def rejected(topic: str, payload: bytes) -> Rejected:
    outcome = admit(topic, payload, GATEWAYS)
    assert isinstance(outcome, Rejected)
    return outcome


def kept(outcome: Admitted) -> list[Row]:
    return [row for _, columns in outcome.batch.rows for row in columns]


def test_a_good_batch_enters_as_it_was_cut() -> None:
    outcome = admitted(sealed(3, GOOD, (NOON_MS + MINUTE_MS, 415, 1)))

    assert outcome.batch.id == BatchId(outcome.batch.id.gateway, "e1", 3)
    assert [series for series, _ in outcome.batch.rows] == [AIR]
    assert kept(outcome) == [GOOD, (NOON_MS + MINUTE_MS, 415, 1)]
    assert outcome.bad == ()


@pytest.mark.parametrize(
    ("topic", "payload", "reason", "name"),
    [
        pytest.param(
            "devices/x/readings", sealed(1, GOOD), "not a topic of ours", None, id="topic"
        ),
        pytest.param(
            topics.batch(7, "stranger", "live"),
            sealed(1, GOOD),
            "unknown gateway",
            None,
            id="whose",
        ),
        pytest.param(
            topics.batch(8, "g1", "live"),
            sealed(1, GOOD),
            "not this gateway's partition",
            ("e1", 1),
            id="partition",
        ),
        pytest.param(TOPIC, sealed(1, GOOD, key=b"x" * 32), "wrong tag", ("e1", 1), id="tag"),
        pytest.param(
            TOPIC, sealed(1, GOOD, kid="k9"), "unknown gateway or key", ("e1", 1), id="key"
        ),
        pytest.param(
            TOPIC,
            sealed(1, GOOD, gateway="g2", key=bytes(32)),
            "another gateway's batch",
            ("e1", 1),
            id="foreign-topic",
        ),
        pytest.param(TOPIC, b"\x00garbage", "not a batch", None, id="bytes"),
    ],
)
def test_a_wrong_topic_or_tag_is_a_security_event_and_names_the_batch_if_it_can(
    topic: str, payload: bytes, reason: str, name: tuple[str, int] | None
) -> None:
    outcome = rejected(topic, payload)

    assert (outcome.reason, outcome.security, outcome.name) == (reason, True, name)


def test_a_tombstone_enters_with_its_words_and_one_that_says_nothing_is_refused() -> None:
    body = tombstone_v1.encode(tombstone_v1.Tombstone("e0", 1, (bytes(32),), 600, 0, 1, "why"))

    outcome = admitted(sealed(4, body=body, kind="tombstone"))
    refused = rejected(TOPIC, sealed(5, body=b"\x80", kind="tombstone"))

    assert (outcome.batch.kind, outcome.batch.note) == ("tombstone", body)
    assert (refused.reason, refused.name) == ("unreadable tombstone", ("e1", 5))


def test_a_body_that_cannot_be_read_behind_a_right_tag_is_refused_without_alarm() -> None:
    outcome = rejected(TOPIC, sealed(4, body=b"\x80"))

    assert (outcome.reason, outcome.security, outcome.name) == (
        "unreadable body",
        False,
        ("e1", 4),
    )


def test_a_reading_outside_the_physical_range_is_kept_and_marked() -> None:
    outcome = admitted(sealed(1, GOOD, (NOON_MS + 1, 12_000, 0)))

    assert kept(outcome) == [GOOD, (NOON_MS + 1, 12_000, Quality.OUTSIDE_RANGE)]


def test_a_gateways_own_range_mark_does_not_count() -> None:
    assert kept(admitted(sealed(1, (NOON_MS, 412, 2 | 4)))) == [(NOON_MS, 412, 4)]


@pytest.mark.parametrize(
    ("good", "bad", "reason"),
    [
        pytest.param(
            (1_577_836_800_000, 412, 0),
            (1_577_836_799_999, 412, 0),
            "measured before 2020",
            id="before-2020",
        ),
        pytest.param(
            GOOD,
            (NOON_MS + 5 * MINUTE_MS + 1, 412, 0),
            "measured more than 5 min ahead of a trusted clock",
            id="future",
        ),
    ],
)
def test_a_reading_at_an_impossible_time_leaves_alone(good: Row, bad: Row, reason: str) -> None:
    outcome = admitted(sealed(1, *sorted([good, bad])))

    assert kept(outcome) == [good]
    assert outcome.bad == ((AIR.probe, AIR.quantity, *bad, reason),)


def test_without_a_trusted_clock_nothing_is_the_future() -> None:
    ahead = (NOON_MS + 60 * MINUTE_MS, 412, 0)

    assert kept(admitted(sealed(1, ahead, trusted=False))) == [ahead]


@pytest.mark.parametrize("bad_ms", [4_102_444_800_000, 253_370_764_800_000, 1 << 52])
def test_but_what_is_later_than_this_century_does_not_stand_as_the_newest_for_ever(
    bad_ms: int,
) -> None:
    good = (4_102_444_799_999, 412, 0)
    outcomes = [admitted(sealed(1, (at, 412, 0), trusted=False)) for at in (good[0], bad_ms)]

    assert kept(outcomes[0]) == [good]
    assert outcomes[1].bad == ((AIR.probe, AIR.quantity, bad_ms, 412, 0, "measured after 2099"),)


@pytest.mark.parametrize(
    ("series", "reason"),
    [
        pytest.param(
            Series(ProbeId("ieee:1"), "loudness"), "unknown quantity 'loudness'", id="quantity"
        ),
        pytest.param(
            Series(ProbeId("ieee:\x1b[31m"), "temperature"),
            "probe id is not printable, or too long",
            id="control-characters",
        ),
    ],
)
def test_a_series_that_cannot_be_named_is_quarantined_whole(series: Series, reason: str) -> None:
    outcome = admitted(sealed(1, GOOD, series=series))

    assert kept(outcome) == []
    assert outcome.bad[0][-1] == reason


def test_quarantined_readings_are_asked_again_under_a_name_of_their_own() -> None:
    name = BatchId(admitted(sealed(1, GOOD)).batch.id.gateway, "again", 1)
    outcome = admitted(sealed(1, GOOD, (NOON_MS + 60 * MINUTE_MS, 5, 0)))

    again = readmit_rows(keep_rows(outcome), name)

    assert again is not None
    assert again.batch.id == name
    assert again.bad == outcome.bad
    assert readmit_rows(b"\x93no rows", name) is None


@given(st.binary(max_size=300))
def test_no_bytes_pass_for_a_batch_or_raise(payload: bytes) -> None:
    assert isinstance(admit(TOPIC, payload, GATEWAYS), Rejected)
