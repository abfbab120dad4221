"""What would keep a folder from running well, found before it does."""

import ctypes
import socket
import sys
from dataclasses import dataclass
from typing import Literal

from channels.connect import lacks
from coldtrail.brokers import Missing, executable
from coldtrail.settings import Installation
from coldtrail.supervise import is_up
from disk.room import free_bytes
from store.system_alarms import read

LOW_DISK_BYTES = 2 << 30  # what one gateway's outbox may grow to
OLDEST_SQLITE = (3, 51, 3)  # with the fix of the race when a WAL is reset
TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised

Verdict = Literal["ok", "look", "wrong"]


@dataclass(frozen=True, slots=True)
class Finding:
    """``look``: it runs, and somebody should know. ``wrong``: a part will not work."""

    verdict: Verdict
    what: str
    advice: str = ""


def examine(installation: Installation) -> list[Finding]:
    up = is_up(installation.folder)
    return [
        _python(),
        _sqlite(),
        _broker(),
        _disk(installation),
        _clock(installation),
        _secrets(installation),
        *_gateways(installation),
        *_files(installation),
        *_channels(installation, up=up),
        Finding("ok", "up: running" if up else "up: not running"),
        *([] if up else _ports(installation)),
    ]


def _channels(installation: Installation, *, up: bool) -> list[Finding]:
    """A real phone rings only by a channel of one's own."""
    if installation.own_centre:
        look = "texts go to the folder's own SMS centre: no real phone rings"
        return [Finding("look", look, "docs/operations.md, Channels")]
    settings = installation.alerts_settings()
    said = read(settings.system_path, installation.now_ms()()) if up else []
    failing = {a.about: a.detail for a in said if a.code == "CHANNEL_FAILS"}
    found = []
    for way in settings.ways():
        what, why = f"channel {way.name}", failing.get(f"channel:{way.name}")
        if missing := lacks(way):
            found.append(Finding("wrong", what, f"lacks {missing}"))
        elif why is not None:
            found.append(Finding("look", what, f"takes nothing now: {why}"))
        else:
            found.append(Finding("ok", what))
    return found


def _python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        return Finding("ok", f"Python {found}")
    return Finding("wrong", f"Python {found}", "3.11 to 3.13 are tested")


def _sqlite() -> Finding:
    import apsw

    found = apsw.sqlite_lib_version()
    if tuple(map(int, found.split("."))) >= OLDEST_SQLITE:
        return Finding("ok", f"SQLite {found}")
    return Finding("wrong", f"SQLite {found}", "needs 3.51.3: install the apsw of the lock file")


def _broker() -> Finding:
    try:
        return Finding("ok", f"nats-server: {executable()}")
    except Missing as error:
        return Finding("wrong", "nats-server: not found", str(error))


def _disk(installation: Installation) -> Finding:
    free = free_bytes(installation.folder)
    what = f"free disk: {free / (1 << 30):.1f} GiB"
    if free >= LOW_DISK_BYTES:
        return Finding("ok", what)
    return Finding("look", what, "outboxes and stores stop accepting when the disk is full")


def _clock(installation: Installation) -> Finding:
    if installation.file.clock.start is not None or installation.file.clock.rate != 1.0:
        return Finding(
            "look", "clock: a story's", "for tests and the demo only: [clock] in the file"
        )
    synchronised = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(256)) != TIME_ERROR
    if synchronised:
        return Finding("ok", "clock: the kernel says that it is synchronised")
    return Finding(
        "look",
        "clock: the kernel does not say that it is synchronised",
        "run an NTP client, or be sure of the clock by other means",
    )


def _secrets(installation: Installation) -> Finding:
    folders = [installation.keys, *(edge.keys for edge in installation.edges())]
    loose = [path for folder in folders for path in folder.glob("*") if path.stat().st_mode & 0o077]
    if not loose:
        return Finding("ok", "keys and passwords: readable by their owner alone")
    return Finding("wrong", f"readable by others: {', '.join(map(str, loose))}", "chmod 600")


def _gateways(installation: Installation) -> list[Finding]:
    return [
        Finding("wrong", f"gateway {id}: no keys", f"coldtrail gateway add {id}")
        for id in (edge.gateway.id for edge in installation.keyless())
    ] or [Finding("ok", f"gateways with keys: {len(installation.edges())}")]


def _files(installation: Installation) -> list[Finding]:
    if installation.file.network.server_elsewhere:
        return []
    found = [Finding("wrong", why) for why in unfit(installation)]
    return found or [Finding("ok", "files of the server: this program can open them")]


def unfit(installation: Installation) -> list[str]:
    """Files of the server that are damaged, or of a newer program: no role that writes one of
    them would stay alive."""
    if installation.file.network.server_elsewhere:
        return []
    from store.facts.schema import VERSION as FACTS
    from store.fitness import readings_unfit, records_unfit
    from store.notices.schema import VERSION as NOTICES
    from store.records.schema import VERSION as RECORDS
    from traceability.tables import VERSION as TRACE

    server = installation.server
    written = {"records": RECORDS, "facts": FACTS, "notices": NOTICES, "trace": TRACE}
    said = [readings_unfit(server / "readings.db")]
    said += [records_unfit(server / f"{name}.db", newest) for name, newest in written.items()]
    return [why for why in said if why]


def _ports(installation: Installation) -> list[Finding]:
    ports = installation.ports()
    if taken := taken_ports(installation):
        return [
            Finding("wrong", f"port {port}: taken by another program", "change port_base")
            for port in taken
        ]
    return [Finding("ok", f"ports: {min(ports)} to {max(ports)} are free")]


def taken_ports(installation: Installation) -> list[int]:
    """Ports of the folder that somebody listens on; its own roles, when it is up."""
    return [port for port in installation.ports() if not _free(port)]


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
