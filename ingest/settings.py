"""What ingest and the InfluxDB follower are told at their start. Secrets are paths."""

import msgspec


class Gateway(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``keys``: kid to the file of a tag key; the last one seals the receipts until the
    gateway has used another. ``tells_people``: it has a modem, so its config names people."""

    id: str
    partition: int
    keys: dict[str, str]
    tells_people: bool = False


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Readings measured more than ``floor_days`` before they arrive are kept apart, not judged.

    ``group_ms``: how long a group waits for more messages while they keep coming. Without
    ``records_path`` no gateway is told of its rooms; with it, ``signing_key_file`` signs.
    ``restored_path``: how often this server was put back from a backup; may be missing.
    ``watermark_path``: how far the store had come (``ingest.watermark``).
    ``disk_reserve_bytes``: what readings leave free. ``broker_pid_file``: of an embedded broker.
    ``system_path``: folder of the system's own alarms (``store.system_alarms``).
    ``doubts_clock``: compares the gateways' clocks with its own; a story's clock, which may run
    faster than messages travel, is one for all.
    """

    broker_url: str  # mqtt://host:port or mqtts://host:port
    username: str
    password_file: str
    readings_path: str
    gateways: list[Gateway]
    floor_days: int = 3_650
    quarantine_bytes_per_source: int = 64 << 20
    group_ms: int = 50
    records_path: str = ""
    signing_key_file: str = ""
    restored_path: str = ""
    watermark_path: str = ""
    system_path: str = ""
    doubts_clock: bool = True
    disk_reserve_bytes: int = 320 << 20
    broker_pid_file: str = ""


class InfluxSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``url`` empty: the follower has nothing to do. ``kind`` 1 uses ``database``, 2 uses
    ``organization`` and ``bucket``; the token file may be empty for servers without sign-in.

    Followed besides the readings: records (site and room tags), facts (measurement ``alarm``);
    either path may be empty. ``rejected_path`` keeps lines that InfluxDB would not take,
    by default beside the cursor.
    """

    readings_path: str
    cursor_path: str
    url: str = ""
    kind: str = "2"
    database: str = "coldtrail"
    organization: str = "coldtrail"
    bucket: str = "coldtrail"
    token_file: str = ""
    records_path: str = ""
    facts_path: str = ""
    rejected_path: str = ""
    system_path: str = ""
