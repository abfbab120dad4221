"""The edge broker's configuration, and the order in which a gateway takes charge of it.

What the NATS server needs so that an acknowledgement means "on disk", tried against 2.15.1:
``sync_interval: always``; an ``ack_wait`` of seconds, so that what a killed gateway held
comes again at once; and its message stream capped below ``max_file`` with ``discard: new``,
because a store that is full to the brim refuses the very consumer that could drain it.

Users stand in an included file. An include path counts from the folder of the configuration
that includes it, so both lie in one folder. The first file lets in the gateway alone;
devices are added once it has subscribed, because a message that arrives before the first
subscription is acknowledged and discarded.
"""

import json
import logging
import signal
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from disk.whole import PRIVATE, write_whole
from wire import broker_process

log = logging.getLogger(__name__)

STREAM = "$MQTT_msgs"
TIMEOUT_S = 5.0
SERVERS_OWN = ("$JS.>", "$MQTT.>", "$SYS.>", "$KV.>", "$O.>", "_INBOX.>", "devices.*.sentinel.>")


@dataclass(frozen=True, slots=True)
class User:
    """``hears``: topic filters that a device may subscribe to; a bridge needs its commands."""

    username: str
    password: str
    hears: tuple[str, ...] = ()


class Unavailable(Exception):
    """The broker did not answer, or refused; worth another try."""


class _Answer(msgspec.Struct, frozen=True):
    config: dict[str, Any] = {}  # handed back as it came, but for the cap
    error: dict[str, Any] | None = None


_answers = msgspec.json.Decoder(_Answer)


def config(
    *,
    server_name: str,
    mqtt_port: int,
    nats_port: int,
    store_dir: str,
    pid_file: str,
    users_include: str,
    host: str = "127.0.0.1",
    max_file_bytes: int = 512 << 20,
    max_ack_pending: int = 96,
) -> str:
    """The broker's configuration file. ``users_include`` is relative to its folder.

    ``max_ack_pending`` is a little more than the gateway's commit group. What is in flight
    longer than ``ack_wait`` is sent again: with 256 of a probe's packs of a day under way every
    reading of two weeks was stored twice at the gateway; with 2,000 the broker found the gateway
    slow after 10 s (its default) and cut the connection, again and again.
    """
    return f"""\
server_name: {_quoted(server_name)}
host: {_quoted(host)}
port: {nats_port}
pid_file: {_quoted(pid_file)}
max_payload: 8MB
write_deadline: "60s"
jetstream {{
  store_dir: {_quoted(store_dir)}
  max_mem: 16MB
  max_file: {max_file_bytes}
  sync_interval: always
}}
mqtt {{
  host: {_quoted(host)}
  port: {mqtt_port}
  ack_wait: "3s"
  max_ack_pending: {max_ack_pending}
}}
authorization {{
  include {_quoted(users_include)}
}}
"""


def users(gateway: User, api: User | None, devices: Sequence[User] = ()) -> str:
    """The included file of users. ``api`` is the gateway's own user for the stream's settings."""
    rows = [
        _user(
            gateway,
            'publish: ["devices.*.sentinel.>"], subscribe: [">"]',
        )
    ]
    if api is not None:
        asked = ", ".join(_quoted(f"$JS.API.STREAM.{verb}.{STREAM}") for verb in ("INFO", "UPDATE"))
        rows.append(_user(api, f'publish: [{asked}], subscribe: ["_INBOX.>"]'))
    # Any topic but the servers' own: a topic that is forbidden is acknowledged and discarded
    # (measured), one that no decoder knows is acknowledged and kept in quarantine.
    own = ", ".join(_quoted(subject) for subject in SERVERS_OWN)
    rows += [_user(d, f"publish: {{deny: [{own}]}}, subscribe: {_hears(d)}") for d in devices]
    return "users: [\n" + "".join(f"  {row}\n" for row in rows) + "]\n"


