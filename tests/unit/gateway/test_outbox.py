"""What the outbox took is there until the server's receipt, after a crash at any point."""

import contextlib
import os
import resource
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from disk.room import Full
from domain.reading import ProbeId, Series
from gateway.export import unreceipted
from gateway.outbox import (
    KEEP_MS,
    LIVE_MS,
    QUARANTINE_BYTES,
    QUARANTINE_SAMPLES,
    Impossible,
    Outbox,
    Row,
    Sealer,
    Unfit,
)
from wire import tombstone_v1
from wire.batch_v1 import MAX_WIDTH_MS, Clock, Header, digest, open_batch, unpack_readings
from wire.receipt_v1 import MAX_EPOCHS, Receipt, digest_of

KEY = bytes(range(32))
CLOCK = Clock(trusted=True)
NOW = 1_780_000_000_000
DAY = 86_400_000


def series(n: int = 1) -> Series:
    return Series(ProbeId(f"mac:{n}"), "temperature")


def row(at_ms: int, counts: int = 400, n: int = 1) -> Row:
    return Row(series(n), at_ms, counts, 0)


def open_outbox(folder: Path, limit_bytes: int = 1 << 30) -> Outbox:
    return Outbox(
        folder / "outbox.db",
        Sealer("gw-1", "k1", KEY),
        limit_bytes=limit_bytes,
        disk_reserve_bytes=0,
        ballast_bytes=1 << 20,
    )


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with open_outbox(tmp_path) as opened:
        yield opened


def take(outbox: Outbox, *rows: Row, cut: bool = True, now_ms: int = NOW) -> None:
    outbox.take(rows, [], now_ms, CLOCK, cut=cut)


def unfit(payload: bytes, reason: str = "nobody's") -> Unfit:
    return Unfit("devices/x/readings", reason, payload, NOW)


def opened(outbox: Outbox) -> list[tuple[Header, set[tuple[Series, int, int]]]]:
    """Every waiting batch, in the order cut."""
    batches = []
    for waiting in outbox.waiting():
        payload = outbox.payload(waiting.id)
        assert payload is not None
        header, body = open_batch(payload, lambda _gw, _kid: KEY)
        rows = {(s, at, count) for s, columns in unpack_readings(body) for at, count, _ in columns}
        batches.append((header, rows))
    return batches


def receipt(outbox: Outbox, *seqs: int, epoch: str | None = None) -> Receipt:
    return Receipt("s", 1, {epoch or outbox.epoch: (0, [(seq, seq) for seq in seqs])})


def test_what_was_taken_is_in_the_next_batch_once(outbox: Outbox) -> None:
    take(outbox, row(NOW), row(NOW, 401, n=2), cut=False)
    take(outbox, row(NOW), row(NOW + 1))

    [(header, rows)] = opened(outbox)
    assert rows == {
        (series(), NOW, 400), (series(2), NOW, 401), (series(), NOW + 1, 400)
    }  # fmt: skip
    assert (header.gw, header.kid, header.seq, header.prev) == ("gw-1", "k1", 1, b"")
    assert outbox.pending() == 0


def test_batches_are_numbered_without_holes_and_each_names_the_bytes_before_it(
    outbox: Outbox,
) -> None:
    for i in range(5):
        take(outbox, row(NOW + i))

    payloads = [outbox.payload(b.id) or b"" for b in outbox.waiting()]
    headers = [header for header, _ in opened(outbox)]
    assert [h.seq for h in headers] == [1, 2, 3, 4, 5]
    assert all(
        header.prev == digest(payload)
        for payload, header in zip(payloads, headers[1:], strict=False)
    )


