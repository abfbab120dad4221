"""The SMS centre's process: the SMPP side, the phone page, one memory behind both."""

import logging
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import msgspec

from coldtrail.sms_centre.link import SmppServer
from coldtrail.sms_centre.memory import Memory
from coldtrail.sms_centre.page import PhoneServer
from disk.room import Full

log = logging.getLogger(__name__)

FULL_PAUSE_S = 2.0


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Both ports listen on 127.0.0.1 only. ``names``: phone (E.164) to its owner's name."""

    smpp_port: int
    page_port: int
    system_id: str
    password_file: str
    path: str
    names: dict[str, str] = {}
    utc_offset_min: int = 480  # of the times on the phone; China


def run(settings: Settings, *, now_ms: Callable[[], int], stop: threading.Event) -> None:
    memory = _opened(Path(settings.path), now_ms, stop)
    if memory is None:
        return
    password = Path(settings.password_file).read_text().strip()
    names = {phone.lstrip("+"): name for phone, name in settings.names.items()}
    zone = timedelta(minutes=settings.utc_offset_min)
    try:
        with (
            SmppServer(settings.smpp_port, settings.system_id, password, memory) as links,
            PhoneServer(settings.page_port, memory, names, zone) as phones,
        ):
            servers = (links, phones)
            threads = [
                threading.Thread(
                    target=server.serve_forever, name=type(server).__name__, daemon=True
                )
                for server in servers
            ]
            for thread in threads:
                thread.start()
            log.info(
                "sms centre ready",
                extra={"smpp": settings.smpp_port, "page": settings.page_port},
            )
            stop.wait()
            for server, thread in zip(servers, threads, strict=True):
                server.shutdown()
                thread.join()
    finally:
        memory.close()


def _opened(path: Path, now_ms: Callable[[], int], stop: threading.Event) -> Memory | None:
    """As soon as there is room for it; None when ``stop`` comes first."""
    said = False
    while not stop.is_set():
        try:
            return Memory(path, now_ms)
        except Full as error:
            if not said:
                log.error("disk full: no text is taken", extra={"reason": str(error)})  # noqa: TRY400 - the reason says it all
            said = True
            stop.wait(FULL_PAUSE_S)
    return None
