"""The far end of the wire: publishes batches, keeps what it hears from the server."""

import threading
from collections.abc import Iterable
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from tests.support.batches import KEY
from tests.support.servers import wait_until
from wire import hello_v1, receipt_v1, topics


class PretendGateway:
    """Sends again whatever no receipt names, when told to: at least once, as a real one does."""

    def __init__(self, url: str, id_: str = "g1", partition: int = 7) -> None:
        self.receipt: receipt_v1.Receipt | None = None
        self._said: mqtt.MQTTMessageInfo | None = None
        self.hellos: list[hello_v1.Hello] = []
        self._topics = topics.batch(partition, id_, "live"), topics.batch(partition, id_, "backlog")
        self._status = topics.status(partition, id_)
        self._listens = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"{id_}-uplink")
        self._client.max_inflight_messages_set(200)
        self._client.on_connect = self._connected
        self._client.on_subscribe = self._subscribed
        self._client.on_message = self._heard
        self._filters = [(topics.receipt(partition, id_), 1), (topics.HELLO, 1)]
        parts = urlsplit(url)
        self._client.reconnect_delay_set(1, 1)
        self._client.connect(parts.hostname or "", parts.port or 0)

    def __enter__(self) -> Self:
        self._client.loop_start()
        wait_until(self._listens.is_set, 20, "the gateway is subscribed")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def live(self, payloads: Iterable[bytes]) -> None:
        for payload in payloads:
            self._client.publish(self._topics[0], payload, qos=1)

    def backlog(self, payloads: Iterable[bytes]) -> None:
        for payload in payloads:
            self._client.publish(self._topics[1], payload, qos=1)

    def publish(self, topic: str, payload: bytes) -> None:
        self._client.publish(topic, payload, qos=1)

    def status(self, payload: bytes) -> None:
        self._said = self._client.publish(self._status, payload, qos=1, retain=True)

    def settled(self) -> None:
        """The broker has the last status."""
        wait_until(lambda: self._said is not None and self._said.is_published(), 20, "it is there")

    def through(self, epoch: str) -> int:
        """Up to which seq the last receipt names everything."""
        receipt = self.receipt
        return receipt.epochs[epoch][0] if receipt and epoch in receipt.epochs else 0

    def _connected(
        self,
        client: mqtt.Client,
        _userdata: object,
        _flags: mqtt.ConnectFlags,
        _reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        client.subscribe(self._filters)

    def _subscribed(self, *_: object) -> None:
        self._listens.set()

    def _heard(self, _client: mqtt.Client, _userdata: object, message: mqtt.MQTTMessage) -> None:
        payload = bytes(message.payload)
        if message.topic == topics.HELLO:
            self.hellos.append(hello_v1.decode(payload))
        else:
            self.receipt = receipt_v1.decode(payload, KEY)