def test_a_new_start_is_a_new_epoch_that_continues_the_chain(tmp_path: Path) -> None:
    with open_outbox(tmp_path) as before:
        take(before, row(NOW), row(NOW - 2 * LIVE_MS))
    with open_outbox(tmp_path) as after:
        take(after, row(NOW + 1))

        headers = [header for header, _ in opened(after)]
        last = after.payload(after.waiting()[1].id)
    assert len({h.epoch for h in headers}) == 2
    assert headers[0].after is None
    assert headers[2].after == (before.epoch, 2)
    assert headers[2].seq == 1
    assert headers[2].prev == digest(last or b"")


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.lists(st.integers(NOW - DAY, NOW), max_size=4), st.booleans(), st.booleans()),
        max_size=10,
    )
)
def test_nothing_taken_is_missing_after_a_crash_at_any_point(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[list[int], bool, bool]]
) -> None:
    folder = tmp_path_factory.mktemp("crash")
    outbox = open_outbox(folder)
    taken = set()
    try:
        for times, cut, crash in steps:
            take(outbox, *(row(at) for at in times), cut=cut)
            taken |= {(series(), at, 400) for at in times}
            if crash:  # the files as a dead process leaves them, without a word of goodbye
                left = folder / os.urandom(4).hex()
                left.mkdir()
                for file in folder.glob("outbox.db*"):
                    shutil.copy(file, left)
                outbox.close()
                folder = left
                outbox = open_outbox(folder)
        take(outbox)

        assert {r for _, rows in opened(outbox) for r in rows} == taken
    finally:
        outbox.close()


def test_the_present_and_the_past_travel_in_separate_batches(outbox: Outbox) -> None:
    take(outbox, row(NOW), row(NOW - LIVE_MS - 1), row(NOW - LIVE_MS))

    assert [rows for _, rows in opened(outbox)] == [
        {(series(), NOW - LIVE_MS - 1, 400)},
        {(series(), NOW - LIVE_MS, 400), (series(), NOW, 400)},
    ]


def test_batches_are_bounded_in_readings_and_in_width(outbox: Outbox) -> None:
    take(outbox, *(row(NOW - i * 60_000) for i in range(1500)), row(NOW - 30 * DAY))

    batches = outbox.waiting()
    assert max(b.readings for b in batches) <= 600
    assert max(b.newest_ms - b.oldest_ms for b in batches) <= MAX_WIDTH_MS
    assert sum(b.readings for b in batches) == 1501


