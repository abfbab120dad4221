"""``coldtrail.toml`` and its folder: what each role is told at its start.

The file says only what differs from the defaults. A key that is not known stops the start and
is named. Secrets stand in files of their own; here are their paths.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from channels.settings import ChannelSettings
from coldtrail import clock

if TYPE_CHECKING:  # each role imports its own settings alone: a gateway has no web framework
    import alerts.settings
    import api.settings
    import coldtrail.sms_centre.service
    import gateway.settings
    import ingest.settings
    import traceability.settings

FILE = "coldtrail.toml"
DEFAULT_PORT_BASE = 18800
EDGE_PORTS = 10  # first of three ports of each gateway: MQTT, NATS, page on the LAN

GatewayName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
Port = Annotated[int, msgspec.Meta(ge=1024, le=65000)]
Trust = Literal["kernel", "host"]


class Wrong(Exception):
    """The settings cannot be used; the text names the key and what is wrong with it."""


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the file; an unknown key is refused."""


class Clock(Table, frozen=True):
    """``[clock]``. ``start`` and ``rate`` are for tests and the demo only."""

    trust: Trust = "kernel"
    start: datetime | None = None
    rate: Annotated[float, msgspec.Meta(gt=0, le=100_000)] = 1.0


class Gateway(Table, frozen=True):
    """One ``[[gateway]]``. ``elsewhere``: it runs on another machine, and the server of this folder
    knows it all the same. ``clock_trust`` overrides ``[clock] trust`` for this one;
    ``uplink_url`` is the central broker as this gateway reaches it, when not directly;
    ``modbus`` is a file of controllers and their registers (docs/devices.md).
    ``alarm_command`` switches a relay; ``sms_folder`` is gammu-smsd's, where there is a modem."""

    id: GatewayName
    partition: Annotated[int, msgspec.Meta(ge=0, le=63)]
    kid: str = "k1"
    elsewhere: bool = False
    clock_trust: Trust | None = None
    uplink_url: str = ""
    modbus: str = ""
    cut_every_s: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 1.0
    window_bytes_live: Annotated[int, msgspec.Meta(ge=4096)] = 256 * 1024
    window_bytes_backlog: Annotated[int, msgspec.Meta(ge=4096)] = 512 * 1024
    alarm_command: list[str] = []
    alarm_warnings: bool = False
    page_pin_file: str = ""
    sms_folder: str = ""
    sms_after_s: Annotated[float, msgspec.Meta(ge=1, le=86_400)] = 300.0


class Disk(Table, frozen=True):
    """``[disk]``. What readings leave free for all others, at the server and at its gateways."""

    reserve_mb: Annotated[int, msgspec.Meta(ge=1)] = 320


class Ingest(Table, frozen=True):
    floor_days: Annotated[int, msgspec.Meta(ge=1)] = 3650
    quarantine_bytes_per_source: Annotated[int, msgspec.Meta(ge=0)] = 64 * 1024 * 1024


class Influx(Table, frozen=True):
    """No ``url``: no follower. ``kind`` 1: ``/write`` and a database; 2: org and bucket."""

    url: str = ""
    kind: Literal["1", "2"] = "2"
    database: str = "coldtrail"
    org: str = "coldtrail"
    bucket: str = "coldtrail"
    token_file: str = ""


class Alerts(Table, frozen=True):
    """``sms_url``: a channel named sms; ``channel``: further ways to reach people, each an
    ``[[alerts.channel]]``. Without any, the SMS centre of this folder. ``tell_from``: what ended
    before is never told; without it, the moment ``notices.db`` is made. ``owners``: ids of the
    people who run the platform; without any, those with the role county. ``heartbeat_url``: asked
    each minute while readings are judged, for a watch that is not ours."""

    sms_url: str = ""
    sms_password_file: str = ""
    tell_from: datetime | None = None
    channel: list[ChannelSettings] = []
    owners: list[str] = []
    heartbeat_url: str = ""


class Network(Table, frozen=True):
    """``listen``: where devices and browsers are heard; other machines need more than loopback.
    ``broker_url``: another central broker, such as mosquitto; without it, the embedded one runs.
    ``api_url``: how roles reach the api, when it is not on this machine. ``server_elsewhere``:
    gateways alone run here."""

    listen: str = "127.0.0.1"
    broker_url: str = ""
    api_url: str = ""
    server_elsewhere: bool = False


