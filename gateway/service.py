"""A gateway, put together: one outbox, a receiver below it, an uplink above it.

Beside them its own alarms and its page, which may fail without taking readings with them.
"""

import ctypes
import gc
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from disk.lock import lock
from disk.room import Full
from gateway import clock as clocks
from gateway import device_http, devices, edge_broker, keys, lan
from gateway.config import Configured
from gateway.decoders import foreign
from gateway.local_alarms import LocalAlarms
from gateway.outbox import Outbox, Sealer
from gateway.page import Page, State
from gateway.receive import FULL_RETRY_S, Receiver
from gateway.settings import Settings
from gateway.uplink import Uplink
from wire import broker_process
from wire.batch_v1 import Clock

log = logging.getLogger(__name__)

_M_ARENA_MAX = -8  # malloc.h


class AlreadyRunning(Exception):
    """Another process holds this outbox."""


def run(settings: Settings, *, now_ms: Callable[[], int], stop: threading.Event) -> None:
    """Until ``stop``; then everything read is committed and acknowledged.

    Raises ``AlreadyRunning``, and whatever ended one of the parts: a part that fails takes
    the gateway down, and the next start continues from the outbox.
    """
    _small()
    with _lock(Path(settings.outbox_path)):
        if keys.ensure_signing_key(Path(settings.key_file)):
            log.info("signing key made")
        key = keys.tag_key(Path(settings.tag_key_file))
        opened = _open(settings, key, stop)
        if opened is None:
            return
        with opened as outbox:
            halt = threading.Event()
            parts = _parts(settings, outbox, key, now_ms, halt)
            gc.freeze()  # what is loaded now lives as long as the process
            _run_until(stop, halt, parts)


def _open(settings: Settings, key: bytes, stop: threading.Event) -> Outbox | None:
    """As soon as there is room to open it; None: told to stop before that."""
    told = False
    while True:
        try:
            return Outbox(
                Path(settings.outbox_path),
                Sealer(settings.id, settings.kid, key),
                limit_bytes=settings.limit_bytes,
                disk_reserve_bytes=settings.disk_reserve_bytes,
            )
        except Full as error:
            if not told:
                log.error("disk full: nothing is acknowledged", extra={"error": str(error)})  # noqa: TRY400  # the reason says it all
            told = True
        if stop.wait(FULL_RETRY_S):
            return None


def _modbus(
    settings: Settings, receiver: Receiver, halt: threading.Event
) -> list[tuple[str, Callable[[], None]]]:
    if not settings.modbus_file:
        return []
    from gateway import modbus, modbus_line, modbus_map  # only where there is a controller

    devices = modbus_map.read(Path(settings.modbus_file).read_bytes())
    lines = modbus.pollers(devices, receiver.hand_in, halt, modbus_line.PymodbusLine)
    return [(f"modbus-{i}", poller.run) for i, poller in enumerate(lines)]


def _lan(
    settings: Settings,
    receiver: Receiver,
    page: Page | None,
    halt: threading.Event,
) -> Callable[[], None]:
    readings = device_http.Readings(
        lambda: devices.users(settings),
        {user.username for user in settings.device_users},
        receiver.hand_in,
    )
    routes: dict[tuple[str, str], lan.Handler] = {
        ("POST", "devices"): readings.post,
        ("GET", "readyz"): lambda _request: _readiness(receiver),
    }
    if page is not None:
        routes |= {("GET", ""): page.show, ("POST", "ack"): page.ack}
    return lambda: lan.serve(settings.lan_host, settings.lan_page_port, routes, halt)


def _readiness(receiver: Receiver) -> lan.Answer:
    """Does it take readings? With the codes of why not, as the server's ``/readyz`` has them."""
    reasons = ["GATEWAY_FULL"] if receiver.full else []
    if not receiver.connected():
        reasons.append("BROKER_AWAY")
    body = msgspec.json.encode({"ready": not reasons, "reasons": reasons})
    return lan.Answer(503 if reasons else 200, body, "application/json")


def _page(
    settings: Settings,
    alarms: LocalAlarms,
    uplink: Uplink,
    receiver: Receiver,
    outbox: Outbox,
    now_ms: Callable[[], int],
    clock: Callable[[], Clock],
) -> Page:
    def state() -> State:
        return State(
            uplink.down_for_s(), uplink.linked(), outbox.backlog().readings + outbox.pending(),
            uplink.full_in_h,
            clock().trusted, receiver.full, not alarms.failed,
        )  # fmt: skip

    return Page(
        settings.id,
        view=lambda: alarms.view,
        state=state,
        acknowledge=alarms.acknowledge,
        now_ms=now_ms,
        pin=keys.password(settings.page_pin_file) if settings.page_pin_file else "",
    )


