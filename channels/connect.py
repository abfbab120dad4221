"""From what the operator wrote to a channel.

    log:                                                     into the log of the process
    smpp://system-id@host:2775?from=10690001                 secret file: the password
    gammu:///var/spool/gammu?config=/etc/gammu-smsdrc        gammu-smsd's folders on this machine
    https://host/path                                        webhook; secret file: the signing key
    apprise:                                                 secret file: Apprise's addresses
    aliyun-sms://KEY-ID@dysmsapi.aliyuncs.com?sign=…         secret file: the access key's secret
    aliyun-voice://KEY-ID@dyvmsapi.aliyuncs.com?show=…&times=2
    tencent-sms://SECRET-ID@sms.tencentcloudapi.com?app=1400…&sign=…&region=ap-guangzhou

A provider is spoken to by https; by http only on loopback, which is for stand-ins in tests.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from channels.log import LogChannel
from channels.ports import Channel, OnReceipt, OnReply
from channels.settings import ChannelSettings
from domain.template import TEMPLATES

SMPP_PORT = 2775  # IANA
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a scheme's url may and must hold. ``own_templates``: only approved texts are sent."""

    carries: str = "text"  # words to an app; "sms": to a phone number; "voice"
    host: bool = True
    user: str = ""  # what the user's place holds
    needs: frozenset[str] = frozenset()
    may: frozenset[str] = frozenset()
    secret: bool = True
    own_templates: bool = False


_TENCENT = frozenset({"app", "sign"})
KINDS = {
    "log": _Kind(host=False, secret=False),
    "smpp": _Kind("sms", user="system id", may=frozenset({"from"})),
    "gammu": _Kind("sms", host=False, secret=False, may=frozenset({"config"})),
    "https": _Kind(),
    "http": _Kind(),
    "apprise": _Kind(host=False),
    "aliyun-sms": _Kind("sms", user="access key id", needs=frozenset({"sign"}), own_templates=True),
    "aliyun-voice": _Kind(
        "voice", user="access key id", may=frozenset({"show", "times"}), own_templates=True
    ),
    "tencent-sms": _Kind(
        "sms", user="secret id", needs=_TENCENT, may=frozenset({"region"}), own_templates=True
    ),
}


PACKAGES = {  # of the extra `channels`
    "aliyun-sms": "alibabacloud_dysmsapi20170525",
    "aliyun-voice": "alibabacloud_dyvmsapi20170525",
    "apprise": "apprise",
    "tencent-sms": "tencentcloud",
}


@dataclass(frozen=True, slots=True)
class Address:
    """A checked url."""

    kind: str
    host: str
    port: int | None
    user: str
    path: str
    options: dict[str, str]

    @property
    def plain_http(self) -> bool:
        return self.host in LOOPBACK

    @property
    def endpoint(self) -> str:
        return self.host if self.port is None else f"{self.host}:{self.port}"


def checked(url: str) -> Address:
    """The url's parts. ``ValueError`` names what is wrong with it."""
    parts = urlsplit(url)
    kind = KINDS.get(parts.scheme)
    if kind is None:
        known = ", ".join(f"{scheme}:" for scheme in KINDS)
        raise ValueError(f"no channel for {parts.scheme or url!r}; there are {known}")
    if parts.password is not None:
        raise ValueError("the url holds no password: it is in a file of its own")
    if parts.port == 0:
        raise ValueError("the url has the port 0")
    host = parts.hostname or ""
    if kind.host and not host:
        raise ValueError("the url needs a host")
    if parts.scheme == "http" and host not in LOOPBACK:
        raise ValueError("a webhook on another machine needs https")
    user = parts.username or ""
    if kind.user and not user:
        raise ValueError(f"the url needs a {kind.user}: {parts.scheme}://ID@{host}")
    options: dict[str, str] = {}
    if parts.scheme not in ("http", "https"):  # there the query is the receiver's
        asked = parse_qs(parts.query, strict_parsing=bool(parts.query))
        if unknown := sorted(set(asked) - kind.needs - kind.may):
            raise ValueError(f"unknown option in the url: {', '.join(unknown)}")
        if missing := sorted(kind.needs - set(asked)):
            raise ValueError(f"the url lacks {', '.join(missing)}")
        options = {name: values[0] for name, values in asked.items()}
    if not options.get("times", "1").isdigit() or options.get("times") == "0":
        raise ValueError("times: how often a call says its words, 1 to 3")
    if parts.scheme == "gammu" and not parts.path.startswith("/"):
        raise ValueError("gammu needs the folder of gammu-smsd's inbox and outbox: gammu:///…")
    if not options.get("config", "/").startswith("/"):
        raise ValueError("config: the whole path of gammu-smsd's settings, /etc/gammu-smsdrc")
    return Address(parts.scheme, host, parts.port, user, parts.path, options)


