"""One room of a gateway's own, judged from the readings that the gateway holds.

The same engine as at the server, over the newest two days: what it finds is what the server
will find in the same readings.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from domain.engine import RoomEngine
from domain.incident import LINK_CODES, Contact, Known, RoomSeen
from domain.judgement import Action, Judgement, Rule
from domain.profile import Impossible
from domain.reading import Columns, ProbeId, Series
from domain.roster import Calendar, OnLadder, ladder
from domain.screening import SAMPLES
from gateway.recent import Recent, joined
from wire import config_v1

log = logging.getLogger(__name__)

AHEAD_MS = 26 * 3_600_000  # as at the server: so the moments of clock rules are known
NOTHING = Judgement((), (), ())


@dataclass(slots=True)
class LocalRoom:
    """``arrived``: when a sample of each series last came in, while this process ran."""

    config: config_v1.Room
    recent: Recent
    judgement: Judgement = NOTHING
    arrived: dict[Series, int] = field(default_factory=dict)
    _engine: RoomEngine | None = field(default=None, init=False)
    _wake_ms: int | None = field(default=0, init=False)  # 0: due

    def __post_init__(self) -> None:
        self.configure(self.config)

    def configure(self, config: config_v1.Room) -> None:
        """Other rules or actions; the assignments are those of before."""
        self.config = config
        rules = _rules(config)
        if self._engine is None:
            self._engine = RoomEngine(rules, _actions(config)) if rules else None
        elif not rules:
            self._engine, self.judgement = None, NOTHING
        else:
            self._engine.govern(rules)
            self._engine.note(_actions(config))
        self._wake_ms = 0

    def touch(self, series: Series, from_ms: int, to_ms: int, now_ms: int) -> None:
        if not self._holds(series.probe, from_ms, to_ms):
            return
        if series.quantity in SAMPLES:
            self.arrived[series] = now_ms
        if self._engine is not None:
            self._engine.touch(from_ms, to_ms)
        self._wake_ms = 0

    def due(self, now_ms: int) -> bool:
        return self._wake_ms is not None and self._wake_ms <= now_ms

    def judge(self, now_ms: int) -> None:
        self._wake_ms = None
        if self._engine is None:
            return
        horizon_ms = now_ms + AHEAD_MS
        try:
            self.judgement = self._engine.judge(horizon_ms, self._read)
        except Impossible as error:  # one room's rule must not silence the others
            log.exception(
                "a room is not judged", extra={"room": self.config.id, "field": error.field}
            )
            return
        self._engine.forget(self.recent.floor_ms)
        look_again_ms = horizon_ms - 3_600_000
        moment_ms = self.judgement.next_moment_ms(now_ms)
        self._wake_ms = look_again_ms if moment_ms is None else min(moment_ms, look_again_ms)

    def seen(self, now_ms: int, tell_from_ms: int) -> RoomSeen:
        rule = self.rule(now_ms)
        present = self.present(now_ms)
        samples = [at_ms for s in present if (at_ms := self._latest_sample(s)) is not None]
        return RoomSeen(
            facts=self.judgement.facts,
            upto_ms=now_ms,
            interval_s=rule.interval_s if rule else 300,
            newest_sample_ms=max(samples, default=None),
            arrived_ms={s: self.arrived[s] for s in present if s in self.arrived} if rule else {},
            maintenance=[
                (p.from_ms, p.to_ms)
                for p in self.judgement.pauses
                if p.cause == "maintenance" and p.to_ms is not None and p.from_ms <= now_ms
            ],
            tell_from_ms=tell_from_ms,
            silenced={
                s.code: s.to_ms for s in self.config.silences if s.from_ms <= now_ms < s.to_ms
            },
        )

    def rule(self, now_ms: int) -> Rule | None:
        """The one that is in force."""
        rules = _rules(self.config)
        return next(
            (r for r in reversed(rules) if r.from_ms <= now_ms), rules[0] if rules else None
        )

    def contacts(self, calendar: Calendar, now_ms: int) -> list[Contact]:
        """Whom the ladder tells at this instant."""
        people = {c.id: c for c in self.config.contacts}
        standing = [OnLadder(c.id, c.role, c.shifts) for c in self.config.contacts]
        return [
            Contact(t.person, t.role, p.phone, p.lang, p.quiet_hours, t.instead)
            for t in ladder(standing, calendar, now_ms)
            for p in (people[t.person],)
        ]

    def listen(self, now_ms: int, known: Sequence[Known]) -> None:
        """From now on, silence of what was heard before is noticed. While a silence is ``known``,
        what had measured nothing for long when it was last looked at is silent still."""
        rule = self.rule(now_ms)
        links = [k.seen_ms for k in known if k.active and k.code in LINK_CODES]
        silent_ms = max(links) - 3_000 * rule.interval_s if links and rule else 0
        for series in self.present(now_ms):
            if series.quantity in SAMPLES:
                latest_ms = self._latest_sample(series) or now_ms
                self.arrived.setdefault(series, latest_ms if latest_ms <= silent_ms else now_ms)

    def present(self, now_ms: int) -> list[Series]:
        """Of the probes that are in the room now."""
        return [
            series
            for a in self.config.probes
            if a.from_ms <= now_ms and (a.to_ms is None or a.to_ms > now_ms)
            for series in self.recent.series_of(ProbeId(a.probe))
        ]

    def _latest_sample(self, series: Series) -> int | None:
        if series.quantity not in SAMPLES:
            return None
        row = self.recent.latest(series)
        return row[0] if row else None

    def _holds(self, probe: str, from_ms: int, to_ms: int) -> bool:
        return any(
            a.probe == probe and to_ms >= a.from_ms and (a.to_ms is None or from_ms < a.to_ms)
            for a in self.config.probes
        )

    def _read(self, from_ms: int, to_ms: int) -> Mapping[Series, Columns]:
        """A probe's readings belong to the room only while it was assigned to it."""
        found: dict[Series, Columns] = {}
        for a in sorted(self.config.probes, key=lambda a: a.from_ms):
            start = max(a.from_ms, from_ms)
            end = to_ms if a.to_ms is None else min(a.to_ms, to_ms)
            if start >= end:
                continue
            for series in self.recent.series_of(ProbeId(a.probe)):
                rows = self.recent.between(series, start, end)
                if len(rows):
                    found[series] = joined(found[series], rows) if series in found else rows
        return found


def _rules(config: config_v1.Room) -> list[Rule]:
    return [
        Rule(str(v.m), v.from_ms, v.profile, v.commodities, v.interval_s, v.overrides)
        for v in config.rules
    ]


def _actions(config: config_v1.Room) -> Sequence[Action]:
    """What people did, and the end of each assignment: the probe left the room."""
    actions = [Action(a.at_ms, a.kind, a.by, a.detail) for a in config.actions]
    actions += [
        Action(p.to_ms, "probe_removed", "", {"probe": p.probe})
        for p in config.probes
        if p.to_ms is not None
    ]
    return sorted(actions, key=lambda a: a.at_ms)
