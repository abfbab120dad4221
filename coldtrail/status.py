"""What runs in a folder, and where to reach it: the answer of ``status --json``.

Read from the settings and from what the supervisor wrote, never by asking a role, so it answers
as soon as ``up`` runs, ready or not. Paths are absolute.
"""

from typing import Any

import msgspec

from coldtrail.settings import Edge, Installation
from coldtrail.supervise import Report, RoleState, is_up, report_path
from domain.system_alarm import SystemAlarm
from store.system_alarms import read


def status(installation: Installation) -> dict[str, Any]:
    edges = installation.here()
    first = edges[0] if edges else installation.edges()[0]
    file = installation.file
    return {
        "up": is_up(installation.folder),
        "roles": {role: msgspec.to_builtins(state) for role, state in _roles(installation).items()},
        "system": [_alarm(one) for one in read(str(installation.system), installation.now_ms()())],
        "edge": _edge(first),
        "edges": {edge.gateway.id: _edge(edge) for edge in edges},
        "broker": {"url": installation.broker_url},
        "api": {
            "url": installation.api_url,
            "token_file": str(installation.keys / "admin.token"),
        },
        "influx": {
            "url": file.influx.url,
            "kind": file.influx.kind,
            "database": file.influx.database,
            "bucket": file.influx.bucket,
        }
        if file.influx.url
        else None,
        "phone": {"url": installation.phone_url} if installation.phone_url else None,
        "clock": {
            "now_ms": installation.now_ms()(),
            "trust": {edge.gateway.id: installation.trust(edge) for edge in edges},
            "story": file.clock.start is not None or file.clock.rate != 1.0,
            "rate": file.clock.rate,
        },
    }


def _roles(installation: Installation) -> dict[str, RoleState]:
    roles = dict.fromkeys(installation.roles(), RoleState(None, "stopped", 0))
    if is_up(installation.folder):
        try:
            report = msgspec.json.decode(report_path(installation.folder).read_bytes(), type=Report)
        except FileNotFoundError:
            return roles  # it is starting
        roles.update(report.roles)
    return roles


def _alarm(one: SystemAlarm) -> dict[str, Any]:
    return {
        "code": one.code,
        "level": one.kind.level,
        "about": one.about,
        "since_ms": one.since_ms,
        "part": one.part,
        "stops": one.kind.stops,
        "detail": one.detail,
        "text": one.kind.text,
        "do": one.kind.do,
    }


def _edge(edge: Edge) -> dict[str, str]:
    """The installer's credentials: they may publish for any device."""
    return {
        "url": edge.mqtt_url,
        "username": "installer",
        "password_file": str(edge.keys / "installer.password"),
    }
