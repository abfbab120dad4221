"""What a gateway needs to know before it starts. Secrets are paths; paths are absolute."""

from typing import Literal

import msgspec


class DeviceUser(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody who may publish ``devices/…`` at the edge broker."""

    username: str
    password_file: str


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One ``[[gateway]]`` of ``coldtrail.toml``. A misspelt key stops the start."""

    id: str
    partition: int
    edge_url: str  # mqtt://127.0.0.1:18810
    edge_username: str
    edge_password_file: str
    uplink_url: str
    uplink_username: str
    uplink_password_file: str
    tag_key_file: str  # 32 bytes; shared with the server, guards the transport
    kid: str
    key_file: str  # Ed25519, made on first start, never leaves
    outbox_path: str
    store_id_file: str  # the store we were enrolled with; empty until its first receipt
    server_key_file: str = ""  # whose config counts: Ed25519, public; pinned at enrolment
    config_file: str = ""  # the newest config that was accepted
    edge_users_file: str = ""  # included by the edge broker; "" where it manages its own users
    edge_broker_pid_file: str = ""
    edge_nats_url: str = ""  # nats://127.0.0.1:18811; "" where the edge broker is no NATS
    edge_nats_username: str = ""
    edge_nats_password_file: str = ""
    device_users: list[DeviceUser] = []  # for any device
    devices_folder: str = ""  # a user per device: NAME.password, and NAME.hears where it listens
    clock_trust: Literal["kernel", "host"] = "kernel"
    clock_rate: float = 1.0  # of a story's clock
    cut_every_s: float = 1.0
    window_bytes_live: int = 1 << 18
    window_bytes_backlog: int = 1 << 17
    limit_bytes: int = 2 << 30
    disk_reserve_bytes: int = 320 << 20  # left free: the edge broker's stream, and some
    edge_stream_bytes: int = 256 << 20  # cap of the edge broker's message stream
    edge_quiet_s: float = 60.0  # nothing came for so long: does the edge broker still keep?
    offsets_file: str = ""  # hours by which devices' local time is ahead of UTC
    modbus_file: str = ""  # controllers to ask, and their registers; "" where there are none
    lan_page_port: int = 0  # 0: nothing is served
    lan_host: str = "127.0.0.1"
    page_pin_file: str = ""  # asked for before an acknowledgement; "": nobody is asked
    alarms_file: str = ""  # what is remembered of its own alarms; "": it judges nothing itself
    alarm_command: list[str] = []  # switches a relay: COMMAND ROOM CODE LEVEL on|off
    alarm_warnings: bool = False  # the command hears of warnings as well
    sms_folder: str = ""  # of gammu-smsd; "": no modem
    sms_after_s: float = 300.0  # the server has been out of reach for so long: the modem speaks
