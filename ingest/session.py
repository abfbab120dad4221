"""One clean MQTT session that acknowledges by hand.

What was not acknowledged when the connection ends is forgotten by the broker; the gateway
sends it again when it hears the server's hello. An acknowledgement is only sent on the
connection that brought the message, because message ids start anew on the next one.

A broker whose store has failed lets a session in, takes its messages and acknowledges none;
``deaf_for`` counts the connections on which it was so.
"""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from ingest.inbox import Inbox, Lane, Message

log = logging.getLogger(__name__)

KEEPALIVE_S = 30
LONGEST_PAUSE_S = 5  # between two tries to connect


class Session:
    """``filters`` maps a topic filter to its lane. ``on_ready`` is called, on paho's thread,
    each time the subscriptions of a new connection stand."""

    def __init__(
        self,
        name: str,
        filters: Mapping[str, Lane],
        inbox: Inbox,
        on_ready: Callable[[], None],
    ) -> None:
        self.ready = False
        self.deaf_for = 0  # connections in a row
        self._said = self._heard = False  # on this connection, something was
        self._name = name
        self._filters = filters
        self._inbox = inbox
        self._on_ready = on_ready
        self._connection = 0
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=name, clean_session=True, manual_ack=True
        )
        self._client.on_connect = self._connected
        self._client.on_disconnect = self._disconnected
        self._client.on_subscribe = self._subscribed
        self._client.on_publish = self._published
        for filter_, lane in filters.items():
            self._client.message_callback_add(filter_, partial(self._received, lane))

    def start(self, url: str, username: str, password: str) -> None:
        """Connects in the background, for ever again."""
        parts = urlsplit(url)
        tls = parts.scheme == "mqtts"
        if tls:
            self._client.tls_set()
        if username:
            self._client.username_pw_set(username, password)
        self._client.reconnect_delay_set(1, LONGEST_PAUSE_S)
        port = parts.port or (8883 if tls else 1883)
        self._client.connect_async(parts.hostname or "127.0.0.1", port, KEEPALIVE_S)
        self._client.loop_start()

    def publish(self, topic: str, payload: bytes, retain: bool) -> None:
        """At least once while connected; across a lost connection the caller says it again."""
        self._said = True
        self._client.publish(topic, payload, qos=1, retain=retain)

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _connected(
        self,
        client: mqtt.Client,
        _userdata: object,
        _flags: mqtt.ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            log.error("broker refused us", extra={"session": self._name, "reason": str(reason)})
            return
        self._connection += 1
        self._said = self._heard = False
        client.subscribe([(filter_, 1) for filter_ in self._filters])

    def _disconnected(
        self,
        _client: mqtt.Client,
        _userdata: object,
        _flags: mqtt.DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self.ready = False
        if self._said and not self._heard:
            self.deaf_for += 1
        self._said = False
        if reason.is_failure:
            log.warning("broker lost", extra={"session": self._name, "reason": str(reason)})

    def _subscribed(
        self,
        _client: mqtt.Client,
        _userdata: object,
        _mid: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            log.error("subscription refused", extra={"session": self._name})
            return
        self.ready = True
        log.info("subscribed", extra={"session": self._name})
        self._on_ready()

    def _published(
        self,
        _client: mqtt.Client,
        _userdata: object,
        _mid: int,
        _reason: ReasonCode,
        _properties: Properties,
    ) -> None:
        self._heard = True
        self.deaf_for = 0

    def _received(
        self, lane: Lane, client: mqtt.Client, _userdata: object, message: mqtt.MQTTMessage
    ) -> None:
        connection, mid, qos = self._connection, message.mid, message.qos

        def acknowledge() -> None:
            if qos and connection == self._connection:
                client.ack(mid, qos)

        self._inbox.put(
            lane, Message(message.topic, bytes(message.payload), acknowledge, message.retain)
        )
