"""What the alerts role is told."""

import msgspec

from channels.settings import ChannelSettings


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``sms_url`` and ``sms_password_file``: a channel named sms (see ``channels.connect``);
    ``channels``: further ways to reach people, in order. ``tell_from_ms`` None: what ended before
    ``notices.db`` was made is never told."""

    readings_path: str
    records_path: str
    facts_path: str
    notices_path: str
    sms_url: str
    sms_password_file: str
    api_url: str
    api_token_file: str  # a path, so the secret stays out of the environment
    tell_from_ms: int | None = None
    channels: list[ChannelSettings] = []
    push_port: int = 0  # where providers push to, on loopback; 0: nowhere
    push_token_file: str = ""
    owners: list[str] = []  # people who run the platform; none: the highest role that there is
    system_path: str = ""  # folder of the system's own alarms (``store.system_alarms``)
    clock_rate: float = 1.0  # of a story's clock
    heartbeat_url: str = ""  # asked each minute while readings are judged

    def ways(self) -> list[ChannelSettings]:
        """All of them; the names are each its own."""
        own = ChannelSettings("sms", self.sms_url, self.sms_password_file)
        return [*([own] if self.sms_url else []), *self.channels]
