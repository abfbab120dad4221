"""What a gateway needs: memory, disk, and bytes on the uplink.

    python -m bench gateway_box [--seconds N] [--minutes N]

The real gateway process between a real NATS server (the edge broker, which syncs) and a real
mosquitto; receipts as ingest gives them. The uplink goes through a relay that counts bytes and
MQTT packets, both ways, receipts, statuses and pings included. TLS is not configured: its
records (22 bytes around each packet, RFC 8446, 5.2) are added to the count; TCP/IP is not.
"""

import argparse
import json
import socket
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

from bench.machine import cpu_s, figure, note, resident_mb, written_bytes
from tests.integration.gateway.rig import Device, Rig, Server, now_ms, running
from tests.support.servers import wait_until

TLS_RECORD = 22
SERIES = 20
MINUTE_MS = 60_000


class Counting:
    """A relay in front of the central broker."""

    def __init__(self, port: int) -> None:
        self._target = port
        self.bytes = {"up": 0, "down": 0}
        self.packets = {"up": 0, "down": 0}
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.cut = False
        self._ends: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.cut = True
        for end in [self._listener, *self._ends]:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def drop(self) -> None:
        """As a village's link fails, until ``cut`` is taken back."""
        self.cut = True
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def total(self) -> int:
        """Both ways, with what TLS would add."""
        return sum(self.bytes.values()) + TLS_RECORD * sum(self.packets.values())

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self.cut:
                near.close()
                continue
            far = socket.create_connection(("127.0.0.1", self._target))
            self._ends += [near, far]
            for one, other, way in ((near, far, "up"), (far, near, "down")):
                threading.Thread(target=self._copy, args=(one, other, way), daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket, way: str) -> None:
        frames = Frames()
        with suppress(OSError):
            while chunk := source.recv(65_536):
                self.bytes[way] += len(chunk)
                self.packets[way] += frames.count(chunk)
                sink.sendall(chunk)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class Frames:
    """How many MQTT packets end in a chunk (MQTT 3.1.1, 2.2.3: the remaining length)."""

    def __init__(self) -> None:
        self._held = b""
        self._left = 0

    def count(self, chunk: bytes) -> int:
        ended = 0
        data = self._held + chunk
        while data:
            if self._left:
                taken = min(self._left, len(data))
                self._left -= taken
                data = data[taken:]
                ended += self._left == 0
                continue
            length, size = 0, 1
            while size < len(data) and size <= 4:
                length |= (data[size] & 0x7F) << 7 * (size - 1)
                size += 1
                if not data[size - 1] & 0x80:
                    break
            else:
                break  # the head is not whole yet
            data = data[size:]
            self._left = length
            ended += length == 0
        self._held = data
        return ended


def say(device: Device, number: int, probe: int, at_ms: int | None = None) -> None:
    pack = [{"n": "temperature", "u": "Cel", "v": round(2 + number * 7 % 90 / 100, 2)}]
    if at_ms is not None:
        pack[0]["t"] = at_ms / 1000
    device.send(number, f"devices/cold-room-{probe:02}/readings", json.dumps(pack).encode())