def test_live_goes_newest_first_and_backlog_oldest_first(outbox: Outbox) -> None:
    for minutes in (30, 20, 2, 1):
        take(outbox, row(NOW - minutes * 60_000), now_ms=NOW)

    live = outbox.due(True, NOW, {}, 1 << 20)
    backlog = outbox.due(False, NOW, {}, 1 << 20)

    assert [(NOW - b.newest_ms) // 60_000 for b in live] == [1, 2]
    assert [(NOW - b.newest_ms) // 60_000 for b in backlog] == [30, 20]


def test_what_was_live_and_found_no_receiver_becomes_backlog(outbox: Outbox) -> None:
    take(outbox, row(NOW))
    later = NOW + LIVE_MS + 1

    assert outbox.due(True, later, {}, 1 << 20) == []
    assert len(outbox.due(False, later, {}, 1 << 20)) == 1


@pytest.mark.parametrize("cut_ahead", [0, DAY])
def test_what_a_wrong_clock_dated_ahead_is_sent_all_the_same(
    outbox: Outbox, cut_ahead: int
) -> None:
    take(outbox, row(NOW + DAY), now_ms=NOW + cut_ahead)
    take(outbox, row(NOW), now_ms=NOW)
    later = NOW + 3_600_000

    lanes = (outbox.due(live, later, {}, 1 << 20) for live in (True, False))

    assert [batch for lane in lanes for batch in lane] == outbox.waiting()


def test_a_window_bounds_what_is_sent_and_lets_one_batch_through(outbox: Outbox) -> None:
    for i in range(10):
        take(outbox, row(NOW + i))
    [first] = outbox.due(True, NOW, {}, 1)

    two = outbox.due(True, NOW, {first.id}, 2 * first.size)

    assert len(two) == 2
    assert first not in two


def test_a_receipt_ends_the_waiting_and_a_second_one_changes_nothing(outbox: Outbox) -> None:
    for i in range(4):
        take(outbox, row(NOW + i))

    done = outbox.apply(Receipt("s", 1, {outbox.epoch: (2, [(4, 4)])}))

    assert len(done) == 3
    assert [b.seq for b in outbox.waiting()] == [3]
    assert outbox.apply(Receipt("s", 1, {outbox.epoch: (1, [])})) == []
    assert [b.seq for b in outbox.waiting()] == [3]


def test_receipts_are_remembered_over_a_restart(tmp_path: Path) -> None:
    with open_outbox(tmp_path) as before:
        for i in range(3):
            take(before, row(NOW + i))
        before.apply(receipt(before, 1, 3))

    with open_outbox(tmp_path) as after:
        assert [b.seq for b in after.waiting()] == [2]
        assert after.apply(receipt(after, 2, epoch=before.epoch))
        assert after.waiting() == []


def test_a_receipt_for_more_than_was_cut_is_not_applied_at_all(outbox: Outbox) -> None:
    take(outbox, row(NOW))

    with pytest.raises(Impossible):
        outbox.apply(Receipt("s", 1, {outbox.epoch: (2, [])}))

    assert [b.seq for b in outbox.waiting()] == [1]


def test_a_receipt_for_an_epoch_of_another_life_changes_nothing(outbox: Outbox) -> None:
    take(outbox, row(NOW))

    assert outbox.apply(receipt(outbox, 1, epoch="another")) == []


def test_a_refused_batch_is_parked_and_kept(tmp_path: Path) -> None:
    with open_outbox(tmp_path) as before:
        take(before, row(NOW))
        before.apply(Receipt("s", 1, {}, [(before.epoch, 1, "other bytes")]))

    with open_outbox(tmp_path) as after:
        assert after.waiting() == []
        assert after.refused() == {(before.epoch, 1): "other bytes"}
        assert after.evict(NOW + 2 * KEEP_MS) == 0


def test_a_refusal_of_other_bytes_under_the_name_of_a_batch_parks_nothing(outbox: Outbox) -> None:
    """Damaged on the way, or made by somebody else: the batch itself is as good as ever."""
    take(outbox, row(NOW))
    take(outbox, row(NOW + 1))
    ours = outbox.payload(outbox.waiting()[1].id) or b""
    refused = [(outbox.epoch, 1, "wrong tag"), (outbox.epoch, 2, "wrong tag")]

    done = outbox.apply(
        Receipt("s", 1, {}, refused, digests=[digest_of(b"damaged"), digest_of(ours)])
    )

    assert len(done) == 1
    assert [b.seq for b in outbox.waiting()] == [1]
    assert outbox.refused() == {(outbox.epoch, 2): "wrong tag"}


def test_what_was_refused_and_is_received_after_all_is_refused_no_more(tmp_path: Path) -> None:
    with open_outbox(tmp_path) as first:
        take(first, row(NOW))
        first.apply(Receipt("s", 1, {}, [(first.epoch, 1, "unknown kind")]))
        first.apply(receipt(first, 1))
        assert first.refused() == {}

    with open_outbox(tmp_path) as second:
        assert (second.refused(), second.waiting()) == ({}, [])


def test_refused_batches_can_be_tried_one_after_the_other_and_round_again(tmp_path: Path) -> None:
    with open_outbox(tmp_path) as first:
        for i in range(4):
            take(first, row(NOW + i))
        refused = [(first.epoch, seq, "unknown kind") for seq in (1, 2, 3)]
        first.apply(Receipt("s", 1, {first.epoch: (0, [(4, 4)])}, refused))
        ids = first.to_try(0, 9)

        assert [open_batch(first.payload(id) or b"", lambda _g, _k: KEY)[0].seq for id in ids] == [
            1,
            2,
            3,
        ]

    with open_outbox(tmp_path) as second:
        assert second.to_try(0, 2) == ids[:2]
        assert second.to_try(ids[1], 2) == [ids[2], ids[0]]
        assert second.to_try(ids[2], 9) == ids


def test_a_refused_batch_is_among_those_that_are_carried_by_hand(tmp_path: Path) -> None:
    with open_outbox(tmp_path) as outbox:
        for i in range(3):
            take(outbox, row(NOW + i))
        said = Receipt("s", 1, {outbox.epoch: (0, [(1, 1), (3, 3)])}, [(outbox.epoch, 2, "why")])
        outbox.apply(said)
        outbox.save()

        carried = [open_batch(p, lambda _g, _k: KEY)[0].seq for p in unreceipted(str(outbox.path))]

    assert carried == [2]


def test_another_store_gets_again_what_is_still_held(outbox: Outbox) -> None:
    take(outbox, row(NOW))
    take(outbox, row(NOW + 1))
    outbox.apply(receipt(outbox, 1, 2))

    outbox.forget_receipts()

    assert [b.seq for b in outbox.waiting()] == [1, 2]


def test_receipted_batches_stay_a_fortnight_and_the_newest_for_ever(outbox: Outbox) -> None:
    for i in range(3):
        take(outbox, row(NOW + i))
    outbox.apply(receipt(outbox, 1, 2, 3))

    assert outbox.evict(NOW + KEEP_MS - 1) == 0
    assert outbox.evict(NOW + KEEP_MS) == 2
    take(outbox, row(NOW + 9))
    assert [header.seq for header, _ in opened(outbox)] == [4]


def test_an_epoch_without_batches_is_forgotten_and_its_receipts_do_no_harm(tmp_path: Path) -> None:
    with open_outbox(tmp_path) as first:
        take(first, row(NOW))
    with open_outbox(tmp_path) as second:
        take(second, row(NOW + 1))
        old, new = first.epoch, second.epoch
        said = Receipt("s", 1, {old: (1, []), new: (1, [])})
        second.apply(said)

        assert second.evict(NOW + KEEP_MS) == 1
        assert second.apply(said) == []
    with open_outbox(tmp_path) as third:
        take(third, row(NOW + 2))

        assert [header.after for header, _ in opened(third)] == [(new, 1)]


def test_a_disk_that_is_full_costs_no_reading_and_stops_nothing(tmp_path: Path) -> None:
    with open_outbox(tmp_path) as outbox:
        take(outbox, row(NOW))
        outbox.apply(receipt(outbox, 1))
        pages = outbox._pragma("page_count")
        outbox._db.execute(f"PRAGMA max_page_count = {pages}")  # SQLite's own word for it
        with pytest.raises(Full):
            take(outbox, *(row(NOW + i, i * 7919 % 65536) for i in range(2_000)))
        outbox.save()
        outbox._db.execute("PRAGMA max_page_count = 100000")

        take(outbox, row(NOW + 1))

        [(header, rows)] = opened(outbox)
        assert header.seq == 2
        assert rows == {(series(), NOW + 1, 400)}


def noise(at: int, n: int) -> list[Row]:
    """A batch's worth that no compression makes small."""
    return [row(at + i, (i * 7919 + n * 104729) % 65536) for i in range(600)]


def fill(outbox: Outbox, start: int) -> int:
    """Take batches of noise until the limit is reached; how many."""
    n = 0
    while (level := outbox.level()).used < level.limit:
        take(outbox, *noise(start + n * 600, n))
        n += 1
    return n


def lost(outbox: Outbox) -> list[tombstone_v1.Tombstone]:
    batches = [outbox.payload(waiting.id) or b"" for waiting in outbox.waiting()]
    opened = [open_batch(payload, lambda _gw, _kid: KEY) for payload in batches]
    return [tombstone_v1.decode(body) for header, body in opened if header.kind == "tombstone"]


def test_at_its_own_limit_the_oldest_goes_and_a_tombstone_names_exactly_what_went(
    tmp_path: Path,
) -> None:
    digests: dict[int, bytes] = {}
    with open_outbox(tmp_path, limit_bytes=1 << 18) as outbox:
        n = 0
        while not lost(outbox):
            take(outbox, *noise(NOW + n * 600, n))
            n += 1
            digests |= {b.seq: digest(outbox.payload(b.id) or b"") for b in outbox.waiting()}

        held = [b for b in outbox.waiting() if b.readings]
        [stone] = lost(outbox)
        assert stone.epoch == outbox.epoch
        assert stone.first == 1
        assert stone.digests == tuple(digests[seq] for seq in range(1, stone.last + 1))
        assert stone.readings == 600 * stone.last
        assert (stone.oldest_ms, stone.newest_ms) == (NOW, NOW + 600 * stone.last - 1)
        assert min(b.seq for b in held) == stone.last + 1
        assert stone.readings + sum(b.readings for b in held) == 600 * n
        assert outbox.level().used < 1 << 18


def test_a_gateway_long_without_a_link_accounts_for_every_reading_it_acknowledged(
    tmp_path: Path,
) -> None:
    n = 0
    for _ in range(4):  # starts
        with open_outbox(tmp_path, limit_bytes=1 << 18) as outbox:
            for _ in range(60):
                take(outbox, *noise(NOW + n * 600, n))
                n += 1

    with open_outbox(tmp_path, limit_bytes=1 << 18) as outbox:
        waiting = outbox.waiting()
        stones = lost(outbox)
    named = [(stone.epoch, seq) for stone in stones for seq in range(stone.first, stone.last + 1)]
    assert len(named) == len(set(named))
    assert sum(stone.readings for stone in stones) + sum(b.readings for b in waiting) == 600 * n
    assert max(b.newest_ms for b in waiting) == NOW + 600 * n - 1


def test_while_the_disk_is_short_nothing_is_given_up(tmp_path: Path) -> None:
    with open_outbox(tmp_path) as outbox:
        outbox._db.execute("PRAGMA max_page_count = 60")
        taken = 0
        with contextlib.suppress(Full):
            while taken < 1_000:
                take(outbox, *noise(NOW + taken * 600, taken))
                taken += 1

        assert taken < 1_000
        assert sum(b.readings for b in outbox.waiting()) == 600 * taken
        assert lost(outbox) == []


def test_at_the_limit_receipted_batches_go_first_oldest_first(tmp_path: Path) -> None:
    with open_outbox(tmp_path, limit_bytes=9 << 20) as outbox:
        n = fill(outbox, NOW)
        outbox.apply(Receipt("s", 1, {outbox.epoch: (n // 2, [])}))

        take(outbox, row(NOW - 1))

        assert len(outbox.waiting()) == n - n // 2 + 1
        assert lost(outbox) == []
        assert all(outbox.payload(b.id) is not None for b in outbox.waiting())


def test_receipted_batches_make_room_also_after_the_clock_was_set_back(tmp_path: Path) -> None:
    with open_outbox(tmp_path, limit_bytes=1 << 20) as outbox:
        n = fill(outbox, NOW)
        outbox.apply(Receipt("s", 1, {outbox.epoch: (n, [])}))

        take(outbox, row(NOW - 30 * DAY), now_ms=NOW - 30 * DAY)

        assert [b.newest_ms for b in outbox.waiting()] == [NOW - 30 * DAY]


def test_a_failed_commit_leaves_no_hole_in_the_numbering(tmp_path: Path) -> None:
    with open_outbox(tmp_path) as outbox:
        outbox._db.execute("PRAGMA max_page_count = 60")
        for n in range(100):
            with contextlib.suppress(Full):
                take(outbox, *noise(NOW + n * 600, n))
        outbox._db.execute("PRAGMA max_page_count = 100000")
        take(outbox, *noise(NOW, 100))

        headers = [header for header, _ in opened(outbox)]
        assert all(b.seq == a.seq + 1 for a, b in pairwise(headers))


def test_quarantine_keeps_bytes_once_and_counts_the_rest(outbox: Outbox) -> None:
    outbox.take([], [unfit(b"a"), unfit(b"a"), unfit(b"b")], NOW, CLOCK, cut=False)

    assert outbox.quarantined() == (2, 3)


def test_one_noisy_device_cannot_fill_the_quarantine(outbox: Outbox) -> None:
    flood = [unfit(str(i).encode()) for i in range(3 * QUARANTINE_SAMPLES)]
    outbox.take([], flood, NOW, CLOCK, cut=False)
    outbox.take([], [unfit(b"x", "another reason")], NOW, CLOCK, cut=False)

    assert outbox.quarantined() == (QUARANTINE_SAMPLES + 1, 3 * QUARANTINE_SAMPLES + 1)


def test_messages_that_are_all_topic_cannot_fill_the_outbox(tmp_path: Path) -> None:
    with open_outbox(tmp_path, limit_bytes=QUARANTINE_BYTES + (16 << 20)) as outbox:
        for n in range(16):
            flood = [Unfit("t" * 4_000 + f"{n}-{i}", "nobody's", b"", NOW) for i in range(1_000)]
            outbox.take([], flood, NOW, CLOCK, cut=False)
        take(outbox, row(NOW))

        held, seen = outbox.quarantined()
        assert held < seen == 16_000
        assert len(outbox.waiting()) == 1


def test_what_a_full_disk_kept_from_quarantine_is_not_counted_as_kept(tmp_path: Path) -> None:
    flood = [unfit(b"%d" % i * 500) for i in range(QUARANTINE_SAMPLES)]
    with open_outbox(tmp_path) as outbox:
        outbox._db.execute(f"PRAGMA max_page_count = {outbox._pragma('page_count')}")
        with pytest.raises(Full):
            outbox.take([], flood, NOW, CLOCK, cut=False)
        outbox._db.execute("PRAGMA max_page_count = 100000")

        outbox.take([], flood, NOW, CLOCK, cut=False)

        assert outbox.quarantined()[0] == QUARANTINE_SAMPLES


def test_what_a_device_said_of_itself_is_kept_with_the_commit_and_read_at_the_next_start(
    tmp_path: Path,
) -> None:
    with open_outbox(tmp_path) as outbox:
        for said in (b"first", b"second"):
            outbox.take([row(NOW)], [], NOW, CLOCK, cut=False, certificates={"spBv1.0/*/x": said})

    with open_outbox(tmp_path) as outbox:
        assert outbox.certificates() == {"spBv1.0/*/x": b"second"}


def test_what_is_released_leaves_quarantine_with_the_commit_that_takes_its_readings(
    outbox: Outbox,
) -> None:
    outbox.take([], [unfit(b"a"), unfit(b"b")], NOW, CLOCK, cut=False)
    [(first, item), (second, _)] = outbox.held([1, 2, 9], [])
    assert (item.payload, item.late) == (b"a", False)

    outbox.take([row(NOW)], [], NOW, CLOCK, cut=False, released=[first])

    assert [id for id, _ in outbox.held([first, second], [item.topic])] == [second]
    assert outbox.quarantined()[0] == 1


def test_what_an_earlier_version_kept_in_quarantine_may_have_been_late(tmp_path: Path) -> None:
    with open_outbox(tmp_path) as outbox:
        outbox.take([], [unfit(b"a")], NOW, CLOCK, cut=False)
        path = outbox.path
    db = apsw.Connection(str(path))
    db.execute("ALTER TABLE quarantine DROP COLUMN late")
    db.close()

    with open_outbox(tmp_path) as outbox:
        [(_, item)] = outbox.held([1], [])
        assert item.late


def test_a_report_goes_first_on_the_live_lane_however_old_it_is(outbox: Outbox) -> None:
    outbox.report(b"told", NOW, CLOCK)
    later_ms = NOW + 2 * 3_600_000
    take(outbox, row(later_ms), now_ms=later_ms)

    lane = outbox.due(True, later_ms, set(), 1 << 20)

    assert [batch.readings for batch in lane] == [0, 1]
    assert outbox.due(False, later_ms, set(), 1 << 20) == []


def test_a_mark_is_reached_when_everything_held_then_has_its_receipt(outbox: Outbox) -> None:
    take(outbox, row(NOW))
    take(outbox, row(NOW + 1), cut=False)
    mark = outbox.mark()
    outbox.apply(Receipt("s", 1, {outbox.epoch: (1, [])}))
    assert not outbox.receipted(mark), "one reading is in no batch yet"

    take(outbox)
    assert not outbox.receipted(mark)
    outbox.apply(Receipt("s", 2, {outbox.epoch: (2, [])}))

    assert outbox.receipted(mark)


def test_what_is_held_can_be_read_again(outbox: Outbox) -> None:
    first = [row(NOW + n) for n in range(50)]
    take(outbox, *first)
    outbox.report(b"told", NOW, CLOCK)
    take(outbox, row(NOW + 99), cut=False)

    found = [held for page in outbox.readings(NOW - 1) for held in page]

    assert sorted(found) == sorted([*first, row(NOW + 99)])
    assert list(outbox.readings(NOW + DAY)) == [[row(NOW + 99)]]


def test_it_knows_up_to_which_arrival_receipts_spoke_also_after_a_restart(tmp_path: Path) -> None:
    with open_outbox(tmp_path) as before:
        take(before, row(NOW))
        take(before, row(NOW + 1))
        assert before.receipted_n == 0
        before.apply(Receipt("s", 105, {before.epoch: (1, [])}))
        before.apply(Receipt("s", 90, {before.epoch: (2, [])}))  # an old one that comes again
        assert before.receipted_n == 105

    with open_outbox(tmp_path) as after:
        assert after.receipted_n == 105
        after.forget_receipts()
        assert after.receipted_n == 0


def test_receipts_that_go_on_without_what_they_had_are_of_a_store_that_was_set_back(
    outbox: Outbox,
) -> None:
    for n in range(6):
        take(outbox, row(NOW + n))
    outbox.apply(Receipt("s", 105, {outbox.epoch: (4, [])}))
    outbox.apply(Receipt("s", 90, {outbox.epoch: (2, [])}))
    assert not outbox.lacking, "an old one that comes again says nothing"

    outbox.apply(Receipt("s", 200, {outbox.epoch: (2, [(5, 5)])}))
    assert outbox.lacking

    outbox.apply(Receipt("s", 201, {outbox.epoch: (6, [])}))
    assert not outbox.lacking, "somebody has brought it there"
    outbox.apply(Receipt("s", 202, {}))
    assert outbox.lacking, "not even the epoch is known there"
    outbox.forget_receipts()
    assert not outbox.lacking


def test_a_receipt_lacks_nothing_where_it_says_more_or_leaves_out_what_is_long_unused(
    tmp_path: Path,
) -> None:
    with open_outbox(tmp_path) as earlier:
        take(earlier, row(NOW))
        earlier.apply(Receipt("s", 1, {earlier.epoch: (1, [])}))
        old = earlier.epoch
    with open_outbox(tmp_path) as outbox:
        take(outbox, row(NOW + 1))

        outbox.apply(Receipt("s", 2, {old: (1, []), outbox.epoch: (1, [])}))
        assert not outbox.lacking
        others: dict[str, tuple[int, list[tuple[int, int]]]] = {
            f"e{n}": (9, []) for n in range(MAX_EPOCHS - 1)
        }
        outbox.apply(Receipt("s", 3, {outbox.epoch: (1, []), **others}))
        assert not outbox.lacking


def test_a_disk_that_is_full_keeps_receipts_from_being_forgotten_by_halves(tmp_path: Path) -> None:
    with open_outbox(tmp_path) as outbox:
        take(outbox, row(NOW))
        outbox.apply(receipt(outbox, 1))
        outbox.save()
        size = Path(f"{outbox.path}-wal").stat().st_size
        _, hard = limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))  # the log grows no more
        try:
            with pytest.raises(Full):
                outbox.forget_receipts()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert outbox.idle(), "nothing is forgotten"

        outbox.forget_receipts()
        shutil.copytree(tmp_path, tmp_path / "killed")

    with open_outbox(tmp_path / "killed") as after:
        assert [header.seq for header, _ in opened(after)] == [1]
