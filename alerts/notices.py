"""What must be said: the decision's state, stepped by judgements, replies and the clock.

The state and the notices that a step gave are written in one transaction. Facts may be rebuilt
meanwhile: what was told is recognised by its span, so a rebuilt file rings nobody.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

import msgspec

from alerts.engine import Engine
from alerts.escalation import ANSWER, CAUSE_WITHIN_MS, Rosters, Understood, understand
from alerts.gateway_events import BY_GATEWAY, GatewayEvents
from alerts.places import Places
from alerts.routes import ONE, Routes
from alerts.subjects import TEST, Subjects, is_room
from domain.decision import Notice, PersonState, Seen, State, Together, due, next_wake_ms, step
from domain.incident import DAY_MS, HOUR_MS, RoomSeen, RoomState, link_due
from domain.message import ONE_PART, compose, reply_code
from domain.reading import RoomId
from store.facts import SqlFactsStore
from store.notices import (
    LAST_ALIVE,
    KeptReply,
    NewNotice,
    OpenIncident,
    SilentLink,
    SqlNoticesStore,
)
from store.notices.writer import TELL_FROM
from store.records.ports import Person, RecordsReader, Silence

NEVER_TELL_AFTER_MS = 45 * DAY_MS  # what ended so long ago is for the record alone
ALIVE_EVERY_MS = 60_000
SHORTEST_AWAY_MS = 90_000  # as long as a silence can be whose readings come every half minute
AWAY_COUNTS_MS, MOST_AWAY = 45 * DAY_MS, 64
HELP_EVERY_MS = HOUR_MS  # for each person: a telephone that answers by itself is not talked to
ACKS_SEEN = "acks_seen_m"
NOBODY_ZH, NOBODY_EN = "无人值班:", "Nobody on duty: "
EVERYWHERE = ""  # the row of the state that spans rooms


@dataclass(frozen=True, slots=True)
class _Spanning:
    people: dict[str, PersonState] = field(default_factory=dict)
    power: dict[str, tuple[tuple[int, str], ...]] = field(default_factory=dict)
    digest_ms: int | None = None
    together: dict[str, Together] = field(default_factory=dict)


def _spanning(state: State) -> _Spanning:
    return _Spanning(dict(state.people), dict(state.power), state.digest_ms, dict(state.together))


class Notifier:
    def __init__(
        self,
        engine: Engine,
        records: RecordsReader,
        facts: SqlFactsStore,
        notices: SqlNoticesStore,
        now_ms: int,
        tell_from_ms: int | None = None,
        gateways: GatewayEvents | None = None,
        routes: Routes = ONE,
    ) -> None:
        self._engine, self._records, self._facts, self._store = engine, records, facts, notices
        self._gateways = gateways
        notices.put_about(TELL_FROM, now_ms if tell_from_ms is None else tell_from_ms, keep=True)
        notices.put_about(ACKS_SEEN, records.last_change(), keep=True)
        self._tell_from_ms = notices.about(TELL_FROM) or 0
        # Never beyond the journal: records that were put back from a copy count on from there.
        self._acks_seen_m = min(notices.about(ACKS_SEEN) or 0, records.last_change())
        self._alive_ms = notices.about(LAST_ALIVE) or 0
        self._away = self._away_until(now_ms)
        kept = notices.states()
        spanning = msgspec.json.decode(kept.pop(EVERYWHERE, b"{}"), type=_Spanning)
        rooms = {r: msgspec.json.decode(s, type=RoomState) for r, s in kept.items()}
        self._state = State(
            rooms, spanning.people, spanning.power, spanning.digest_ms, spanning.together
        )
        self._incidents = notices.incidents(now_ms - CAUSE_WITHIN_MS)
        self.rosters = Rosters(records, routes)
        self.places = Places(records)
        self._subjects = Subjects(engine, records)
        self._silences: dict[str, list[Silence]] = {}
        self._seen_m = -1
        self._catching_up: set[RoomId] = set()
        self._looked_at: set[RoomId] = (
            set()
        )  # in this life: the facts may be news of an earlier one
        self._links: dict[str, list[SilentLink]] = {}
        self._links_written: list[SilentLink] | None = None
        self._helped_ms: dict[str, int] = {}  # person: when we last said how to reply

    def wake_ms(self) -> int | None:
        wakes = [next_wake_ms(self._state)]
        wakes += [self._engine.drained_at_ms(room) for room in self._catching_up]
        return min((w for w in wakes if w is not None), default=None)

    def turn(self, now_ms: int, judged: set[RoomId]) -> int:
        """Tell what is new of these rooms and what is due; how many notices came of it."""
        if now_ms < self._alive_ms - ALIVE_EVERY_MS:
            self._away = self._away_until(now_ms)
        acked, said_of, upto_m = self._recorded()
        self._refresh(now_ms)  # after it: what was just said is told to whoever is there by now
        judged = judged | {r for r in self._engine.rooms() if r not in self._looked_at}
        drained = {r for r in self._catching_up if not self._engine.catching_up(r, now_ms)}
        wake_ms = self.wake_ms()
        news = judged | acked | said_of | drained
        if not (news or (wake_ms is not None and wake_ms <= now_ms)):
            self._keep_alive(now_ms)
            return 0
        before = self._state
        notices = self._step(now_ms, news, frozenset(acked))
        if answered := self._answered_before(before):
            notices += self._step(now_ms, {*answered}, answered, alone=True)
        incidents = self._numbered(before, now_ms)
        fresh, told = self._untold(self._addressed(notices, now_ms), notices)
        self._store.decide(
            self._changed(before), fresh, incidents, self._links_to_write(), told, now_ms
        )
        self._alive_ms = now_ms
        if upto_m != self._acks_seen_m:
            self._store.put_about(ACKS_SEEN, upto_m)
            self._acks_seen_m = upto_m
        return len(fresh)

    def read_replies(self, now_ms: int) -> int:
        """Give every stored reply its meaning, stop the ladders, write the answers."""
        unread = self._store.unread()
        if unread:
            self._refresh(now_ms)
        for reply in unread:
            told, acked = self._told()
            found = understand(reply, self.rosters, self._incidents, told, acked)
            before, notices = self._state, []
            if found.word == "ack":
                notices = self._step(now_ms, {found.room}, frozenset({found.room}), alone=True)
            incidents = self._numbered(before, now_ms)
            answers = self._addressed(notices, now_ms) + self._answer(reply, found, now_ms)
            owed = found.word in ("ack", "cause", "unsubscribe", "resume")
            self._store.read_reply(
                reply.provider_id, found.word, found.person.id if found.person else "",
                found.room, {"cause": found.cause} if found.cause else {},
                owed=owed, states=self._changed(before), answers=answers, incidents=incidents,
                alive_ms=now_ms,
            )  # fmt: skip
            self._alive_ms = now_ms
        return len(unread)

    # --- one step

    def _refresh(self, now_ms: int) -> None:
        head = self._records.last_change()
        if self._seen_m != head:
            self._seen_m = head
            self.rosters.refresh()
            self.places.refresh()
            self._subjects.refresh(now_ms)
            self._silences.clear()
            for silence in self._records.silences(now_ms):
                self._silences.setdefault(silence.room, []).append(silence)

    def _step(
        self, now_ms: int, news: set[str], acked: frozenset[str], *, alone: bool = False
    ) -> list[Notice]:
        """``alone``: rooms that are due wait for the next turn."""
        if over := {s for s in self._state.rooms if self._subjects.forgettable(s)}:
            left = {s: one for s, one in self._state.rooms.items() if s not in over}
            self._state = replace(self._state, rooms=left)
        concerned = news.union(() if alone else due(self._state, now_ms))
        gateways = self._subjects.gateways_of(concerned)
        concerned |= self._subjects.heard_again(gateways, now_ms, self._away)
        rooms = {RoomId(r) for r in concerned if is_room(r)}.intersection(self._engine.rooms())
        rooms = {r for r in rooms if self._engine.watch(r).judged_at_ms is not None}
        of_rooms = {r: self._seen(r, now_ms) for r in rooms}
        beyond = gateways.union(s for s in concerned if self._subjects.known(s))
        seen_now: dict[str, RoomSeen] = {**of_rooms} | {
            s: self._subjects.seen(s, now_ms, self._away) for s in beyond
        }
        seen = Seen(
            seen_now,
            {s: self.rosters.of(s, now_ms) for s in seen_now},
            {s: self.places.site(s) for s in seen_now},
            acked,
            together=True,
        )
        self._catching_up = {
            r for r in self._catching_up | rooms if self._engine.catching_up(r, now_ms)
        }
        self._silent(of_rooms, now_ms)
        self._looked_at |= rooms
        self._state, notices = step(self._state, now_ms, seen)
        return notices

    def _seen(self, room: RoomId, now_ms: int) -> RoomSeen:
        watch = self._engine.watch(room)
        floor = max(self._tell_from_ms, now_ms - NEVER_TELL_AFTER_MS)
        rules = [r for r in watch.rules if r.from_ms <= now_ms] or watch.rules[:1]
        arrived = self._engine.links(room, now_ms) if rules else {}
        latest = self._engine.latest_sample(room)
        return RoomSeen(
            facts=[
                f
                for f in watch.judgement.facts
                if f.cleared_at_ms is None or f.cleared_at_ms > floor
            ],
            upto_ms=now_ms,
            interval_s=rules[-1].interval_s if rules else 300,
            newest_sample_ms=latest.at_ms if latest else None,
            arrived_ms=arrived,
            maintenance=[
                (p.from_ms, p.to_ms)
                for p in watch.judgement.pauses
                if p.cause == "maintenance" and p.to_ms is not None and p.from_ms <= now_ms
            ],
            away=self._away,
            tell_from_ms=floor,
            catching_up=self._engine.catching_up(room, now_ms),
            silenced=watch.held_back.until(watch.judgement.facts, now_ms)
            | {
                s.code: s.to_ms
                for s in self._silences.get(room, ())
                if s.from_ms <= now_ms < s.to_ms
            },
            muted=self._subjects.muted(room, now_ms, self._away),
        )

    def _recorded(self) -> tuple[set[str], set[str], int]:
        """Since the last turn: rooms acknowledged in the records, and whatever else somebody
        said that a ladder must look at. What came by SMS stopped its ladder when it came."""
        head, at = self._records.last_change(), self._acks_seen_m
        acked: set[str] = set()
        said_of: set[str] = set()
        while at < head:
            page = self._records.changes(at)
            if not page:
                break
            for change in page:
                if change.kind == "silence":
                    said_of.add(change.subject.split()[0])
                elif change.kind == "drill":
                    said_of.add(f"{TEST}{change.subject}")
                elif change.kind == "action" and not change.subject.startswith("sms:"):
                    acked.update(r for r in change.rooms if self._was_ack(r, change.m))
            at = page[-1].m
        if not acked and not said_of:
            self._acks_seen_m = at
        return acked, said_of, at

    def _answered_before(self, before: State) -> frozenset[str]:
        """Rooms whose ladder begins although somebody at their gateway has acknowledged this very
        alarm: its readings came later than the answer."""
        found = set()
        for room, earlier, state in self._moved(before):
            was, now = (earlier or RoomState()).incident, state.incident
            if not is_room(room) or now is None or now.ladder is None:
                continue
            if was is not None and (was.ladder is not None or was.acked_ms is not None):
                continue  # it had begun before, or rings again because an answer has aged
            fired = [k.fired_ms for k in state.known if k.active and k.told_critical]
            actions = self._records.actions(RoomId(room)) if fired else []
            if any(
                a.kind == "ack" and a.at_ms >= min(fired) and a.id.startswith(BY_GATEWAY)
                for a in actions
            ):
                found.add(room)
        return frozenset(found)

    def _moved(self, before: State) -> Iterator[tuple[str, RoomState | None, RoomState]]:
        """Rooms that a step has looked at: what they were and are. The others are the very same
        object, and they are many."""
        for room, state in self._state.rooms.items():
            if (earlier := before.rooms.get(room)) is not state:
                yield room, earlier, state

    def _was_ack(self, room: RoomId, m: int) -> bool:
        return any(a.m == m and a.kind == "ack" for a in self._records.actions(room))

    # --- what is written

    def _changed(self, before: State) -> dict[str, bytes]:
        rows = {
            room: msgspec.json.encode(state)
            for room, earlier, state in self._moved(before)
            if earlier != state
        }
        spanning = _spanning(self._state)
        if spanning != _spanning(before):
            rows[EVERYWHERE] = msgspec.json.encode(spanning)
        return rows

    def _numbered(self, before: State, now_ms: int) -> list[OpenIncident]:
        """Incidents that opened or closed with this step; each has a code of its own."""
        rows = []
        for room, before_it, state in self._moved(before):
            earlier = before_it or RoomState()
            was, now = earlier.incident, state.incident
            if was and (now is None or now.number != was.number):
                rows.append(self._incident(room, was.number, was.began_ms, now_ms))
            if now and (was is None or was.number != now.number):
                rows.append(self._incident(room, now.number, now.began_ms, None))
            elif now is None and state.incidents > earlier.incidents:
                rows.append(self._incident(room, state.incidents, now_ms, now_ms))
        for row in rows:
            self._incidents = [
                i for i in self._incidents if (i.room, i.number) != (row.room, row.number)
            ]
            self._incidents.insert(0, row)
        return rows

    def _incident(
        self, room: str, number: int, opened_ms: int, closed_ms: int | None
    ) -> OpenIncident:
        return OpenIncident(room, number, self._code(room, number), opened_ms, closed_ms)

    def _code(self, room: str, number: int) -> str:
        """No two incidents that a person could mean have the same code."""
        for i in self._incidents:
            if (i.room, i.number) == (room, number):
                return i.code
        taken = {i.code for i in self._incidents}
        salt = 0
        while (code := reply_code(room, number, salt)) in taken:
            salt += 1
        return code

    def _addressed(self, notices: Sequence[Notice], now_ms: int) -> list[NewNotice]:
        rows = []
        for notice in notices:
            person = self.rosters.hears(notice.to, notice.channel, notice.kind, notice.codes)
            if person is None:  # gone from the records since, or nothing they left us carries it
                continue
            code = self._code(notice.room, notice.incident) if notice.incident else ""
            instead = self._instead(notice, person, now_ms)
            text = instead + compose(
                notice, self.places.of(notice), person.lang, code, ONE_PART - len(instead)
            )
            rows.append(
                NewNotice(
                    _short(notice.key), now_ms, notice.to, person.phone, notice.channel,
                    notice.kind, notice.codes, notice.room, notice.incident, code, text,
                    self._fact_ids(notice), msgspec.json.encode(notice),
                )
            )  # fmt: skip
        return rows

    def _untold(
        self, rows: Sequence[NewNotice], notices: Sequence[Notice]
    ) -> tuple[list[NewNotice], list[NewNotice]]:
        """(what is to be sent, messages of gateways that say it already)."""
        if self._gateways is None:
            return list(rows), []
        decided = {_short(notice.key): notice for notice in notices}
        fresh: list[NewNotice] = []
        told: list[NewNotice] = []
        for row in rows:
            said = self._gateways.told_already(decided[row.key])
            if said is None:
                fresh.append(row)
            else:
                told.append(
                    replace(said, incident=row.incident, code=row.code, facts=list(row.facts))
                )
        return fresh, told

    def _instead(self, notice: Notice, person: Person, now_ms: int) -> str:
        """Said in front to whoever is told because nobody on duty is nearer."""
        if notice.kind != "raise" or not notice.room:
            return ""
        mine = [c for c in self.rosters.of(notice.room, now_ms) if c.id == person.id]
        if not any(c.instead and c.role == "operator" for c in mine):
            return ""
        return NOBODY_EN if person.lang == "en" else NOBODY_ZH

    def _fact_ids(self, notice: Notice) -> list[str]:
        ids = []
        for room in {room for room, _ in notice.about}:
            spans = {(k.code, k.fired_ms) for r, k in notice.about if r == room}
            first = min(fired for _, fired in spans)
            facts = self._facts.facts(RoomId(room), from_ms=first - 1)
            ids += [f.id for f in facts if (f.code, f.fired_at_ms) in spans]
        return sorted(ids)

    def _silent(self, seen: Mapping[RoomId, RoomSeen], now_ms: int) -> None:
        for room, one in seen.items():
            found = []
            for series, since in (one.arrived_ms or {}).items():
                warn, crit = link_due(one, series)
                if warn <= now_ms:
                    level = "critical" if crit <= now_ms else "warning"
                    found.append(SilentLink(room, series.probe, series.quantity, since, level))
            self._links[room] = found

    def _links_to_write(self) -> list[SilentLink] | None:
        links = [link for room in sorted(self._links) for link in self._links[room]]
        if links == self._links_written:
            return None
        self._links_written = links
        return links

    def _told(self) -> tuple[Mapping[str, set[str]], Set[str]]:
        """Of which rooms' open incidents each person was told, and which were acknowledged."""
        told: dict[str, set[str]] = {}
        acked = set()
        for room, state in self._state.rooms.items():
            if state.incident is None:
                continue
            if state.incident.acked_ms is not None:
                acked.add(room)
            for person in state.incident.people:
                told.setdefault(person, set()).add(room)
        return told, acked

    def _answer(self, reply: KeptReply, found: Understood, now_ms: int) -> list[NewNotice]:
        person = found.person
        if person is None:
            return []
        zh = person.lang != "en"
        offers = [f"{i.code} {self.places.name(i.room, zh)}" for i in found.choices]
        if found.word == "which":
            text = _listed(
                "有多个报警,请回复代码:" if zh else "Several. Reply a code: ", offers, zh
            )
        elif found.word == "wrong-code" and offers:
            head = "没有这个代码。未确认的报警:" if zh else "No such code. Waiting: "
            text = _listed(head, offers, zh)
        elif found.word == "wrong-code":
            text = "没有这个代码的报警" if zh else "There is no alarm with this code"
        elif found.word == "over" and is_room(found.room):
            text = _over(self.places.name(found.room, zh), found.code, zh)
        elif found.word in ("nothing-open", "over"):
            text = NOTHING_ZH if zh else NOTHING_EN
        elif found.word == "unclear":
            if now_ms - self._helped_ms.get(person.id, 0) < HELP_EVERY_MS:
                return []
            self._helped_ms[person.id] = now_ms
            text = _help([i.code for i in found.choices], zh)
        elif found.word == "unsubscribe":
            text = STOPPED_ZH if zh else STOPPED_EN
        elif found.word == "resume":
            text = RESUMED_ZH if zh else RESUMED_EN
        elif found.word == "temperature":
            rooms = [r for r in self._engine.rooms()
                     if any(c.person.id == person.id for c in self.rosters.everyone(r))]  # fmt: skip
            text = _listed("", [self._temperature(r, zh, now_ms) for r in rooms], zh) or (
                "没有您的库房" if zh else "No rooms are yours"
            )
        else:
            return []
        return [
            NewNotice(
                _short(f"answer/{reply.provider_id}"), now_ms, person.id, person.phone, "sms",
                ANSWER, (), "", 0, "", text, (),
            )
        ]  # fmt: skip

    def _temperature(self, room: RoomId, zh: bool, now_ms: int) -> str:
        name = self.places.name(room, zh)
        latest = self._engine.latest_sample(room)
        if latest is None:
            return f"{name}{'无数据' if zh else ' no data'}"
        minutes = max(0, (now_ms - latest.at_ms) // 60_000)
        age = f"({minutes}分钟前)" if zh else f" ({minutes} min ago)"
        return f"{name} {latest.count / 100:.1f}℃{age}"

    def _away_until(self, now_ms: int) -> Sequence[tuple[int, int]]:
        """While nothing ran here nothing could arrive: silence then is not the probes' silence.
        Kept, because a second start soon after must know it too; what a clock that was ahead made
        of it is cut off at the present."""
        stored = self._store.away()
        spans = [
            (left, min(back, now_ms))
            for left, back in stored
            if left < min(self._alive_ms, now_ms) and back > now_ms - AWAY_COUNTS_MS
        ]
        if now_ms - self._alive_ms > SHORTEST_AWAY_MS:
            spans.append((self._alive_ms, now_ms))
        while len(spans) > MOST_AWAY:  # the oldest two as one: silence is told later, not wrongly
            spans[:2] = [(spans[0][0], spans[1][1])]
        if spans != stored:
            self._store.put_away(spans)
        return spans

    def _keep_alive(self, now_ms: int) -> None:
        if abs(now_ms - self._alive_ms) >= ALIVE_EVERY_MS:  # or the clock was put back
            self._store.put_about(LAST_ALIVE, now_ms)
            self._alive_ms = now_ms


STOPPED_ZH = "已退订,不再给您发报警短信。您负责的库房会改为通知别人。要恢复请回 恢复"
STOPPED_EN = "No more alarm texts to you; others are told. Reply START to resume"
RESUMED_ZH = "报警短信会照常发给您。不再接收请回 TD"
RESUMED_EN = "Alarm texts go to you as usual. Reply TD to stop them"
NOTHING_ZH = "现在没有等您确认的报警。查库温请回 温度"
NOTHING_EN = "No alarm waits for your answer. For temperatures reply TEMP"


def _help(codes: Sequence[str], zh: bool) -> str:
    """To words that mean nothing to us: what this person can reply now."""
    if not codes:
        return (
            "没看懂您的短信。查库温请回 温度"
            if zh
            else "Not understood. For temperatures reply TEMP"
        )
    if len(codes) == 1:
        if zh:
            return f"没看懂,报警还没有确认。确认请回:1 {codes[0]}"
        return f"Not understood, not yet confirmed. Reply 1 {codes[0]}"
    if zh:
        return f"没看懂,有{len(codes)}个报警未确认。请回各自的代码,如:1 {codes[0]}"
    return f"Not understood, {len(codes)} alarms wait. Reply each code, as 1 {codes[0]}"


def _over(place: str, code: str, zh: bool) -> str:
    """The alarm of this code is over: what can still be said of it is its cause."""
    if not zh:
        return f"It is over. Why? {code} + 1door 2power 3defrost 4load 5unit 6warm 7false"
    what = f"报警已结束。原因请回{code}加:1门2断电3化霜4装卸5设备6货温高7误报"
    said = f"{place}的{what}"
    return said if len(said) <= ONE_PART else what


def _short(key: str) -> str:
    """Carriers bound the length of a key."""
    return hashlib.blake2b(key.encode(), digest_size=16).hexdigest()


def _listed(head: str, items: Sequence[str], zh: bool) -> str:
    """All of it, in as many parts as it takes; nobody asked for less."""
    text = head + (";" if zh else "; ").join(items)
    return text if len(text) <= 10 * ONE_PART else text[: 10 * ONE_PART - 1] + "…"
