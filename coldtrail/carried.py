"""Batches that were carried by hand, handed to ingest the way the gateway would have.

They go to the central broker in the gateway's name, and count as delivered when the server's
receipt names them: the same checks, the same proof.
"""

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from coldtrail.settings import Installation
from wire import receipt_v1, topics
from wire.batch_v1 import BadBatch, Header, open_batch
from wire.carried_v1 import BadFile, read

WINDOW = 200  # batches without a receipt at a time
AGAIN_S = 10.0
PATIENCE_S = 60.0  # without a single new receipt


class Failed(Exception):
    """The text says what, and how much had been delivered by then."""


@dataclass(slots=True)
class Delivered:
    """``refused``: why the server will not take some, with how many."""

    gateway: str
    batches: int = 0
    refused: dict[str, int] = field(default_factory=dict)


Say = Callable[[int], None]  # batches delivered so far


def deliver(installation: Installation, path: Path, say: Say) -> Delivered:
    """Until everything in the file has a receipt. Once more changes nothing. ``Failed``."""
    with path.open("rb") as file:
        try:
            head, batches = read(file)
        except BadFile as error:
            raise Failed(f"{path}: {error.reason}") from error
        edge = next((e for e in installation.known_edges() if e.gateway.id == head.gateway), None)
        if edge is None:
            raise Failed(f"{path} is of the gateway {head.gateway!r}, which is not known here")
        key_file, password_file = (
            installation.keys / f"tag-{head.gateway}-{edge.gateway.kid}.key",
            installation.keys / f"uplink-{head.gateway}.password",
        )
        sender = _Sender(installation.broker_url, head.gateway, head.partition,
                         key_file.read_bytes(), password_file.read_text().strip())  # fmt: skip
        try:
            for payload in batches:
                sender.send(payload)
                say(sender.done.batches)
            sender.finish(say)
        except BadFile as error:
            sender.finish(say)
            raise Failed(
                f"{path}: {error.reason}; the {sender.done.batches} batches before that are"
                " delivered"
            ) from error
        finally:
            sender.close()
        return sender.done


class _Sender:
    def __init__(self, url: str, gateway: str, partition: int, key: bytes, password: str) -> None:
        self.done = Delivered(gateway)
        self._key = key
        self._topic = topics.batch(partition, gateway, "backlog")
        self._receipts = topics.receipt(partition, gateway)
        self._waiting: dict[tuple[str, int], bytes] = {}
        self._changed = threading.Condition()
        self._linked = False
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=f"coldtrail-import-{secrets.token_hex(4)}"
        )
        self._client.username_pw_set(f"gw-{gateway}", password)
        self._client.on_connect = self._on_connect
        self._client.on_message = self._on_message
        parts = urlsplit(url)
        if parts.scheme == "mqtts":
            self._client.tls_set()
        try:
            self._client.connect(parts.hostname or "127.0.0.1", parts.port or 1883)
        except OSError as error:
            raise Failed(f"the central broker at {url} is not there: is `up` running?") from error
        self._client.loop_start()

    def send(self, payload: bytes) -> None:
        """Waits while too much is without a receipt."""
        try:
            header, _ = open_batch(payload, lambda _gw, _kid: self._key)
        except BadBatch as error:
            self.done.refused[error.reason] = self.done.refused.get(error.reason, 0) + 1
            return
        self._wait(lambda: self._linked and len(self._waiting) < WINDOW)
        with self._changed:
            self._waiting[_name(header)] = payload
        self._client.publish(self._topic, payload, 1)

    def finish(self, say: Say) -> None:
        self._wait(lambda: not self._waiting)
        say(self.done.batches)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _wait(self, condition: Callable[[], bool]) -> None:
        """Sends again what stays without a receipt; gives up when nothing comes for long."""
        idle_s = 0.0
        while True:
            with self._changed:
                before = self.done.batches
                if self._changed.wait_for(condition, AGAIN_S):
                    return
                again = list(self._waiting.values())
                idle_s = idle_s + AGAIN_S if self.done.batches == before else 0.0
            if idle_s >= PATIENCE_S:
                raise Failed(
                    f"no receipt for a minute; {self.done.batches} batches are delivered,"
                    " the rest is still in the file: try again when ingest runs"
                )
            for payload in again:
                self._client.publish(self._topic, payload, 1)

    def _on_connect(
        self, client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any
    ) -> None:
        if not reason.is_failure:
            client.subscribe(self._receipts, 1)
            with self._changed:
                self._linked = True
                self._changed.notify_all()

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        try:
            receipt = receipt_v1.decode(bytes(message.payload), self._key)
        except receipt_v1.BadReceipt:
            return  # of another key, or another's words: no proof of anything
        refused = {(one.epoch, one.seq): one for one in receipt.refusals()}
        with self._changed:
            for name in list(self._waiting):
                epoch, seq = name
                through, ranges = receipt.epochs.get(epoch, (0, []))
                if seq <= through or any(low <= seq <= high for low, high in ranges):
                    self.done.batches += 1
                elif name in refused and refused[name].is_about(self._waiting[name]):
                    why = refused[name].reason
                    self.done.refused[why] = self.done.refused.get(why, 0) + 1
                else:
                    continue
                del self._waiting[name]
            self._changed.notify_all()


def _name(header: Header) -> tuple[str, int]:
    return header.epoch, header.seq