class SmsCentre(Table, frozen=True):
    """``names``: phone number to the name on the demo phone's page."""

    names: dict[str, str] = {}


class File(Table, frozen=True):
    port_base: Port = DEFAULT_PORT_BASE
    base_url: str = ""  # what a buyer's phone reaches; printed in QR codes
    timezone: str = "Asia/Shanghai"
    clock: Clock = Clock()
    gateway: list[Gateway] = []
    disk: Disk = Disk()
    ingest: Ingest = Ingest()
    influx: Influx = Influx()
    alerts: Alerts = Alerts()
    network: Network = Network()
    sms_centre: SmsCentre = SmsCentre()


def load(folder: Path) -> "Installation":
    """``Wrong`` when the file is missing or says what cannot be."""
    try:
        raw = (folder / FILE).read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        where = "this folder" if folder == Path() else folder
        raise Wrong(
            f"{where} is no data folder, it has no {FILE}: name yours with `--data DIR`, or make"
            " one with `coldtrail init DIR`"
        ) from error
    except OSError as error:
        raise Wrong(f"{folder / FILE}: {error.strerror}") from error
    return understand(folder, raw)


def understand(folder: Path, raw: bytes) -> "Installation":
    """What the folder is with this text as its file."""
    path = folder / FILE
    try:
        file = msgspec.toml.decode(raw, type=File)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:  # also what does not fit its type
        raise Wrong(f"{path}: {plain(error)}") from error
    if not file.gateway:
        raise Wrong(f"{path}: at least one [[gateway]]")
    ids = [g.id for g in file.gateway]
    if twice := sorted({id for id in ids if ids.count(id) > 1}):
        raise Wrong(f"{path}: gateway id {', '.join(twice)} stands there twice")
    here = [g for g in file.gateway if not g.elsewhere]
    if file.network.server_elsewhere:
        if not here:
            raise Wrong(f"{path}: everything is elsewhere, nothing runs here")
        if not (file.network.broker_url or all(g.uplink_url for g in here)):
            raise Wrong(
                f"{path}: `network.server_elsewhere` needs `broker_url`: where the server is"
            )
    for g in here:
        if g.modbus:
            _check_modbus(path, g.id, folder / g.modbus)
    try:
        ZoneInfo(file.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Wrong(f"{path}: `timezone`: no such zone: {file.timezone[:80]!r}") from error
    if (start := file.clock.start) is not None and start.tzinfo is None:
        raise Wrong(f"{path}: `clock.start` needs a time zone, for example Z")
    if file.alerts.sms_url:
        from channels.connect import checked

        try:
            checked(file.alerts.sms_url)
        except ValueError as error:
            raise Wrong(f"{path}: `alerts.sms_url`: {error}") from error
    _channels(path, file.alerts)
    if (beat := file.alerts.heartbeat_url) and not beat.startswith(("https://", "http://")):
        raise Wrong(f"{path}: `alerts.heartbeat_url`: an address that begins with https://")
    return Installation(folder.resolve(), file)


def plain(error: msgspec.DecodeError | UnicodeDecodeError) -> str:
    """What does not decode, in words for whoever wrote the file: the key first, where there is one."""
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8"
    what, at, key = str(error).partition(" - at `$")
    return f"`{key.strip('.`')}`: {what}" if at else what


def _channels(path: Path, alerts: Alerts) -> None:
    if not alerts.channel:
        return
    from channels.connect import checked_way

    names = [*(["sms"] if alerts.sms_url else []), *(way.name for way in alerts.channel)]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Wrong(f"{path}: [[alerts.channel]] {', '.join(twice)} stands there twice")
    for way in alerts.channel:
        try:
            checked_way(way)
        except ValueError as error:
            raise Wrong(f"{path}: [[alerts.channel]] {way.name}: {error}") from error


def _check_modbus(path: Path, id: str, registers: Path) -> None:
    from gateway import modbus_map

    try:
        modbus_map.read(registers.read_bytes())
    except (OSError, modbus_map.Wrong) as error:
        raise Wrong(f"{path}: gateway {id}: `modbus` = {registers}: {error}") from error


@dataclass(frozen=True, slots=True)
class Edge:
    """Where a gateway's things are: role names, ports, files."""

    gateway: Gateway
    index: int
    folder: Path
    port_base: int

    @property
    def role(self) -> str:
        return "gateway" if self.index == 0 else f"gateway-{self.gateway.id}"

    @property
    def broker_role(self) -> str:
        return "edge-broker" if self.index == 0 else f"edge-broker-{self.gateway.id}"

    @property
    def home(self) -> Path:
        return self.folder / self.role

    @property
    def keys(self) -> Path:
        return self.home / "keys"

    @property
    def outbox(self) -> Path:
        return self.home / "outbox.db"

    @property
    def server_key(self) -> Path:
        """Pinned at enrolment: whose config counts."""
        return self.keys / "server.pub"

    @property
    def devices(self) -> Path:
        """Users of their own for single devices."""
        return self.keys / "devices"

    @property
    def offsets(self) -> Path:
        return self.home / "time-offsets.json"

    def port(self, offset: int) -> int:
        """0 MQTT, 1 NATS, 2 the page on the LAN."""
        return self.port_base + EDGE_PORTS + 3 * self.index + offset

    @property
    def needs(self) -> list[Path]:
        """Key files without which the gateway and its broker do not start."""
        passwords = [self.keys / f"{user}.password" for user in ("gateway", "admin", "installer")]
        return [
            *passwords,
            self.keys / "uplink.password",
            self.keys / f"tag-{self.gateway.kid}.key",
        ]

    @property
    def mqtt_url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port(0)}"

    @property
    def lan_url(self) -> str:
        return f"http://127.0.0.1:{self.port(2)}"