def cap_stream(host: str, port: int, api: User, max_bytes: int) -> None:
    """Cap the message stream so that it refuses new messages before the store is full.

    Raises ``Unavailable``; the stream exists as soon as one MQTT client has connected.
    """
    try:
        with socket.create_connection((host, port), TIMEOUT_S) as link, link.makefile("rb") as said:
            said.readline()  # INFO
            hello = {"verbose": False, "user": api.username, "pass": api.password}
            link.sendall(b"CONNECT " + json.dumps(hello).encode() + b"\r\nSUB _INBOX.ct 1\r\n")
            settings = dict(_ask(link, said, "INFO", b"").config)
            if settings["max_bytes"] == max_bytes and settings["discard"] == "new":
                return
            settings |= {"max_bytes": max_bytes, "discard": "new"}
            _ask(link, said, "UPDATE", json.dumps(settings).encode())
    except (OSError, ValueError, KeyError, msgspec.MsgspecError) as error:
        raise Unavailable(str(error)) from error


def keep_out(users_file: Path, store_dir: Path, gateway: User, api: User | None) -> None:
    """Before the broker starts: the gateway alone, unless the store holds its subscription.

    A broker with the users of an earlier run and an empty store acknowledges what devices
    send and discards it, until the gateway has come back (measured: 20 of 20 messages).
    """
    subscriptions = store_dir / "jetstream" / "$G" / "streams" / STREAM / "obs"
    if not users_file.exists() or not any(subscriptions.glob("*/meta.inf")):
        _write(users_file, users(gateway, api))


def let_in(
    users_file: Path, pid_file: Path, gateway: User, api: User | None, devices: Sequence[User]
) -> None:
    """Write the users file and have the broker read it; nobody is disconnected.

    Read again even when nothing was written: an earlier try may have ended in between.
    """
    try:
        wanted = users(gateway, api, devices)
        if not users_file.exists() or users_file.read_text() != wanted:
            _write(users_file, wanted)
        broker_process.tell(pid_file, signal.SIGHUP)
    except (OSError, ValueError) as error:  # a password that its configuration cannot hold
        raise Unavailable(f"the broker was not told of its new users: {error}") from error
    log.info("devices let in at the edge broker", extra={"users": len(devices)})


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text, mode=PRIVATE)


def _ask(link: socket.socket, said: BinaryIO, verb: str, body: bytes) -> _Answer:
    """One request to the stream's API and its answer, in NATS's text protocol."""
    subject = f"$JS.API.STREAM.{verb}.{STREAM}".encode()
    link.sendall(b"PUB %s _INBOX.ct %d\r\n%s\r\n" % (subject, len(body), body))
    while line := said.readline():
        word = line.split()
        match word[0].upper() if word else b"":
            case b"PING":
                link.sendall(b"PONG\r\n")
            case b"-ERR":
                raise Unavailable(line.decode(errors="replace").strip())
            case b"MSG":
                answer = _answers.decode(said.read(int(word[-1]) + 2))
                if answer.error is not None:
                    raise Unavailable(str(answer.error))
                return answer
            case _:
                continue
    raise Unavailable("the broker closed the connection")


def _hears(device: User) -> str:
    """Nothing, unless named: who subscribes with a session and never comes back holds every
    message in the broker's store, until it is full for all."""
    subjects: list[str] = []
    for filter_ in device.hears:
        subject = filter_.replace("/", ".").replace("+", "*").replace("#", ">")
        subjects += [subject, subject.removesuffix(".>")] if subject.endswith(".>") else [subject]
    allowed = ", ".join(_quoted(subject) for subject in subjects)
    return f"{{allow: [{allowed}]}}" if allowed else '{deny: [">"]}'


def _user(user: User, permissions: str) -> str:
    name, password = _quoted(user.username), _quoted(user.password)
    return f"{{user: {name}, password: {password}, permissions: {{{permissions}}}}}"


def _quoted(text: str) -> str:
    """A string in the broker's configuration language. JSON's escapes are understood there."""
    if any(ord(c) < 32 for c in text):
        raise ValueError("control characters cannot stand in the broker's configuration")
    return json.dumps(text, ensure_ascii=False)
