"""What the api is told at its start."""

import msgspec


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[api]`` in ``coldtrail.toml``, with absolute paths. Secrets are paths to files (0600).

    ``base_url`` is what a buyer's phone reaches, without a slash at its end; it stands in QR
    codes, EPCIS identifiers and one-time links. ``timezone`` is the one people read times in.
    """

    port: int
    readings_path: str
    records_path: str
    facts_path: str
    notices_path: str
    trace_path: str
    admin_token_file: str
    session_key_file: str  # 32 random bytes in hex, made on first start
    base_url: str = ""
    host: str = "127.0.0.1"
    status_path: str = ""  # the supervisor's status.json, for the pipeline page
    influx_cursor_path: str = ""  # where the InfluxDB follower keeps how far it is
    demo_phone_url: str = ""  # the page that shows what the SMS centre received
    timezone: str = "Asia/Shanghai"
    system_path: str = ""  # where each part says what is the matter with it
    channels: list[str] = []  # names of the ways to reach people, in the order of the settings
    beyond_sms: list[str] = []  # those that are left to somebody who unsubscribed
    beyond_sms_by_default: bool = False  # one of them is for everybody
