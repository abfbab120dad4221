"""A new folder: settings, keys, credentials, and the first site to give probes to.

Nothing is overwritten: a folder that has settings is refused. Secrets are files of mode 0600
in folders of mode 0700.
"""

import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from coldtrail import mosquitto, settings
from coldtrail.settings import DEFAULT_PORT_BASE, FILE, Edge, Installation
from domain.reading import RoomId, SiteId
from store.records import open_records
from store.records.ports import Region, Room, Site
from wire.topics import PARTITIONS


class Taken(Exception):
    """The folder has settings already."""


@dataclass(frozen=True, slots=True)
class NewGateway:
    """``cut_every_s``: how often readings are cut into a batch; longer on metered links.
    ``uplink_url``: the central broker as this gateway reaches it, when not directly."""

    id: str
    cut_every_s: float = 1.0
    uplink_url: str = ""


FIRST = NewGateway("gw1")


def init_data(
    folder: Path,
    *,
    port_base: int = DEFAULT_PORT_BASE,
    gateways: Sequence[NewGateway] = (FIRST,),
    more_toml: str = "",
) -> Installation:
    """The folder with settings, keys and credentials, and no records. ``more_toml``: further
    tables of ``coldtrail.toml``, as text. ``Taken``, or ``settings.Wrong`` for impossible text."""
    path = folder / FILE
    if path.exists():
        raise Taken(f"{path} exists already")
    folder.mkdir(parents=True, exist_ok=True)
    text = _toml(port_base, gateways) + (f"\n{more_toml.strip()}\n" if more_toml else "")
    with path.open("x") as file:
        file.write(text)
    try:
        installation = settings.load(folder)
    except settings.Wrong:
        path.unlink()
        raise
    for name in ("pids", "logs"):
        (installation.folder / name).mkdir(exist_ok=True)
    _private(installation.server)
    _private(installation.keys)
    for name in ("ingest.password", "admin.token"):
        _secret(installation.keys / name, secrets.token_urlsafe(24))
    _secret(installation.keys / "session.key", secrets.token_hex(32))
    _secret(installation.keys / "sms.password", secrets.token_hex(4))  # SMPP takes 8 characters
    _signing_key(installation)
    for edge in installation.edges():
        edge_keys(installation, edge)
    mosquitto.write_files(installation)
    return installation


def first_site(installation: Installation, now_ms: int) -> None:
    """One region, one site on the first gateway, one cold room: a place for the first probe.

    The room has no rule yet: what is kept in it is for its people to say.
    """
    gateway = installation.file.gateway[0].id
    records = open_records(installation.server / "records.db")
    by = "init"
    try:
        records.put_region(Region("county", None, "county", "本县", "County"), by=by, now_ms=now_ms)
        records.put_site(
            Site(SiteId("site1"), "county", "village-point", "第一站点", "First site", gateway),
            by=by,
            now_ms=now_ms,
        )
        records.put_room(
            Room(RoomId("room1"), SiteId("site1"), "chilled", "一号冷库", "Cold room 1"),
            by=by,
            now_ms=now_ms,
        )
    finally:
        records.close()


def partition(gateway: str) -> int:
    """The share of the load that a gateway belongs to, from its name."""
    return blake2b(gateway.encode(), digest_size=8).digest()[0] % PARTITIONS


def edge_keys(installation: Installation, edge: Edge) -> None:
    """Made on both sides at once, because both are this machine. What is there already stays,
    and of a pair the other half is made like it."""
    _private(edge.home)
    _private(edge.keys)
    *passwords, uplink, tag = edge.needs
    for path in passwords:
        if not path.exists():
            _secret(path, secrets.token_urlsafe(18))
    server_uplink, server_tag = installation.server_needs(edge)
    _pair(uplink, server_uplink, f"{secrets.token_urlsafe(24)}\n".encode())
    _pair(tag, server_tag, secrets.token_bytes(32))
    pin_server_key(installation, edge)


def pin_server_key(installation: Installation, edge: Edge) -> None:
    """The gateway believes this server's configs from now on; what it has pinned stays."""
    public = installation.keys / "signing.pub"
    if edge.keys.exists() and public.exists() and not edge.server_key.exists():
        _file(edge.server_key, public.read_bytes())


