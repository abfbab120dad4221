"""A gateway between two real brokers, with a server's side that a test can play."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import apsw
import msgspec
import paho.mqtt.client as mqtt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from paho.mqtt.enums import CallbackAPIVersion

from domain.ranges import Ranges
from gateway.edge_broker import User, config, users
from gateway.settings import DeviceUser, Settings
from tests.support.servers import free_port, require, wait_until
from wire import events_v1, hello_v1, receipt_v1, status_v1, tombstone_v1, topics
from wire.batch_v1 import Header, digest, open_batch, unpack_readings

ROOT = Path(__file__).parents[3]
KEY = bytes(range(32))
SIGNING = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))  # the server's
Key = tuple[str, str, int]  # probe, quantity, measured_at_ms


def answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
        return True
    return False


class Process:
    """A program with its output in a file. Only ever ends what it started itself."""

    def __init__(self, command: list[str], log: Path) -> None:
        self._command = command
        self._log = log
        self._running: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._running is not None
        return self._running.pid

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._running = subprocess.Popen(self._command, stdout=log, stderr=log, cwd=ROOT)

    def kill(self) -> None:
        assert self._running is not None
        self._running.kill()
        self._running.wait()

    def stop(self) -> int:
        """Ask it to end; its exit status."""
        if self._running is None:
            return 0
        self._running.send_signal(signal.SIGTERM)
        try:
            return self._running.wait(15)
        except subprocess.TimeoutExpired:
            self.kill()
            return -9

    @property
    def ended(self) -> bool:
        return self._running is not None and self._running.poll() is not None

    def peak_kb(self) -> int:
        """The most memory that was ever resident."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        [peak] = [int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line]
        return peak

    def log(self) -> str:
        return self._log.read_text(errors="replace")


class Server:
    """Stands where ingest stands: stores what it is sent, and answers with receipts."""

    def __init__(self, port: int, *, store: str = "store-1", key: bytes = KEY) -> None:
        self.store = store
        self.deaf = False  # a server that is down: takes nothing, says nothing
        self.unheard = 0  # batches that came while it was deaf
        self.refuse: set[int] = set()  # seqs
        self.damage: set[int] = set()  # seqs whose bytes do not come whole, the first time
        self.stored: dict[Key, tuple[int, int]] = {}
        self.headers: list[tuple[Header, str]] = []
        self.payloads: list[bytes] = []
        self.statuses: list[status_v1.Status] = []
        self.events: list[events_v1.Event] = []
        self._key = key
        self._epochs: dict[str, Ranges] = {}
        self._stones: dict[tuple[str, int], tombstone_v1.Tombstone] = {}
        self._refused: dict[tuple[str, int], tuple[str, str]] = {}
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="server")
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    @property
    def given_up(self) -> int:
        """Readings that tombstones name, those included that came all the same."""
        return sum(stone.readings for stone in self._stones.values())

    def unnamed_holes(self) -> int:
        """Batches before the newest of an epoch that are neither here nor named by a tombstone."""
        named = {
            (stone.epoch, seq)
            for stone in list(self._stones.values())
            for seq in range(stone.first, stone.last + 1)
        }
        return sum(
            seq not in held and (epoch, seq) not in named
            for epoch, held in list(self._epochs.items())
            for seq in range(1, held.highest)
        )

    def has(self, readings: int) -> bool:
        return len(self.stored) >= readings

    def hello(self) -> None:
        self._client.publish(topics.HELLO, hello_v1.encode(hello_v1.Hello(self.store, 0)), 1)

    def lie(self, store: str, epoch: str, through: int, key: bytes | None) -> None:
        """A receipt that should not count."""
        said = receipt_v1.Receipt(store, 9, {epoch: (through, [])})
        self._say(said, key or self._key)

    def configure(self, payload: bytes) -> None:
        self._client.publish(topics.config(7, "gw-1"), payload, 1, retain=True)

    def _say(self, receipt: receipt_v1.Receipt, key: bytes) -> None:
        topic = topics.receipt(7, "gw-1")
        self._client.publish(topic, receipt_v1.encode(receipt, key), 1, retain=True)

    def receipt(self) -> receipt_v1.Receipt:
        epochs = {}
        for name, ranges in self._epochs.items():
            held = list(ranges)
            through = held[0][1] if held and held[0][0] == 1 else 0
            epochs[name] = (through, [r for r in held if r[0] > through])
        refused = [(*name, reason) for name, (reason, _) in self._refused.items()]
        digests = [digest for _, digest in self._refused.values()]
        return receipt_v1.Receipt(self.store, len(self.stored), epochs, refused, digests=digests)

    def seen(self, seq: int) -> bool:
        """Stored or refused, of whatever epoch."""
        refused = [name[1] for name in list(self._refused)]
        return seq in refused or any(seq in held for held in list(self._epochs.values()))

    def _on_connect(
        self, client: mqtt.Client, _data: Any, _flags: Any, _reason: Any, _properties: Any
    ) -> None:
        client.subscribe(
            [(topics.BATCHES("live"), 1), (topics.BATCHES("backlog"), 1), (topics.STATUSES, 1)]
        )

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        named = topics.parse(message.topic)
        assert named is not None
        if named.kind == "status":
            self.statuses.append(status_v1.decode(bytes(message.payload)))
            return
        if self.deaf:
            self.unheard += 1
            return
        payload = bytes(message.payload)
        header, body = open_batch(payload, lambda _gw, _kid: self._key)
        if header.seq in self.refuse | self.damage:
            whole = header.seq in self.refuse
            self.damage.discard(header.seq)
            came = payload if whole else payload[:-1] + bytes([payload[-1] ^ 1])
            reason = "known name with other bytes" if whole else "wrong tag"
            self._refused[header.epoch, header.seq] = (reason, receipt_v1.digest_of(came))
            self._say(self.receipt(), self._key)
            return
        self._refused.pop((header.epoch, header.seq), None)
        if header.kind == "tombstone":
            self._stones[header.epoch, header.seq] = tombstone_v1.decode(body)
        elif header.kind == "event":
            self.events += events_v1.decode(body)
        else:
            for series, columns in unpack_readings(body):
                for at_ms, count, quality in columns:
                    self.stored[(series.probe, series.quantity, at_ms)] = (count, quality)
        self.headers.append((header, named.lane or ""))
        self.payloads.append(payload)
        self._epochs.setdefault(header.epoch, Ranges()).add(header.seq, header.seq)
        self._say(self.receipt(), self._key)


