"""One role in one process: ``python -m coldtrail.roles ROLE --data DIR``.

Each role imports its own packages alone, here inside its function, and nothing of the command
line: a gateway stays below 60 MB.
"""

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from coldtrail import logs, settings
from coldtrail.settings import Installation

log = logging.getLogger(__name__)

Run = Callable[[Installation, str, threading.Event], None]


def _gateway(installation: Installation, role: str, stop: threading.Event) -> None:
    from gateway.service import run

    run(
        installation.gateway_settings(installation.edge(role)),
        now_ms=installation.now_ms(),
        stop=stop,
    )


def _ingest(installation: Installation, role: str, stop: threading.Event) -> None:
    from ingest.service import run

    run(installation.ingest_settings(), now_ms=installation.now_ms(), stop=stop)


def _influx(installation: Installation, role: str, stop: threading.Event) -> None:
    from ingest.influx import run

    run(installation.influx_settings(), now_ms=installation.now_ms(), stop=stop)


def _alerts(installation: Installation, role: str, stop: threading.Event) -> None:
    from alerts.service import run

    run(installation.alerts_settings(), now_ms=installation.now_ms(), stop=stop)


def _traceability(installation: Installation, role: str, stop: threading.Event) -> None:
    from traceability.service import run

    run(installation.traceability_settings(), now_ms=installation.now_ms(), stop=stop)


def _api(installation: Installation, role: str, stop: threading.Event) -> None:
    from api.service import run

    run(installation.api_settings(), now_ms=installation.now_ms(), stop=stop, alone=True)


def _sms_centre(installation: Installation, role: str, stop: threading.Event) -> None:
    from coldtrail.sms_centre.service import run

    run(installation.sms_centre_settings(), now_ms=installation.now_ms(), stop=stop)


def _broker(installation: Installation, role: str, stop: threading.Event) -> None:
    from coldtrail.brokers import become_central

    become_central(installation)


def _edge_broker(installation: Installation, role: str, stop: threading.Event) -> None:
    from coldtrail.brokers import become_edge

    become_edge(installation, installation.edge(role))


RUNS: dict[str, Run] = {
    "broker": _broker,
    "edge-broker": _edge_broker,
    "gateway": _gateway,
    "ingest": _ingest,
    "influx": _influx,
    "alerts": _alerts,
    "traceability": _traceability,
    "api": _api,
    "sms-centre": _sms_centre,
}


def run(installation: Installation, role: str) -> None:
    """Until SIGTERM or SIGINT. ``settings.Wrong`` for a role that this folder does not have."""
    known = installation.roles()
    if role not in known:
        raise settings.Wrong(f"no role {role!r} here; there are: {', '.join(known)}")
    kind = next(k for k in RUNS if role == k or role.startswith(f"{k}-"))
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    logs.to_stderr(role, installation.now_ms())
    threading.excepthook = _end_with_thread
    log.info("role starts", extra={"folder": str(installation.folder)})
    RUNS[kind](installation, role, stop)
    log.info("role ends")


def _end_with_thread(died: threading.ExceptHookArgs) -> None:
    """A mistake of ours in any thread ends the role; it starts again from what is on disk."""
    if died.exc_value is None or died.exc_type is SystemExit:
        return
    log.error(
        "a thread died, and the role with it",
        extra={"died": died.thread.name if died.thread else ""},
        exc_info=(died.exc_type, died.exc_value, died.exc_traceback),
    )
    os._exit(70)


def main(arguments: list[str]) -> int:
    match arguments:
        case [role, "--data", folder]:
            try:
                run(settings.load(Path(folder)), role)
            except settings.Wrong as error:
                print(error, file=sys.stderr)
                return 2
            return 0
        case _:
            print("usage: python -m coldtrail.roles ROLE --data DIR", file=sys.stderr)
            return 2


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
