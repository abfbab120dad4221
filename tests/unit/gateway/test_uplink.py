"""What a gateway says of itself, and how often."""

import resource
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import msgspec
import pytest

from domain.reading import ProbeId, Series
from gateway.config import Configured
from gateway.outbox import Outbox, Row, Sealer
from gateway.settings import Settings
from gateway.uplink import KNOWN_STORES, StorePin, Uplink, address_of, status_every_s
from tests.support.batches import KEY, NOON_MS
from wire.batch_v1 import Clock
from wire.receipt_v1 import Receipt, encode
from wire.restore_v1 import Restored
from wire.status_v1 import Receipted, decode


def test_a_gateway_on_an_open_line_says_twice_a_minute_how_it_is() -> None:
    assert status_every_s(1.0) == 30.0


def test_on_a_metered_link_a_status_is_rarer_than_the_batches() -> None:
    assert status_every_s(60.0) == 300.0


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("mqtt://cold.example", ("cold.example", 1883)),
        ("mqtts://cold.example", ("cold.example", 8883)),
        ("mqtts://cold.example:18883", ("cold.example", 18883)),
        ("mqtt://127.0.0.1:18801", ("127.0.0.1", 18801)),
    ],
)
def test_a_broker_without_a_port_is_at_the_port_of_its_scheme(
    url: str, address: tuple[str, int]
) -> None:
    assert address_of(url) == address


def test_the_pin_remembers_which_stores_it_followed(tmp_path: Path) -> None:
    path = tmp_path / "store-id"
    pin = StorePin(path)
    assert (pin.store, pin.known) == ("", ())

    for n in range(KNOWN_STORES + 1):
        pin.move(f"s{n}")
        pin.move(f"s{n}")

    again = StorePin(path)
    assert again.store == f"s{KNOWN_STORES}"
    assert again.known == tuple(f"s{n}" for n in range(1, KNOWN_STORES + 1))
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_pin_of_before_is_one_store(tmp_path: Path) -> None:
    (tmp_path / "store-id").write_text("s1")

    assert StorePin(tmp_path / "store-id").known == ("s1",)


SERIES = Series(ProbeId("mqtt:gw-1:p"), "temperature")


@contextmanager
def uplink(folder: Path, seqs: int = 0) -> Iterator[tuple[Uplink, Outbox]]:
    """With no broker: what it makes of a receipt."""
    clock = Clock(trusted=True)
    with Outbox(folder / "outbox.db", Sealer("gw-1", "k1", KEY), disk_reserve_bytes=0) as outbox:
        for n in range(seqs):
            outbox.take([Row(SERIES, NOON_MS + n, 400, 0)], [], NOON_MS, clock, cut=True)
        settings = Settings(
            id="gw-1", partition=1, edge_url="", edge_username="", edge_password_file="",
            uplink_url="mqtt://127.0.0.1:1", uplink_username="u", uplink_password_file="",
            tag_key_file="", kid="k1", key_file="", outbox_path="",
            store_id_file=str(folder / "store-id"),
        )  # fmt: skip
        configured = Configured("gw-1", None, lambda _signature, _said: True)
        yield (
            Uplink(
                settings, outbox=outbox, configured=configured, key=KEY, password="p",  # noqa: S106 - nobody's
                version="0", now_ms=lambda: NOON_MS, clock=lambda: clock, full=lambda: False,
                alarms=lambda: None, stop=threading.Event(),
            ),
            outbox,
        )  # fmt: skip


def hear(one: Uplink, receipt: Receipt) -> None:
    one._on_receipt(encode(receipt, KEY))


def waiting(outbox: Outbox) -> list[int]:
    return [batch.seq for batch in outbox.waiting()]


def test_what_an_earlier_version_had_receipts_for_goes_to_a_server_made_anew(
    tmp_path: Path,
) -> None:
    with uplink(tmp_path, seqs=2) as (before, outbox):
        hear(before, Receipt("s1", 7, {outbox.epoch: (2, [])}))
        assert waiting(outbox) == []
    (tmp_path / "store-id").unlink()
    db = apsw.Connection(str(tmp_path / "outbox.db"))
    [(raw,)] = db.execute("SELECT value FROM known WHERE key = 'server'")
    known = msgspec.json.decode(raw)
    del known["n"]
    db.execute("UPDATE known SET value = ? WHERE key = 'server'", (msgspec.json.encode(known),))
    db.close()

    with uplink(tmp_path) as (after, outbox):
        assert waiting(outbox) == []
        hear(after, Receipt("s2", 1, {}))

        assert waiting(outbox) == [1, 2]


def test_a_restored_server_is_gone_by_only_once_its_receipts_of_before_are_forgotten(
    tmp_path: Path,
) -> None:
    record = Restored(("s1", "s2"), ("r1", "r2"), NOON_MS, "00")
    with uplink(tmp_path, seqs=2) as (before, outbox):
        hear(before, Receipt("s1", 7, {outbox.epoch: (2, [])}))
        outbox.save()
        size = Path(f"{outbox.path}-wal").stat().st_size
        _, hard = limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))  # the outbox's log grows no more
        try:
            hear(before, Receipt("s2", 1, {}, restored=[record]))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        killed = tmp_path / "killed"
        shutil.copytree(tmp_path, killed)

    with uplink(killed) as (after, outbox):
        hear(after, Receipt("s2", 1, {}, restored=[record]))

        assert waiting(outbox) == [1, 2]


def test_it_says_that_the_receipts_lack_what_they_had(tmp_path: Path) -> None:
    with uplink(tmp_path, seqs=3) as (one, outbox):
        hear(one, Receipt("s1", 7, {outbox.epoch: (2, [])}))
        assert decode(one._status("online")).receipted == Receipted("s1", 7)

        hear(one, Receipt("s1", 9, {outbox.epoch: (1, [(3, 3)])}))

        assert decode(one._status("online")).receipted == Receipted("s1", 9, lacking=True)