class Device:
    """Publishes as a sensor would, QoS 1; ``acknowledged`` is what it may forget. At most 65,535
    messages, because paho then uses its numbers again."""

    def __init__(self, port: int, password: str = "device", *, username: str = "device") -> None:  # noqa: S107  # of a test
        self._numbers: dict[int, int] = {}
        self._mids: list[int] = []
        self.connected = threading.Event()
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=f"device-{os.urandom(4).hex()}"
        )
        self._client.username_pw_set(username, password)
        self._client.on_connect = self._on_connect
        self._client.on_publish = self._on_publish
        self._client.reconnect_delay_set(0.1, 0.5)  # type: ignore[arg-type]  # floats are fine
        self._client.connect_async("127.0.0.1", port)
        self._client.loop_start()

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    @property
    def acknowledged(self) -> set[int]:
        return {self._numbers[mid] for mid in list(self._mids) if mid in self._numbers}

    def send(self, number: int, topic: str, payload: bytes, *, retain: bool = False) -> None:
        # No lock of ours around paho's: its callbacks come with its own held.
        self._numbers[self._client.publish(topic, payload, 1, retain).mid] = number

    def say(self, number: int, topic: str, content: object, *, retain: bool = False) -> None:
        self.send(number, topic, json.dumps(content).encode(), retain=retain)

    def _on_connect(
        self, _client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any
    ) -> None:
        if not reason.is_failure:
            self.connected.set()

    def _on_publish(
        self, _client: mqtt.Client, _data: Any, mid: int, _reason: Any, _properties: Any
    ) -> None:
        self._mids.append(mid)