def _pair(one: Path, other: Path, fresh: bytes) -> None:
    raw = next((path.read_bytes() for path in (one, other) if path.exists()), fresh)
    for path in (one, other):
        if not path.exists():
            _file(path, raw)


def _signing_key(installation: Installation) -> None:
    key = Ed25519PrivateKey.generate()
    _file(
        installation.keys / "signing.key",
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    _file(installation.keys / "signing.pub", public)


def _private(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)


def _secret(path: Path, text: str) -> None:
    _file(path, f"{text}\n".encode())


def _file(path: Path, raw: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())


def _toml(port_base: int, gateways: Sequence[NewGateway]) -> str:
    tables = "".join(gateway_toml(gateway, i == 0) for i, gateway in enumerate(gateways))
    return HEAD.format(port_base=port_base) + tables


def gateway_toml(gateway: NewGateway, first: bool, at: int | None = None) -> str:
    """Its table. ``at``: a partition of one's own choice."""
    comments: Mapping[str, str] = GATEWAY_COMMENTS if first else {}
    rows = {
        "id": f'"{gateway.id}"',
        "partition": str(partition(gateway.id) if at is None else at),
        "clock_trust": '"host"',
        "alarm_command": "",
        "sms_folder": "",
        "uplink_url": f'"{gateway.uplink_url}"' if gateway.uplink_url else "",
        "cut_every_s": f"{gateway.cut_every_s:g}" if gateway.cut_every_s != 1 else "",
    }
    lines = []
    for key, value in rows.items():
        lines += [f"# {line}" for line in comments.get(key, "").splitlines()]
        if value:
            lines.append(f"{key} = {value}")
    return "\n[[gateway]]\n" + "\n".join(lines) + "\n"


GATEWAY_COMMENTS = {
    "id": "The first gateway's role is `gateway`; further ones are `gateway-{id}`.",
    "partition": "0 ... 63, part of its topics. Keep it: the server knows the gateway by it.",
    "clock_trust": '"host": this machine keeps its clock right by itself. On a small computer in a\n'
    'village use "kernel": the clock is trusted only while the kernel says it is synchronised.',
    "cut_every_s": "cut_every_s = 60    # on a metered link: fewer, larger batches",
    "alarm_command": 'alarm_command = ["/usr/local/bin/siren"]   # called: ROOM CODE LEVEL on|off',
    "sms_folder": 'sms_folder = "/var/spool/gammu"            # a modem beside it, for a link that is down',
}

HEAD = """\
# Coldtrail. What stands here differs from the defaults; an unknown key stops the start.
# Relative paths count from this folder. Secrets are files, never text in here.

# All ports follow from this one: +0 console and api, +1 and +2 central broker, +3 SMS (SMPP),
# +4 demo phone, +5 pushes of SMS providers; each gateway from +10: devices (MQTT), broker's own, page on the LAN.
port_base = {port_base}

# What a buyer's phone reaches; it is printed in QR codes. Default: this machine.
# base_url = "https://cold.example.org"

# timezone = "Asia/Shanghai"

# [network]
# listen = "0.0.0.0"                # devices and browsers on other machines; default: this one
# broker_url = "mqtt://broker:1883" # mosquitto in the middle: its users are in server/mosquitto/
# api_url = "http://api:18800"      # where roles find the api, when it is on another machine
# server_elsewhere = true           # gateways alone run here; broker_url says where the server is

# [clock]
# trust = "kernel"                  # for gateways that do not say
# start = 2026-06-01T00:00:00Z      # tests and demo only: a story's clock for all roles,
# rate = 60.0                       # that runs so many times as fast

# [influx]
# url = "http://127.0.0.1:8086"     # without it, no follower runs
# kind = "2"                        # "1": /write and a database; "2": org and bucket
# org = "coldtrail"
# bucket = "coldtrail"
# token_file = "server/keys/influx.token"

# [alerts]
# sms_url = "smpp://system-id@host:2775?from=10690001"   # default: the SMS centre of this folder
# sms_password_file = "server/keys/sms.password"
# tell_from = 2026-06-01T00:00:00Z  # what ended before is never told

# Further ways to reach people, tried in this order (docs/operations.md, "Channels"):
# [[alerts.channel]]
# name = "modem"
# url = "gammu:///var/spool/gammu?config=/etc/gammu-smsdrc"
"""
