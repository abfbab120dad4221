"""One text by each channel of a person, beside the running system."""

from collections.abc import Iterator

from alerts.routes import Routes, Way
from channels.connect import carries, connect
from channels.ports import Outgoing
from coldtrail.settings import Installation
from coldtrail.watchdog import not_here, not_here_either, sent_within
from domain.message import clock_of
from domain.template import fill
from store.errors import NotReady
from store.records import open_records_reader
from store.records.ports import Person

LINK_S = 10.0
NAME = "Coldtrail"


class Nobody(Exception):
    """No such person or channel."""


def try_out(installation: Installation, person: str, only: str | None) -> Iterator[tuple[str, str]]:
    """(channel, what went wrong; empty: it was taken). Receipts and replies stay the running
    system's."""
    told = _person(installation, person)
    ways = {way.name: way for way in installation.alerts_settings().ways()}
    routes = Routes({n: Way(carries(w), w.by_default) for n, w in ways.items()})
    route = routes.of("sms", "raise", ["CRIT_HIGH"], told.channels)
    if only is not None and only not in ways:
        raise Nobody(f"no channel {only!r}; there are: {', '.join(ways)}")
    now_ms = installation.now_ms()
    at_ms = now_ms()
    lang = "en" if told.lang == "en" else "zh"
    filled = fill(f"test-{lang}", {"place": NAME, "since": clock_of(at_ms)})
    for name in [only] if only else route:
        try:
            channel = connect(
                ways[name], on_reply=not_here, on_receipt=not_here_either, now_ms=now_ms,
                hear=False,
            )  # fmt: skip
        except (OSError, ValueError, ImportError) as error:
            yield name, str(error)
            continue
        key = f"test.{person}.{name}.{at_ms}"
        try:
            message = Outgoing(key, told.phone, filled.text(), "test", filled)
            yield name, sent_within(channel, message, LINK_S)
        finally:
            channel.close()


def _person(installation: Installation, id: str) -> Person:
    try:
        records = open_records_reader(installation.server / "records.db")
    except NotReady as error:
        raise Nobody(str(error)) from error
    try:
        found = next((p for p in records.people() if p.id == id), None)
        if found is None:
            raise Nobody(f"no person {id!r}; the console lists them under /people")
        return found
    finally:
        records.close()
