"""What people would have entered in the demo's county, and how: into a new folder before any
role runs, and over the api afterwards."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from coldtrail import county
from coldtrail.demo_screen import Screen
from coldtrail.settings import Installation
from domain.reading import RoomId
from store.records import open_records

RULES_MIN = county.HISTORY_MIN + 1440  # rules and assignments hold since before the history


class Unanswered(Exception):
    """The api did not do what the story needs."""


def write_records(installation: Installation, now_ms: int) -> None:
    """Places, probes, rules and people, as a county's administrator would have entered them."""
    records = open_records(installation.server / "records.db")
    since_ms = now_ms - round(RULES_MIN * county.MINUTE_MS)
    by = "demo"
    try:
        for region in county.REGIONS:
            records.put_region(region, by=by, now_ms=now_ms)
        for site in county.SITES:
            records.put_site(site, by=by, now_ms=now_ms)
        for person in county.people():
            records.put_person(person, by=by, now_ms=now_ms)
        for duty in county.DUTIES:
            records.put_duty(duty, by=by, now_ms=now_ms)
        for room in county.ROOMS:
            id = RoomId(room.id)
            records.put_room(room.record(), by=by, now_ms=now_ms)
            records.add_rule(
                id, since_ms, room.profile, room.commodities, county.INTERVAL_S, {},
                by=by, now_ms=now_ms,
            )  # fmt: skip
            for device in county.probes(room):
                probe = county.probe_id(room, device)
                records.assign(probe, id, since_ms, by=by, now_ms=now_ms)
    finally:
        records.close()


def tell_of_lots(installation: Installation, zero_ms: int, screen: Screen) -> None:
    """Entered when the readings are there, as people do it: afterwards."""
    for lot in county.LOTS:
        made = post(
            installation,
            "/api/v1/lots",
            {
                "id": lot.id,
                "commodity": lot.commodity,
                "quantity_kg": lot.quantity_kg,
                "producer": lot.producer,
            },
        )
        for i, (minute, kind, site, room) in enumerate(lot.moves):
            move: dict[str, object] = {
                "kind": kind,
                "at": zero_ms + round(minute * county.MINUTE_MS),
                "key": f"{lot.id}-{i}",
            }
            move |= {name: value for name, value in (("site", site), ("room", room)) if value}
            post(installation, f"/api/v1/lots/{lot.id}/events", move)
        if lot.id == county.BUYER_LOT:
            screen.link("buyer page", f"{installation.base_url}/t/{made['code']}")


def post(installation: Installation, path: str, body: Mapping[str, object]) -> dict[str, Any]:
    token = (installation.keys / "admin.token").read_text().strip()
    request = urllib.request.Request(  # noqa: S310 - our own address
        installation.api_url + path,
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        method="POST",
    )
    for attempt in range(20):
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - our own address
                parsed: dict[str, Any] = json.loads(answer.read())
                return parsed
        except urllib.error.HTTPError as error:
            raise Unanswered(f"{path}: {error.code} {error.read().decode()}") from error
        except OSError as error:  # the api may have been killed: it comes back
            if attempt == 19:
                raise Unanswered(f"{path}: {error}") from error
            time.sleep(0.5)
    raise AssertionError("unreachable: the last attempt returns or raises")


def sign_in_link(installation: Installation) -> str:
    from api.sessions import Gate, session_key

    token = (installation.keys / "admin.token").read_text().strip()
    gate = Gate(token, session_key(installation.keys / "session.key"))
    return f"{installation.api_url}/signin?token={gate.new_link(installation.now_ms()())}"