def checked_way(way: ChannelSettings) -> Address:
    """``ValueError`` names what cannot be used, before anything is started."""
    address = checked(way.url)
    kind = KINDS[address.kind]
    if kind.secret and not way.secret_file:
        raise ValueError("secret_file is missing")
    if kind.own_templates and not way.templates:
        raise ValueError("templates are missing: `coldtrail sms templates` lists them")
    if unknown := sorted(set(way.templates) - set(TEMPLATES)):
        raise ValueError(f"no such template: {', '.join(unknown)}")
    if kind.carries == "voice":
        silent = sorted(id for id in way.templates if not TEMPLATES[id].spoken)
        if silent:
            raise ValueError(f"never spoken: {', '.join(silent)}")
    return address


def lacks(way: ChannelSettings) -> str:
    """What is not on this machine and without which the channel cannot start; empty: nothing."""
    package = PACKAGES.get(checked(way.url).kind)
    if package is not None and find_spec(package) is None:
        return f"the package {package}: `make channels` installs it"
    if way.secret_file and not Path(way.secret_file).is_file():
        return f"its secret file {way.secret_file}"
    return ""


def carries(way: ChannelSettings) -> str:
    """sms, text or voice (``alerts.routes``)."""
    return way.carries or KINDS[checked(way.url).kind].carries


def connect(
    way: ChannelSettings,
    *,
    on_reply: OnReply,
    on_receipt: OnReceipt,
    now_ms: Callable[[], int],
    hear: bool = True,
) -> Channel:
    """The channel, started. ``ValueError`` as of ``checked_way``; an unreachable carrier is not
    an error: sends raise ``TryLater`` until it is there. ``hear`` false: for one text beside the
    running system, whose receipts and replies are not taken from it."""
    # Each driver is imported where it is used: only who configures it installs what it needs.
    to = checked_way(way)
    if missing := lacks(way):
        raise ValueError(f"it lacks {missing}")
    secret = Path(way.secret_file).read_text().strip() if way.secret_file else ""
    match to.kind:
        case "log":
            return LogChannel()
        case "gammu":
            from channels.gammu import GammuChannel

            smsdrc = Path(to.options["config"]) if "config" in to.options else None
            return GammuChannel(
                Path(to.path), on_reply=on_reply, now_ms=now_ms, hear=hear, smsdrc=smsdrc
            )
        case "http" | "https":
            from channels.webhook import WebhookChannel

            return WebhookChannel(way.url, secret.encode(), now_ms)
        case "apprise":
            from channels.apprise import AppriseChannel

            return AppriseChannel([line for line in secret.split() if not line.startswith("#")])
        case "aliyun-sms":
            from channels.aliyun import AliyunSms

            return AliyunSms(
                endpoint=to.endpoint, plain_http=to.plain_http, key_id=to.user, key_secret=secret,
                sign=to.options["sign"], templates=way.templates, on_reply=on_reply,
                on_receipt=on_receipt, now_ms=now_ms,
            )  # fmt: skip
        case "aliyun-voice":
            from channels.aliyun import AliyunVoice

            return AliyunVoice(
                endpoint=to.endpoint, plain_http=to.plain_http, key_id=to.user, key_secret=secret,
                show=to.options.get("show", ""), times=int(to.options.get("times", "2")),
                templates=way.templates, on_receipt=on_receipt,
            )  # fmt: skip
        case "tencent-sms":
            from channels.tencent import REGION, TencentSms

            return TencentSms(
                endpoint=to.endpoint, plain_http=to.plain_http, secret_id=to.user,
                secret_key=secret, app=to.options["app"], sign=to.options["sign"],
                region=to.options.get("region", REGION), templates=way.templates,
                on_reply=on_reply, on_receipt=on_receipt, now_ms=now_ms, hear=hear,
            )  # fmt: skip
        case _:  # smpp
            from channels.smpp import SmppChannel

            return SmppChannel(
                host=to.host, port=to.port or SMPP_PORT, system_id=to.user, password=secret,
                source=to.options.get("from", ""), on_reply=on_reply, on_receipt=on_receipt,
                now_ms=now_ms,
            )  # fmt: skip