def accepted(rate: int, seconds: float) -> None:
    """So many single readings a second, each acknowledged by the broker after its own sync."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), cut_every_s=1.0) as (
        rig, server, device,
    ):  # fmt: skip
        start(rig, server, device)
        before = {"gateway": written_bytes(rig.gateway.pid), "edge": written_bytes(rig.edge.pid)}
        cpu, had = cpu_s(rig.gateway.pid), len(server.stored)
        total = int(rate * seconds)
        behind = 0
        begun = time.monotonic()
        for number in range(total):
            pause_s = begun + number / rate - time.monotonic()
            if pause_s > 0:
                time.sleep(pause_s)
            say(device, 1_000 + number, number % SERIES)
            behind = max(behind, number - (len(server.stored) - had))
        sent_s = time.monotonic() - begun
        wait_until(lambda: len(server.stored) - had >= total, 60, "all of it at the server")
        late_s = time.monotonic() - begun - sent_s
        acked = len(device.acknowledged) >= total
        used = cpu_s(rig.gateway.pid) - cpu
        wrote = {
            "gateway": written_bytes(rig.gateway.pid) - before["gateway"],
            "edge": written_bytes(rig.edge.pid) - before["edge"],
        }
        resident, peak = resident_mb(rig.gateway.pid)
        edge_mb = resident_mb(rig.edge.pid)[0]
    kept = "all kept up" if total / sent_s > 0.98 * rate and late_s < 3 else "did not keep up"
    figure(
        f"gateway: {rate} readings/s offered one by one for {seconds:.0f} s, QoS 1",
        f"{total / sent_s:.0f}/s sent, {kept}: {'all' if acked else 'not all'} acknowledged, the"
        f" last at the server {late_s:.1f} s after it was sent; {used / sent_s:.0%} of a core",
        "500/s",
    )
    figure("gateway: resident memory under that load", f"{resident:.0f} MB, at most {peak:.0f} MB"
           f" (edge broker beside it: {edge_mb:.0f} MB)", "60 MB")  # fmt: skip
    figure("gateway: written to disk a reading under that load",
           f"{wrote['gateway'] / total:,.0f} B (edge broker: {wrote['edge'] / total:,.0f} B)", "1 kB")  # fmt: skip


def start(rig: Rig, server: Server, device: Device) -> None:
    rig.gateway.start()
    wait_until(device.connected.is_set, 20, "the device is let in")
    wait_until(lambda: rig.says_now(device, server), 20, "the gateway has caught up")


class Metered:
    """A gateway whose uplink is counted, in a folder of its own."""

    def __init__(self, folder: Path, cut_every_s: float) -> None:
        folder.mkdir()
        self.rig = Rig(folder, cut_every_s=cut_every_s)
        self.rig.start_brokers()
        self.link = Counting(self.rig.central_port)
        # The address is in the settings file; only this rig's gateway reads it.
        file = folder / "settings.json"
        file.write_text(
            file.read_text().replace(f':{self.rig.central_port}"', f':{self.link.port}"')
        )
        self.server = Server(self.rig.central_port)
        self.device = Device(self.rig.edge_port)
        self.rig.gateway.start()
        wait_until(self.device.connected.is_set, 20, "the device is let in")

    def stop(self) -> None:
        self.device.close()
        self.server.close()
        self.rig.stop()
        self.link.close()


def uplink(minutes: int) -> None:
    """Twenty series, a reading a minute each, spread over the minute; then the link is cut."""
    with tempfile.TemporaryDirectory() as folder:
        both = {every: Metered(Path(folder) / f"every{every}", every) for every in (1, 60)}
        time.sleep(2)
        wrote = {every: written_bytes(m.rig.gateway.pid) for every, m in both.items()}
        before = {
            every: (m.link.total(), sum(m.link.packets.values())) for every, m in both.items()
        }
        total = SERIES * minutes
        begun = time.monotonic()
        for number in range(total):
            time.sleep(max(0.0, begun + number * 60 / SERIES - time.monotonic()))
            for metered in both.values():
                say(metered.device, number, number % SERIES)
        time.sleep(max(0.0, begun + 60 * minutes + 3 - time.monotonic()))
        for every, metered in both.items():
            had = len(metered.server.stored)
            spent = metered.link.total() - before[every][0]
            packets = sum(metered.link.packets.values()) - before[every][1]
            figure(
                f"uplink live, {SERIES} series a minute, cut every {every} s, {minutes} min",
                f"{spent / max(had, 1):.0f} B a reading ({had} stored, {packets} packets, both ways,"
                f" TLS records computed: {TLS_RECORD * packets / max(had, 1):.0f} B of it)",
                "60 B",
            )
            disk = written_bytes(metered.rig.gateway.pid) - wrote[every]
            figure(f"gateway: written to disk a reading, {SERIES} a minute, cut every {every} s",
                   f"{disk / total:,.0f} B", "1 kB")  # fmt: skip
        backlog(both[1])
        for metered in both.values():
            metered.stop()


def backlog(metered: Metered) -> None:
    """Fifty hours of the same series while the link is down; then it drains."""
    wait_until(lambda: metered.server.has(1), 30, "the present is through")
    metered.link.drop()
    hours, had = 50, len(metered.server.stored)
    start_ms = now_ms() - (hours + 1) * 60 * MINUTE_MS
    number = 100_000
    for hour in range(hours):
        for probe in range(SERIES):
            pack = [
                {"n": "temperature", "u": "Cel", "v": round(2 + (i * 7 + probe) % 90 / 100, 2),
                 "t": (start_ms + (hour * 60 + i) * MINUTE_MS + probe * 3_000) / 1000}
                for i in range(60)
            ]  # fmt: skip
            metered.device.say(number, f"devices/cold-room-{probe:02}/readings", pack)
            number += 1
    wait_until(lambda: len(metered.device.acknowledged) >= hours * SERIES, 60, "acknowledged")
    wait_until(metered.rig.cut_everything, 90, "everything is cut")
    before = metered.link.total()
    metered.link.cut = False
    begun = time.monotonic()
    total = hours * SERIES * 60
    wait_until(lambda: len(metered.server.stored) - had >= total, 120, "the backlog is through")
    taken_s = time.monotonic() - begun
    spent = metered.link.total() - before
    figure(
        f"uplink in a backlog of {total:,} readings",
        f"{spent / total:.1f} B a reading, receipts and TLS records included"
        f" (drained in {taken_s:.0f} s, the wait for the link included)",
        "8 B",
    )


def main() -> None:
    options = argparse.ArgumentParser(description="A gateway's memory, disk and uplink.")
    options.add_argument("--seconds", type=float, default=20)
    options.add_argument("--minutes", type=int, default=3)
    chosen = options.parse_args()
    accepted(500, chosen.seconds)
    note("readings one by one, each its own MQTT message: the dearest way to send them")
    uplink(chosen.minutes)


if __name__ == "__main__":
    main()
