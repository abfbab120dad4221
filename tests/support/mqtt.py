"""A stranger's MQTT client: connects, listens, speaks, and counts."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from tests.support.servers import wait_until


@dataclass
class Stranger:
    client: mqtt.Client
    answers: list[bool] = field(default_factory=list)  # to the connection: let in or not
    granted: list[bool] = field(default_factory=list)  # to each subscription
    heard: list[tuple[str, bytes]] = field(default_factory=list)

    def subscribe(self, topic: str) -> bool:
        """Whether the broker granted it."""
        before = len(self.granted)
        self.client.subscribe(topic, 1)
        wait_until(lambda: len(self.granted) > before, 20, f"an answer for {topic}")
        return self.granted[-1]

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Returns when the broker has acknowledged it."""
        self.client.publish(topic, payload, 1, retain).wait_for_publish(5)


@contextmanager
def stranger(port: int, user: str, password: str, client_id: str = "") -> Iterator[Stranger]:
    """``ConnectionRefusedError`` when nobody listens, ``PermissionError`` when not let in."""
    one = Stranger(mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id))
    client = one.client

    def on_connect(_c: mqtt.Client, _u: Any, _f: Any, code: Any, _p: Any) -> None:
        one.answers.append(not code.is_failure)

    def on_subscribe(_c: mqtt.Client, _u: Any, _mid: int, codes: Any, _p: Any) -> None:
        one.granted += [not code.is_failure for code in codes]

    def on_message(_c: mqtt.Client, _u: Any, message: mqtt.MQTTMessage) -> None:
        one.heard.append((message.topic, bytes(message.payload)))

    client.on_connect, client.on_subscribe, client.on_message = on_connect, on_subscribe, on_message
    client.username_pw_set(user, password)
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        wait_until(lambda: one.answers, 20, "the broker answers")
        if not one.answers[0]:
            raise PermissionError(user)
        yield one
    finally:
        client.disconnect()
        client.loop_stop()
