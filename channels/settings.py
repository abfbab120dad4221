"""One way to reach people, as the operator describes it."""

from typing import Annotated, Literal

import msgspec

Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,31}$")]


class ChannelSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One ``[[alerts.channel]]``. ``url``: see ``channels.connect``. ``secret_file``: password,
    access key or signing key; the url holds none. ``carries``: as the url's kind says, unless a
    webhook leads to a machine that calls, or that sends messages to phone numbers. ``by_default``: also for people who name no channels.
    ``templates``: our template's id to the provider's, where only approved texts are sent.
    ``test_phone``: gets one message a day, where a provider can be asked in no other way."""

    name: Name
    url: str
    secret_file: str = ""
    carries: Literal["sms", "text", "voice", ""] = ""
    by_default: bool = True
    templates: dict[str, str] = {}
    test_phone: str = ""
