"""An SMS centre in this process, on free ports, and a channel bound to it."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from channels.ports import OnReceipt, OnReply, Reply
from channels.smpp import SmppChannel
from coldtrail.sms_centre.service import Settings, run
from tests.support.servers import free_port, wait_until

NOON_MS = 1_790_000_000_000


@dataclass
class Heard:
    """What came back over the channel."""

    replies: list[Reply] = field(default_factory=list)
    receipts: list[tuple[str, str]] = field(default_factory=list)

    def receipt(self, provider_id: str, state: str) -> None:
        self.receipts.append((provider_id, state))


@dataclass
class Centre:
    settings: Settings
    now_ms: Callable[[], int] = lambda: NOON_MS

    @classmethod
    def at(cls, folder: Path) -> "Centre":
        (folder / "sms.password").write_text("pa55word\n")
        return cls(
            Settings(
                smpp_port=free_port(),
                page_port=free_port(),
                system_id="coldtrail",
                password_file=str(folder / "sms.password"),
                path=str(folder / "sms.db"),
                names={"+8613800000001": "王"},
            )
        )

    @contextmanager
    def running(self) -> Iterator[None]:
        stop = threading.Event()
        thread = threading.Thread(
            target=run, args=(self.settings,), kwargs={"now_ms": self.now_ms, "stop": stop}
        )
        thread.start()
        try:
            for port in (self.settings.smpp_port, self.settings.page_port):
                wait_until(partial(_listens, port), 20, f"port {port} listens")
            yield
        finally:
            stop.set()
            thread.join()

    @contextmanager
    def channel(
        self,
        heard: Heard,
        *,
        password: str = "pa55word",  # noqa: S107 - of the test's own centre
        on_reply: OnReply | None = None,
        on_receipt: OnReceipt | None = None,
    ) -> Iterator[SmppChannel]:
        channel = SmppChannel(
            host="127.0.0.1",
            port=self.settings.smpp_port,
            system_id="coldtrail",
            password=password,
            source="10690001",
            on_reply=on_reply or heard.replies.append,
            on_receipt=on_receipt or heard.receipt,
            now_ms=self.now_ms,
        )
        try:
            yield channel
        finally:
            channel.close()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def bound(channel: SmppChannel) -> SmppChannel:
    wait_until(lambda: channel.bound, 20, "the link is bound")
    return channel
