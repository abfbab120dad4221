"""A central broker that is alive and acknowledges nothing."""

import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import time
from typing import BinaryIO

from domain.reading import ProbeId, Series
from gateway.config import Configured
from gateway.outbox import Outbox, Row, Sealer
from gateway.settings import Settings
from gateway.uplink import Uplink
from tests.support.servers import wait_until
from wire.batch_v1 import Clock

KEY = bytes(32)
BATCHES = 5


class SilentBroker:
    """Greets and subscribes, and answers no PUBLISH. MQTT 3.1.1, sections 3.1 to 3.9."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.published: list[Counter[bytes]] = []  # payloads, a counter a connection
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                link, _ = self._listener.accept()
            except OSError:
                return
            self.published.append(Counter())
            with link, link.makefile("rb") as said:
                self._serve(link, said, self.published[-1])

    def _serve(self, link: socket.socket, said: BinaryIO, published: Counter[bytes]) -> None:
        while first := said.read(1):
            body = said.read(self._length(said))
            match first[0] >> 4:
                case 1:
                    link.sendall(b"\x20\x02\x00\x00")
                case 3:
                    topic_bytes = int.from_bytes(body[:2], "big")
                    if b"/batch/" in body[2 : 2 + topic_bytes]:
                        published[body[4 + topic_bytes :]] += 1
                case 8:
                    link.sendall(b"\x90\x05" + body[:2] + b"\x01\x01\x01")
                case 14:
                    return
                case _:
                    pass

    def _length(self, said: BinaryIO) -> int:
        total, shift = 0, 0
        while True:
            byte = said.read(1)[0]
            total |= (byte & 127) << shift
            if byte < 128:
                return total
            shift += 7


@contextmanager
def uplink_to(broker: SilentBroker, folder: Path) -> Iterator[None]:
    stop = threading.Event()
    outbox = Outbox(folder / "outbox.db", Sealer("gw-1", "k1", KEY), disk_reserve_bytes=0)
    now_ms = int(time() * 1000)
    series = Series(ProbeId("mqtt:gw-1:p"), "temperature")
    for i in range(BATCHES):
        outbox.take([Row(series, now_ms + i, 400, 0)], [], now_ms, Clock(trusted=True), cut=True)
    settings = Settings(
        id="gw-1", partition=1, edge_url="", edge_username="", edge_password_file="",
        uplink_url=f"mqtt://127.0.0.1:{broker.port}", uplink_username="u",
        uplink_password_file="", tag_key_file="", kid="k1", key_file="", outbox_path="",
        store_id_file=str(folder / "store-id"),
    )  # fmt: skip
    uplink = Uplink(
        settings, outbox=outbox, configured=Configured("gw-1", None, lambda _s, _m: False), key=KEY, password="p", version="0",  # noqa: S106 - nobody's
        now_ms=lambda: now_ms, clock=lambda: Clock(trusted=True), full=lambda: False, alarms=lambda: None,
        stop=stop, first_resend_s=0.4,
    )  # fmt: skip
    thread = threading.Thread(target=uplink.run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(20)
        outbox.close()


def test_a_batch_is_offered_once_a_connection_and_the_connection_is_made_anew(
    tmp_path: Path,
) -> None:
    broker = SilentBroker()
    try:
        with uplink_to(broker, tmp_path):
            wait_until(lambda: len(broker.published) >= 4, 30, "it connects anew, and again")
    finally:
        broker.close()

    offered = [counter for counter in broker.published if counter]
    assert len(offered) >= 2
    assert all(times == 1 for counter in offered for times in counter.values())
    assert len(offered[0]) == BATCHES
