"""A seeded week of five rooms, and a stranger's MQTT client that sends it until acknowledged.

The readings are made here and counted here: what the system says of itself is compared
with this, never with its own words.
"""

import json
import random
import secrets
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from tests.support.system import System

ROOMS: dict[str, tuple[str, list[str], float, float]] = {
    # room: profile, commodities, usual temperature, height of a warm spell
    "sb1": ("SB", ["strawberry"], 2.0, 7.0),
    "fz1": ("FZ", [], -19.0, 9.0),
    "ft1": ("FT", [], -19.0, 9.0),
    "mt1": ("MT", [], 2.0, 7.0),
    "cu1": ("CU", ["cucumber"], 11.5, 6.0),
}
INTERVAL_S = 300


@dataclass(frozen=True, slots=True)
class Sent:
    """One distinct reading, as its device stamped it."""

    device: str
    quantity: str
    at_ms: int
    value: float


def week(seed: int, start_ms: int, days: float) -> list[Sent]:
    """Five rooms with warm and cold spells, doors, defrosts, power dips, gaps and spikes."""
    rng = random.Random(seed)  # noqa: S311 - reproducible, not secret
    out: list[Sent] = []
    steps = int(days * 86_400 / INTERVAL_S)
    for room, (_, _, usual, height) in ROOMS.items():
        device = f"dev-{room}"
        spell = 0.0
        left = 0
        gap = 0
        for i in range(steps):
            at_ms = start_ms + i * INTERVAL_S * 1000
            if left == 0:
                spell = 0.0
                if rng.random() < 0.02:
                    left = rng.randint(2, 30)
                    spell = rng.choice([-0.5, 0.4, 1.0]) * height
            else:
                left -= 1
            if gap:
                gap -= 1
                continue
            if rng.random() < 0.004:
                gap = rng.randint(2, 16)
            value = round(usual + spell + rng.uniform(-0.4, 0.4), 2)
            if rng.random() < 0.002:
                value = 85.0
            out.append(Sent(device, "temperature", at_ms, value))
            if rng.random() < 0.01:
                out.append(Sent(device, "door", at_ms + 7_000, 1))
                out.append(Sent(device, "door", at_ms + 7_000 + rng.randint(1, 50) * 60_000, 0))
            if room == "fz1" and rng.random() < 0.02:
                out.append(Sent(device, "defrost", at_ms + 11_000, 1))
                out.append(Sent(device, "defrost", at_ms + rng.randint(10, 70) * 60_000, 0))
            if rng.random() < 0.003:
                out.append(Sent(device, "mains", at_ms + 13_000, 0))
                out.append(Sent(device, "mains", at_ms + rng.randint(1, 90) * 60_000, 1))
    first: dict[tuple[str, str, int], Sent] = {}
    for one in out:
        first.setdefault((one.device, one.quantity, one.at_ms), one)
    return list(first.values())


def packs(readings: Sequence[Sent], seed: int, size: int = 8) -> list[tuple[str, bytes]]:
    """SenML packs per device: shuffled a little, one in ten sent twice."""
    rng = random.Random(seed)  # noqa: S311 - reproducible, not secret
    by_device: dict[str, list[Sent]] = {}
    for one in sorted(readings, key=lambda r: r.at_ms):
        by_device.setdefault(one.device, []).append(one)
    out: list[tuple[int, str, bytes]] = []
    for device, rows in by_device.items():
        for i in range(0, len(rows), size):
            part = rows[i : i + size]
            rng.shuffle(part)
            body = [{"n": r.quantity, "v": r.value, "t": r.at_ms / 1000} for r in part]
            message = (f"devices/{device}/readings", json.dumps(body).encode())
            place = part[0].at_ms + rng.randint(0, 6 * 3_600_000)
            out.append((place, *message))
            if rng.random() < 0.1:
                out.append((place + rng.randint(0, 12 * 3_600_000), *message))
    return [(topic, body) for _, topic, body in sorted(out)]


class Publisher:
    """QoS 1 with a persistent session: each pack is offered until it is acknowledged."""

    def __init__(self, host: str, port: int, username: str, password: str) -> None:
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"stranger-{secrets.token_hex(4)}",
            clean_session=False,
        )
        self._client.username_pw_set(username, password)
        self._client.max_inflight_messages_set(20)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_publish = self._acknowledged
        self._acked = threading.Condition()
        self.acked = 0
        self.offered = 0
        self._client.connect_async(host, port, keepalive=10)
        self._client.loop_start()

    def _acknowledged(self, *_: object) -> None:
        with self._acked:
            self.acked += 1
            self._acked.notify_all()

    @classmethod
    def of(cls, system: System) -> Self:
        """As the installer of a system's first gateway."""
        edge = system.status()["edge"]
        url = urlsplit(edge["url"])
        password = (system.data / edge["password_file"]).read_text().strip()
        return cls(url.hostname or "", url.port or 0, edge["username"], password)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def offer(self, messages: Iterator[tuple[str, bytes]]) -> None:
        for topic, body in messages:
            self._client.publish(topic, body, qos=1)
            self.offered += 1

    def wait_acked(self, count: int, timeout_s: float) -> None:
        with self._acked:
            done = self._acked.wait_for(lambda: self.acked >= count, timeout_s)
        if not done:
            raise AssertionError(f"{self.acked} of {count} packs acknowledged in {timeout_s} s")