@dataclass(frozen=True, slots=True)
class Installation:
    """A folder with its settings; every path that it gives is absolute."""

    folder: Path
    file: File

    @property
    def server(self) -> Path:
        return self.folder / "server"

    @property
    def keys(self) -> Path:
        return self.server / "keys"

    @property
    def system(self) -> Path:
        """Where each part says what is the matter with it (``store.system_alarms``)."""
        return self.server / "system"

    @property
    def restored(self) -> Path:
        """What tells gateways that this server was put back from a backup."""
        return self.server / "restored.json"

    @property
    def base_url(self) -> str:
        return self.file.base_url.rstrip("/") or self.api_url

    @property
    def api_url(self) -> str:
        return self.file.network.api_url or f"http://127.0.0.1:{self.port(0)}"

    @property
    def broker_url(self) -> str:
        return self.file.network.broker_url or f"mqtt://127.0.0.1:{self.port(1)}"

    @property
    def phone_url(self) -> str:
        """The demo phone's page, empty when another carrier is used."""
        return f"http://127.0.0.1:{self.port(4)}/" if self.own_centre else ""

    @property
    def own_centre(self) -> bool:
        """The folder's SMS centre carries the texts: no other way was named."""
        return not (self.file.alerts.sms_url or self.file.alerts.channel)

    def channel_names(self) -> list[str]:
        return [way.name for way in self.alerts_settings().ways()]

    def port(self, offset: int) -> int:
        """0 api, 1 central MQTT, 2 central NATS, 3 SMPP, 4 phone page, 5 providers' pushes."""
        return self.file.port_base + offset

    def ports(self) -> list[int]:
        """Every port that this folder's roles listen on, or may."""
        edges = [edge.port(i) for edge in self.here() for i in range(3)]
        server = 0 if self.file.network.server_elsewhere else 6
        return [self.port(i) for i in range(server)] + edges

    def edges(self) -> list[Edge]:
        return [
            Edge(g, i, self.folder, self.file.port_base) for i, g in enumerate(self.file.gateway)
        ]

    def here(self) -> list[Edge]:
        """Gateways that run on this machine."""
        return [edge for edge in self.edges() if not edge.gateway.elsewhere]

    def edge(self, role: str) -> Edge:
        """Of a role ``gateway…`` or ``edge-broker…``."""
        return next(e for e in self.edges() if role in (e.role, e.broker_role))

    def roles(self) -> list[str]:
        """In the order of the start; stopped the other way round."""
        edges = self.here()
        if self.file.network.server_elsewhere:
            return [*(e.broker_role for e in edges), *(e.role for e in edges)]
        return [
            *([] if self.file.network.broker_url else ["broker"]),
            *(e.broker_role for e in edges),
            "api",  # it alone makes the tables that the followers wait for
            "ingest",
            *(e.role for e in edges),
            "alerts",
            "traceability",
            *(["influx"] if self.file.influx.url else []),
            *(["sms-centre"] if self.own_centre else []),
        ]

    def server_needs(self, edge: Edge) -> list[Path]:
        """The server's half of a gateway's keys: uplink password, tag key."""
        g = edge.gateway
        return [self.keys / f"uplink-{g.id}.password", self.keys / f"tag-{g.id}-{g.kid}.key"]

    def known_edges(self) -> list[Edge]:
        """Gateways that the server has keys for: a table without them shuts nobody else out."""
        return [e for e in self.edges() if all(path.exists() for path in self.server_needs(e))]

    def keyless(self) -> list[Edge]:
        """Gateways that lack a key, of the sides that are here."""
        return [e for e in self.edges() if not all(path.exists() for path in self._keys_here(e))]

    def _keys_here(self, edge: Edge) -> list[Path]:
        return [
            *([] if edge.gateway.elsewhere else edge.needs),
            *([] if self.file.network.server_elsewhere else self.server_needs(edge)),
        ]

    def trust(self, edge: Edge) -> Trust:
        return edge.gateway.clock_trust or self.file.clock.trust

    def now_ms(self) -> clock.NowMs:
        told = self.file.clock
        if told.start is None and told.rate == 1.0:
            return clock.machine_ms
        anchor_ms = clock.anchor(self.folder / "clock-anchor")
        start_ms = anchor_ms if told.start is None else _ms(told.start)
        return clock.story(start_ms, told.rate, anchor_ms)

    def path(self, text: str) -> str:
        """As it stands in the file: relative paths count from the folder."""
        return str(self.folder / text) if text else ""

    def gateway_settings(self, edge: Edge) -> "gateway.settings.Settings":
        from gateway.settings import DeviceUser, Settings

        g, keys = edge.gateway, edge.keys
        return Settings(
            id=g.id,
            partition=g.partition,
            edge_url=edge.mqtt_url,
            edge_username="gateway",
            edge_password_file=str(keys / "gateway.password"),
            edge_users_file=str(edge.home / "edge-users.conf"),
            edge_broker_pid_file=str(self.folder / "pids" / f"{edge.broker_role}.pid"),
            edge_nats_url=f"nats://127.0.0.1:{edge.port(1)}",
            edge_nats_username="admin",
            edge_nats_password_file=str(keys / "admin.password"),
            device_users=[
                DeviceUser(username="installer", password_file=str(keys / "installer.password"))
            ],
            devices_folder=str(edge.devices),
            uplink_url=g.uplink_url or self.broker_url,
            uplink_username=f"gw-{g.id}",
            uplink_password_file=str(keys / "uplink.password"),
            tag_key_file=str(keys / f"tag-{g.kid}.key"),
            kid=g.kid,
            key_file=str(keys / "sealing.key"),
            server_key_file=str(edge.server_key),
            config_file=str(edge.home / "config.json"),
            outbox_path=str(edge.outbox),
            store_id_file=str(edge.home / "store-id"),
            clock_trust=self.trust(edge),
            clock_rate=self.file.clock.rate,
            cut_every_s=g.cut_every_s,
            disk_reserve_bytes=self.file.disk.reserve_mb << 20,
            window_bytes_live=g.window_bytes_live,
            window_bytes_backlog=g.window_bytes_backlog,
            offsets_file=str(edge.offsets),
            modbus_file=self.path(g.modbus),
            lan_page_port=edge.port(2),
            lan_host=self.file.network.listen,
            page_pin_file=self.path(g.page_pin_file),
            alarms_file=str(edge.home / "alarms.json"),
            alarm_command=g.alarm_command,
            alarm_warnings=g.alarm_warnings,
            sms_folder=self.path(g.sms_folder),
            sms_after_s=g.sms_after_s,
        )

    def ingest_settings(self) -> "ingest.settings.Settings":
        from ingest.settings import Gateway as Known
        from ingest.settings import Settings

        return Settings(
            broker_url=self.broker_url,
            username="ingest",
            password_file=str(self.keys / "ingest.password"),
            readings_path=str(self.server / "readings.db"),
            gateways=[
                Known(
                    id=g.id,
                    partition=g.partition,
                    keys={g.kid: str(self.keys / f"tag-{g.id}-{g.kid}.key")},
                    tells_people=bool(g.sms_folder),
                )
                for g in (edge.gateway for edge in self.known_edges())
            ],
            floor_days=self.file.ingest.floor_days,
            quarantine_bytes_per_source=self.file.ingest.quarantine_bytes_per_source,
            disk_reserve_bytes=self.file.disk.reserve_mb << 20,
            broker_pid_file=""
            if self.file.network.broker_url
            else str(self.folder / "pids" / "broker.pid"),
            records_path=str(self.server / "records.db"),
            signing_key_file=str(self.keys / "signing.key"),
            restored_path=str(self.restored),
            watermark_path=str(self.server / "watermark.json"),
            system_path=str(self.system),
            doubts_clock=self.file.clock.rate == 1.0,
        )

    def influx_settings(self) -> "ingest.settings.InfluxSettings":
        from ingest.settings import InfluxSettings

        i = self.file.influx
        return InfluxSettings(
            url=i.url,
            kind=i.kind,
            database=i.database,
            organization=i.org,
            bucket=i.bucket,
            token_file=self.path(i.token_file),
            readings_path=str(self.server / "readings.db"),
            records_path=str(self.server / "records.db"),
            facts_path=str(self.server / "facts.db"),
            cursor_path=str(self.server / "influx-cursor.json"),
            system_path=str(self.system),
        )

    def alerts_settings(self) -> "alerts.settings.Settings":
        from alerts.settings import Settings

        a = self.file.alerts
        own = f"smpp://coldtrail@127.0.0.1:{self.port(3)}?from=10690001"
        return Settings(
            readings_path=str(self.server / "readings.db"),
            records_path=str(self.server / "records.db"),
            facts_path=str(self.server / "facts.db"),
            notices_path=str(self.server / "notices.db"),
            sms_url=own if self.own_centre else a.sms_url,
            sms_password_file=self.path(a.sms_password_file) or str(self.keys / "sms.password"),
            api_url=self.api_url,
            api_token_file=str(self.keys / "admin.token"),
            tell_from_ms=None if a.tell_from is None else _ms(a.tell_from),
            channels=[
                msgspec.structs.replace(way, secret_file=self.path(way.secret_file))
                for way in a.channel
            ],
            owners=a.owners,
            heartbeat_url=a.heartbeat_url,
            system_path=str(self.system),
            clock_rate=self.file.clock.rate,
            push_port=self.port(5),
            push_token_file=str(self.keys / "push.token"),
        )

    def traceability_settings(self) -> "traceability.settings.Settings":
        from traceability.settings import Settings

        return Settings(
            readings_path=str(self.server / "readings.db"),
            records_path=str(self.server / "records.db"),
            facts_path=str(self.server / "facts.db"),
            trace_path=str(self.server / "trace.db"),
            signing_key_file=str(self.keys / "signing.key"),
            system_path=str(self.system),
            base_url=self.base_url,
        )

    def api_settings(self) -> "api.settings.Settings":
        from api.settings import Settings
        from channels.connect import carries

        beyond = [way for way in self.alerts_settings().ways() if carries(way) != "sms"]
        return Settings(
            port=self.port(0),
            host=self.file.network.listen,
            readings_path=str(self.server / "readings.db"),
            records_path=str(self.server / "records.db"),
            facts_path=str(self.server / "facts.db"),
            notices_path=str(self.server / "notices.db"),
            trace_path=str(self.server / "trace.db"),
            admin_token_file=str(self.keys / "admin.token"),
            session_key_file=str(self.keys / "session.key"),
            base_url=self.base_url,
            status_path=str(self.folder / "status.json"),
            influx_cursor_path=str(self.server / "influx-cursor.json")
            if self.file.influx.url
            else "",
            demo_phone_url=self.phone_url,
            timezone=self.file.timezone,
            system_path=str(self.system),
            channels=self.channel_names(),
            beyond_sms=[way.name for way in beyond],
            beyond_sms_by_default=any(way.by_default for way in beyond),
        )

    def sms_centre_settings(self) -> "coldtrail.sms_centre.service.Settings":
        from coldtrail.sms_centre.service import Settings

        return Settings(
            smpp_port=self.port(3),
            page_port=self.port(4),
            system_id="coldtrail",
            password_file=str(self.keys / "sms.password"),
            path=str(self.server / "sms-centre.db"),
            names=self.file.sms_centre.names,
        )


def _ms(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)