def _parts(
    settings: Settings,
    outbox: Outbox,
    key: bytes,
    now_ms: Callable[[], int],
    halt: threading.Event,
) -> list[tuple[str, Callable[[], None]]]:
    """By name, what each runs until ``halt``."""
    boot = clocks.boot_id()
    boot_clock = clocks.BootClock(
        boot=boot,
        now_ms=now_ms,
        since_boot_ms=partial(clocks.since_boot_ms, settings.clock_rate),
        trusted=lambda: clocks.trusted(settings.clock_trust),
        offset=outbox.boot_offset(boot),
        keep=outbox.keep_boot_offset,
        rate=settings.clock_rate,
    )
    clock = boot_clock.now

    configured = Configured(
        settings.id,
        Path(settings.config_file) if settings.config_file else None,
        keys.made_by(settings.server_key_file),
    )
    uplink = Uplink(
        settings,
        outbox=outbox,
        configured=configured,
        key=key,
        password=keys.password(settings.uplink_password_file),
        version=_version(),
        now_ms=now_ms,
        clock=clock,
        boot_clock=boot_clock,
        full=lambda: receiver.full,
        hours_off=lambda: receiver.hours_off(),
        alarms=lambda: alarms.active() if alarms else None,
        stop=halt,
    )
    alarms = None
    if settings.alarms_file:
        alarms = LocalAlarms(
            settings,
            outbox=outbox,
            configured=configured,
            link=uplink,
            now_ms=now_ms,
            clock=clock,
        )
    receiver = Receiver(
        gateway=settings.id,
        url=settings.edge_url,
        username=settings.edge_username,
        password=keys.password(settings.edge_password_file),
        outbox=outbox,
        now_ms=now_ms,
        clock=clock,
        cut_every_s=settings.cut_every_s,
        quiet_s=settings.edge_quiet_s,
        linked=uplink.linked,
        on_kept=alarms.arrived if alarms else lambda _rows: None,
        on_cut=lambda _batches: uplink.wake(),
        take_charge=lambda: _take_charge(settings),
        start_broker_anew=lambda: _start_broker_anew(settings),
        users_changed=devices.Watch(settings).changed,
        stop=halt,
        foreign=foreign.load(),
        offsets_file=Path(settings.offsets_file) if settings.offsets_file else None,
        since_boot_ms=boot_clock.since_boot_ms,
    )
    parts: list[tuple[str, Callable[[], None]]] = [
        ("receive", receiver.run),
        ("uplink", uplink.run),
    ]
    if alarms is not None:
        parts.append(("alarms", partial(alarms.run, halt)))
    if settings.lan_page_port:
        page = None
        if alarms is not None:
            page = _page(settings, alarms, uplink, receiver, outbox, now_ms, clock)
        parts.append(("lan", _lan(settings, receiver, page, halt)))
    return parts + _modbus(settings, receiver, halt)


def _take_charge(settings: Settings) -> None:
    """We are subscribed: cap the broker's stream, then let the devices in."""
    api = None
    if settings.edge_nats_url:
        api = edge_broker.User(
            settings.edge_nats_username, keys.password(settings.edge_nats_password_file)
        )
        address = urlsplit(settings.edge_nats_url)
        edge_broker.cap_stream(
            address.hostname or "127.0.0.1", address.port or 4222, api, settings.edge_stream_bytes
        )
    if settings.edge_users_file:
        try:
            known = devices.users(settings)
        except (OSError, UnicodeDecodeError) as error:  # taken away just now, or no text
            raise edge_broker.Unavailable(f"users of devices: {error}") from error
        edge_broker.let_in(
            Path(settings.edge_users_file),
            Path(settings.edge_broker_pid_file),
            edge_broker.User(settings.edge_username, keys.password(settings.edge_password_file)),
            api,
            known,
        )


def _start_broker_anew(settings: Settings) -> None:
    if not settings.edge_broker_pid_file:
        raise edge_broker.Unavailable("it is not ours")
    home = Path(settings.edge_users_file or settings.edge_broker_pid_file).parent
    try:
        broker_process.start_anew(Path(settings.edge_broker_pid_file), home)
    except OSError as error:
        raise edge_broker.Unavailable(str(error)) from error


def _small() -> None:
    """glibc keeps a heap of its own for each of a dozen threads, and gives little of it back."""
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def _version() -> str:
    try:
        return version("coldtrail")
    except PackageNotFoundError:
        return "unknown"  # run from a source tree


def _run_until(
    stop: threading.Event,
    halt: threading.Event,
    parts: list[tuple[str, Callable[[], None]]],
) -> None:
    """Run the parts in threads until ``stop`` is set or one of them ends."""
    failed: list[BaseException] = []
    ended = threading.Event()

    def guard(part: Callable[[], None]) -> None:
        try:
            part()
        except BaseException as error:  # noqa: BLE001  # handed to the main thread below
            failed.append(error)
        finally:
            ended.set()

    threads = [
        threading.Thread(target=guard, args=(part,), name=name, daemon=True) for name, part in parts
    ]
    for thread in threads:
        thread.start()
    while not stop.wait(0.2) and not ended.is_set():
        pass
    halt.set()
    for thread in threads:
        thread.join(10)
    if failed:
        raise failed[0]


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        held = lock(Path(f"{path}.lock"))
    except BlockingIOError as error:
        raise AlreadyRunning(f"{path} belongs to a running gateway") from error
    with held:
        yield
