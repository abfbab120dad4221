"""What each gateway is told of its own rooms, signed, whenever people change it.

Made from records alone. It is published retained, so a gateway that comes back hears the
newest at once; one whose words are the same is not published again.
"""

import logging
import threading
from collections.abc import Callable, Container, Iterable, Sequence
from contextlib import closing
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.activity import lately
from domain.judgement import Action
from domain.reading import PersonId, RoomId
from ingest.settings import Gateway
from store.errors import NotReady
from store.records import open_records_reader
from store.records.ports import RecordsReader
from store.room_input import lags_of
from wire import config_v1, topics

log = logging.getLogger(__name__)

LOOK_S = 0.5
HISTORY_MS = 9 * 86_400_000  # more than a gateway judges; what holds since before stands in it too
AGAIN_MS = 86_400_000  # then the past that a config carries is cut anew
OF_ROOMS = frozenset(
    {"assignment", "papers", "rule", "action"}
)  # changes of the rooms that they name
OF_NO_ROOM = frozenset({"lot", "case", "epcis", "check"})  # any other kind may concern any gateway

Publish = Callable[[str, bytes], None]  # topic, payload; retained


def sign_with(key_file: str) -> config_v1.Sign:
    """With the server's Ed25519 key, PKCS #8 in PEM. ``TypeError`` for any other."""
    key = serialization.load_pem_private_key(Path(key_file).read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError(f"{key_file} holds no Ed25519 key")
    return key.sign


def config_of(
    gateway: Gateway, records: RecordsReader, m: int, now_ms: int, was: Sequence[str] = ()
) -> config_v1.Config:
    """``m``: the last change when this was asked for; ``was``: earlier ids of the records."""
    silences = records.silences(now_ms)
    stopped = records.texts_stopped() if gateway.tells_people else {}
    sites = [site for site in records.sites() if site.gateway == gateway.id]
    ids = {site.id for site in sites}
    return config_v1.Config(
        1, gateway.id, records.store_id(), m, now_ms,
        tuple(config_v1.Site(s.id, s.kind, s.name_zh, s.name_en) for s in sites),
        tuple(
            config_v1.Room(
                room.id, room.site, room.kind, room.name_zh, room.name_en,
                _probes(records, room.id, now_ms - HISTORY_MS),
                _rules(records, room.id, now_ms - HISTORY_MS),
                _actions(records, room.id, now_ms - HISTORY_MS),
                _contacts(records, room.id, stopped) if gateway.tells_people else (),
                tuple(
                    config_v1.Silence(s.code, s.from_ms, s.to_ms)
                    for s in silences
                    if s.room == room.id
                ),
            )
            for room in records.rooms()
            if room.site in ids
        ),
        tuple(was),
        {d.day: d.counts_as for d in records.calendar()} if gateway.tells_people else {},
    )  # fmt: skip


def _probes(records: RecordsReader, room: RoomId, since_ms: int) -> tuple[config_v1.Probe, ...]:
    return tuple(
        config_v1.Probe(a.probe, a.from_ms, a.to_ms)
        for a in records.assignments(room)
        if a.to_ms is None or a.to_ms > since_ms
    )


def _rules(
    records: RecordsReader, room: RoomId, since_ms: int
) -> tuple[config_v1.RuleVersion, ...]:
    versions = records.rules(room)
    holding = max((i for i, v in enumerate(versions) if v.from_ms <= since_ms), default=0)
    return tuple(
        config_v1.RuleVersion(
            v.m, v.from_ms, v.profile, v.commodities, v.interval_s, dict(v.overrides)
        )
        for v in versions[holding:]
    )


def _actions(records: RecordsReader, room: RoomId, since_ms: int) -> tuple[config_v1.Action, ...]:
    """What people did, and how slow each probe is by its papers: as at the server."""
    did = [Action(a.at_ms, a.kind, a.by, a.detail) for a in records.actions(room)]
    held = [a for a in records.assignments(room) if a.to_ms is None or a.to_ms > since_ms]
    did = sorted([*did, *lags_of(records, held)], key=lambda a: a.at_ms)
    return tuple(
        config_v1.Action(a.at_ms, a.kind, a.by, dict(a.detail)) for a in lately(did, since_ms)
    )


def _contacts(
    records: RecordsReader, room: RoomId, stopped: Container[PersonId]
) -> tuple[config_v1.Contact, ...]:
    """Everybody of the ladder but those to whom no text may go."""
    return tuple(
        config_v1.Contact(p.id, c.role, p.phone, p.lang, p.quiet_hours, c.shifts)  # type: ignore[arg-type]  # one of ROLES
        for c in records.contacts(room)
        for p in (c.person,)
        if p.id not in stopped
    )


class Configs:
    """One thread (``run``); ``again`` may be called from any."""

    def __init__(
        self,
        gateways: Iterable[Gateway],
        sign: config_v1.Sign,
        publish: Publish,
        now_ms: Callable[[], int],
        was: Sequence[str] = (),
    ) -> None:
        self._was = was
        self._gateways = {g.id: g for g in gateways}
        self._sign = sign
        self._publish = publish
        self._now_ms = now_ms
        self._m = 0
        self._made: dict[str, config_v1.Config] = {}
        self._sent: dict[str, bytes] = {}
        self._again = threading.Event()

    def run(self, records_path: str, stop: threading.Event) -> None:
        """Until ``stop``: waits for the records, then looks at them twice a second."""
        while not stop.is_set():
            try:
                records = open_records_reader(records_path)
            except NotReady:
                stop.wait(LOOK_S)
                continue
            with closing(records):
                while not stop.wait(LOOK_S):
                    self.look(records)

    def again(self) -> None:
        """The broker is new, or was away: it may hold nothing."""
        self._again.set()

    def look(self, records: RecordsReader) -> None:
        """Publish what records say anew."""
        if self._again.is_set():
            self._again.clear()
            for id, payload in self._sent.items():
                self._publish(topics.config(self._gateways[id].partition, id), payload)
        m, now_ms = records.last_change(), self._now_ms()
        for id in self._concerned(records, m, now_ms):
            gateway = self._gateways[id]
            self._renew(gateway, config_of(gateway, records, m, now_ms, self._was))
        self._m = m

    def _concerned(self, records: RecordsReader, m: int, now_ms: int) -> set[str]:
        """Gateways about whose rooms something may have been said since the last look."""
        aged = {g for g, made in self._made.items() if made.made_at_ms < now_ms - AGAIN_MS}
        waiting = aged | (self._gateways.keys() - self._made.keys())
        rooms: set[str] = set()
        while self._made and self._m < m and (page := records.changes(self._m)):
            self._m = page[-1].m
            for change in page:
                if change.kind in OF_ROOMS:
                    rooms.update(change.rooms)
                elif change.kind not in OF_NO_ROOM:
                    return set(self._gateways)
        of_rooms = {
            g for g, made in self._made.items() if rooms.intersection(r.id for r in made.rooms)
        }
        return waiting | of_rooms

    def _renew(self, gateway: Gateway, config: config_v1.Config) -> None:
        before = self._made.get(gateway.id)
        self._made[gateway.id] = config
        if before is not None and before.content() == config.content():
            return
        try:
            payload = config_v1.encode(config, self._sign)
        except config_v1.BadConfig as error:
            log.error(  # noqa: TRY400 - the reason says it all
                "a gateway's config is not published",
                extra={"gateway": gateway.id, "reason": error.reason},
            )
            return
        self._sent[gateway.id] = payload
        self._publish(topics.config(gateway.partition, gateway.id), payload)
        log.info(
            "config published",
            extra={"gateway": gateway.id, "m": config.m, "bytes": len(payload)},
        )