class Rig:
    """Everything on free ports under one folder."""

    def __init__(self, folder: Path, *, edge: str = "nats-server", **settings: Any) -> None:
        below, mosquitto = require(edge), require("mosquitto")
        self.folder = folder
        self.edge_port, self.nats_port, self.central_port = free_port(), free_port(), free_port()
        for name in ("gateway", "api", "device", "uplink"):
            (folder / f"{name}.password").write_text(name)
        (folder / "tag.key").write_bytes(KEY)
        (folder / "server.pub").write_bytes(
            SIGNING.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        )
        if edge == "nats-server":
            self._edge_config(folder)
        else:
            (folder / "edge.conf").write_text(
                f"listener {self.edge_port} 127.0.0.1\nallow_anonymous true\n"
                f"persistence true\npersistence_location {folder}/\nmax_queued_messages 0\n"
            )
            settings |= {"edge_nats_url": "", "edge_users_file": ""}
        (folder / "central.conf").write_text(
            f"listener {self.central_port} 127.0.0.1\nallow_anonymous true\n"
            "persistence false\nset_tcp_nodelay true\n"
        )
        self.settings = Settings(
            **{
                "id": "gw-1",
                "partition": 7,
                "edge_url": f"mqtt://127.0.0.1:{self.edge_port}",
                "edge_username": "gateway",
                "edge_password_file": str(folder / "gateway.password"),
                "uplink_url": f"mqtt://127.0.0.1:{self.central_port}",
                "uplink_username": "gw-1",
                "uplink_password_file": str(folder / "uplink.password"),
                "tag_key_file": str(folder / "tag.key"),
                "kid": "k1",
                "key_file": str(folder / "keys" / "gateway.pem"),
                "outbox_path": str(folder / "outbox.db"),
                "store_id_file": str(folder / "store-id"),
                "server_key_file": str(folder / "server.pub"),
                "config_file": str(folder / "config.json"),
                "alarms_file": str(folder / "alarms.json"),
                "edge_users_file": str(folder / "users.conf"),
                "edge_broker_pid_file": str(folder / "edge.pid"),
                "edge_nats_url": f"nats://127.0.0.1:{self.nats_port}",
                "edge_nats_username": "api",
                "edge_nats_password_file": str(folder / "api.password"),
                "device_users": [DeviceUser("device", str(folder / "device.password"))],
                "clock_trust": "host",
                "cut_every_s": 0.2,
                "disk_reserve_bytes": 0,
                "edge_stream_bytes": 64 << 20,
                **settings,
            }
        )
        (folder / "settings.json").write_bytes(msgspec.json.encode(self.settings))
        self.edge = Process([str(below), "-c", str(folder / "edge.conf")], folder / "edge.log")
        self.central = Process(
            [str(mosquitto), "-c", str(folder / "central.conf")], folder / "central.log"
        )
        self.gateway = self._gateway("gateway")

    def another_gateway(self) -> Process:
        """With the same settings, not started."""
        return self._gateway("another")

    def says_now(self, device: Device, server: Server) -> bool:
        """True once an untimed message is stored without a mark against its time."""
        device.say(99, "devices/now/readings", {"temperature": 4.0})
        return any(
            probe.endswith(":now") and quality == 0
            for (probe, _, _), (_, quality) in list(server.stored.items())
        )

    def cut_everything(self) -> bool:
        """True once the outbox holds readings in batches alone."""
        path = self.folder / "outbox.db"
        db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            [(incoming,)] = db.execute("SELECT count(*) FROM incoming")
            [(batches,)] = db.execute("SELECT count(*) FROM batch")
        finally:
            db.close()
        return not incoming and bool(batches)

    def undated(self) -> int:
        """Readings in the outbox that have no instant yet."""
        db = apsw.Connection(str(self.folder / "outbox.db"), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            bodies: list[tuple[bytes]] = db.execute("SELECT body FROM undated").fetchall()  # type: ignore[assignment]  # its column
        finally:
            db.close()
        return sum(len(columns) for (body,) in bodies for _, columns in unpack_readings(body))

    def gateway_under(self, *before: str) -> None:
        """The gateway, not started yet, as another command's child."""
        self.gateway = self._gateway("gateway", *before)

    def change(self, **settings: Any) -> None:
        """From the gateway's next start on."""
        self.settings = msgspec.structs.replace(self.settings, **settings)
        (self.folder / "settings.json").write_bytes(msgspec.json.encode(self.settings))

    def _gateway(self, name: str, *before: str) -> Process:
        module, settings = "tests.integration.gateway.process", self.folder / "settings.json"
        command = [*before, sys.executable, "-m", module, str(settings)]
        return Process(command, self.folder / f"{name}.log")

    def _edge_config(self, folder: Path) -> None:
        (folder / "edge.conf").write_text(
            config(
                server_name="edge",
                mqtt_port=self.edge_port,
                nats_port=self.nats_port,
                store_dir=str(folder / "edge-store"),
                pid_file=str(folder / "edge.pid"),
                users_include="users.conf",
            )
        )
        (folder / "users.conf").write_text(users(User("gateway", "gateway"), User("api", "api")))

    def start_brokers(self) -> None:
        self.edge.start()
        self.central.start()
        wait_until(lambda: answers(self.edge_port), 20, "the edge broker listens")
        wait_until(lambda: answers(self.central_port), 20, "the central broker listens")

    def stop(self) -> None:
        for process in (self.gateway, self.edge, self.central):
            process.stop()


@contextmanager
def running(folder: Path, **settings: Any) -> Iterator[tuple[Rig, Server, Device]]:
    """Brokers, server and one device; the test starts the gateway."""
    rig = Rig(folder, **settings)
    rig.start_brokers()
    server = Server(rig.central_port)
    device = Device(rig.edge_port)
    try:
        yield rig, server, device
    finally:
        device.close()
        server.close()
        rig.stop()


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def stream_settings(rig: Rig) -> dict[str, Any]:
    """Of the edge broker's message stream, as its API tells them."""
    subject = "$JS.API.STREAM.INFO.$MQTT_msgs"
    with (
        socket.create_connection(("127.0.0.1", rig.nats_port), 5) as link,
        link.makefile("rb") as said,
    ):
        said.readline()
        link.sendall(b'CONNECT {"verbose":false,"user":"api","pass":"api"}\r\nSUB _INBOX.t 1\r\n')
        link.sendall(f"PUB {subject} _INBOX.t 0\r\n\r\n".encode())
        said.readline()
        settings: dict[str, Any] = json.loads(said.readline())["config"]
        return settings


__all__ = ["Server", "digest", "now_ms", "running", "stream_settings"]
