"""One room, from the first thing told to the all-clear: what is worth saying, and to which step
of the ladder.

Facts are judged by event time and told by arrival time (alarm decisions, section G). An incident
begins with the first notice about something active and ends when nothing is active any more.
Silence of a probe is a link alarm: it counts from arrivals, not from the readings' own time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from domain.judgement import Fact
from domain.reading import Series

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
LOCAL_OFFSET_MS = 8 * HOUR_MS  # China has one civil time and no summer time

# Told only while the room's samples are fresh: an old upload must not ring as if it were now.
LIMIT_CODES = frozenset({
    "WARN_HIGH", "WARN_LOW", "WARN_CHILL", "WARN_DANGER_BAND", "CRIT_HIGH", "CRIT_LOW",
    "CRIT_FREEZE", "CRIT_CHILL_CUM", "CEILING", "GSP_OUT", "WHO_HEAT", "WHO_FREEZE",
})  # fmt: skip
LINK_WARN, LINK_CRIT = "DATA_GAP_WARN", "DATA_GAP_CRIT"
LINK_CODES = frozenset({LINK_WARN, LINK_CRIT})
POWER = "POWER_LOSS_WARN"

FIRST_STEP_MS = 15 * MINUTE_MS
EVERY_MS = 30 * MINUTE_MS
AFTER_ACK_MS = 2 * HOUR_MS
FOREVER_MS = 1 << 62


@dataclass(frozen=True, slots=True)
class Contact:
    """A person as one room's ladder sees them. ``role``: operator, second, township, county.
    ``instead``: nobody on duty is nearer, so it is this one who is told (``domain.roster``)."""

    id: str
    role: str
    phone: str
    lang: str = "zh"
    quiet_hours: bool = True  # warnings wait at night
    instead: str = ""


@dataclass(frozen=True, slots=True)
class RoomSeen:
    """What is known of a room now.

    ``facts``: the newest judgement, DATA_GAP included or not (it is told as a link only); facts
    that fire after ``upto_ms`` are not true yet. ``arrived_ms``: when a valid sample of each
    series last arrived. ``maintenance``: spans in which links are off. ``away``: spans, oldest
    first, in which nobody was there to hear (the server did not run). Facts that ended before
    ``tell_from_ms`` are never told. ``catching_up``: a backlog drains; what is over waits, and so
    does what fired a while ago and looks active on the half that is here. ``silenced``: codes
    that somebody asked not to hear of, with the end of that. ``muted``: what all the room's
    readings come through is silent itself, so that silent probes are no news.
    """

    facts: Sequence[Fact]
    upto_ms: int
    interval_s: int
    newest_sample_ms: int | None = None
    arrived_ms: Mapping[Series, int] | None = None
    maintenance: Sequence[tuple[int, int]] = ()
    away: Sequence[tuple[int, int]] = ()
    tell_from_ms: int | None = None
    catching_up: bool = False
    silenced: Mapping[str, int] = field(default_factory=dict)
    muted: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """A fact or link as it was last seen, and who was told of it or waits for the morning."""

    code: str
    level: str
    began_ms: int
    fired_ms: int
    cleared_ms: int | None
    peak: int | None
    seen_ms: int
    told: tuple[str, ...] = ()
    told_critical: bool = False
    waiting: tuple[str, ...] = ()

    @property
    def active(self) -> bool:
        return self.cleared_ms is None


@dataclass(frozen=True, slots=True)
class Ladder:
    """Running since ``t_ms``; ``done_ms`` of it is behind us; ``step`` is the highest reached:
    0 operators, 1 seconds as well, 2 township, 3 county."""

    t_ms: int
    done_ms: int = 0
    step: int = 0


@dataclass(frozen=True, slots=True)
class Rung:
    """One step that is due: ``escalate``, with ``called`` by voice as well, or ``repeat``."""

    at_ms: int
    kind: str
    step: int
    to: tuple[str, ...]
    called: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Incident:
    """``codes`` and ``people``: told since it began. ``number`` counts a room's incidents."""

    number: int
    began_ms: int
    codes: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    ladder: Ladder | None = None
    acked_ms: int | None = None


@dataclass(frozen=True, slots=True)
class RoomState:
    """``wake_ms``: when something may be due without anything arriving."""

    known: tuple[Known, ...] = ()
    incident: Incident | None = None
    incidents: int = 0
    wake_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Say:
    """One message to people by id. ``urgent`` is never held back by a cap."""

    kind: str  # raise | escalate | repeat | clear | past | corrected
    channel: str  # sms | voice
    to: tuple[str, ...]
    about: tuple[Known, ...]
    codes: tuple[str, ...]
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    state: RoomState
    says: tuple[Say, ...]
    power_raised: bool  # POWER_LOSS_WARN became known as active


def by_day(now_ms: int) -> bool:
    """06:00 <= local time < 22:00."""
    return 6 * HOUR_MS <= (now_ms + LOCAL_OFFSET_MS) % DAY_MS < 22 * HOUR_MS


def _codes(known: Sequence[Known]) -> tuple[str, ...]:
    return tuple(sorted({k.code for k in known}))


def _with(people: tuple[str, ...], more: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted({*people, *more}))


def _of_role(contacts: Sequence[Contact], *roles: str) -> tuple[str, ...]:
    return tuple(sorted({c.id for c in contacts if c.role in roles}))


# --- what is true -------------------------------------------------------------------------------


def link_due(seen: RoomSeen, series: Series) -> tuple[int, int]:
    """When silence of the series becomes a warning and a critical. Maintenance cuts the silence:
    what is left of it begins at its end."""
    since = max([(seen.arrived_ms or {})[series], *(end for _, end in seen.maintenance)])
    gap = 3 * seen.interval_s * 1000
    return (
        silence_due(since, gap, seen.away),
        silence_due(since, max(HOUR_MS, gap), seen.away),
    )


def silence_due(since_ms: int, gap_ms: int, away: Sequence[tuple[int, int]]) -> int:
    """When silence since then has lasted for the gap, not counting the spans in which nobody was
    there to hear: what was due when they left is due still, and only the rest is waited for."""
    for left_ms, back_ms in away:
        if back_ms <= since_ms:
            continue
        if since_ms + gap_ms <= left_ms:
            break
        gap_ms -= max(0, left_ms - since_ms)
        since_ms = back_ms
    return since_ms + gap_ms


def _links(seen: RoomSeen, before: Sequence[Known], now_ms: int) -> tuple[list[Known], list[Known]]:
    """(known before, new). Room-wide: one silent probe after another is one alarm."""
    known, new = [k for k in before if not k.active], []
    due = {s: link_due(seen, s) for s in seen.arrived_ms or {}}
    for index, (code, level) in enumerate(((LINK_WARN, "warning"), (LINK_CRIT, "critical"))):
        silent = [
            (due[s][index], at)
            for s, at in (seen.arrived_ms or {}).items()
            if due[s][index] <= now_ms
        ]
        open_one = next((k for k in before if k.code == code and k.active), None)
        if seen.muted:
            known += [replace(open_one, seen_ms=now_ms)] if open_one else []
        elif open_one:
            ahead = open_one.fired_ms > now_ms  # the clock is behind, and tells nothing of its end
            over_ms = None if silent or ahead else now_ms
            known.append(replace(open_one, cleared_ms=over_ms, seen_ms=now_ms))
        elif silent:
            fired, since = min(silent)
            new.append(Known(code, level, since, fired, None, None, now_ms))
    return known, new


def _overlap(known: Known, end_ms: int, fact: Fact) -> int:
    """Shared ms of [fired, cleared); an alarm that ended as it fired lasts 1."""
    fact_end = FOREVER_MS if fact.cleared_at_ms is None else fact.cleared_at_ms
    known_end = max(end_ms, known.fired_ms + 1)
    return min(known_end, max(fact_end, fact.fired_at_ms + 1)) - max(
        known.fired_ms, fact.fired_at_ms
    )


def _inherited(fact: Fact, before: Sequence[Known]) -> list[Known]:
    """What was known of this fact. An open one reaches to when it was last seen, so that another
    alarm after its end is a new one."""
    return [k for k in before if k.code == fact.code and _overlap(k, _end(k), fact) > 0]


@dataclass(frozen=True, slots=True)
class _Carried:
    """What became of what was known. ``again``: was over and is active after all, with what was
    known of it. Not what a clock that was put back brings before its end."""

    kept: list[Known]
    again: list[tuple[Known, list[Known]]]
    new: list[Fact]
    gone: list[Known]


def _carry(facts: Sequence[Fact], before: Sequence[Known], upto_ms: int, now_ms: int) -> _Carried:
    pairs: list[tuple[Fact, list[Known]]] = []
    new: list[Fact] = []
    for fact in facts:
        old = _inherited(fact, before)
        if old:
            pairs.append((fact, old))
        else:
            new.append(fact)
    gone = []
    for known in before:
        if any(known is one for _, old in pairs for one in old):
            continue
        # An open one reaches on without end when nothing else is left of it: it fired later.
        late = next(
            (f for f in new if f.code == known.code and _overlap(known, FOREVER_MS, f) > 0), None
        )
        if known.active and late:
            new.remove(late)
            pairs.append((late, [known]))
        else:
            gone.append(known)
    kept, again = [], []
    for fact, old in pairs:
        one = _as_told(_known(fact, upto_ms, now_ms), old)
        if one.active and not any(k.active or k.seen_ms > now_ms for k in old):
            again.append((one, old))
        else:
            kept.append(one)
    return _Carried(kept, again, new, gone)


def _as_told(known: Known, old: Sequence[Known]) -> Known:
    """Who heard of any of what now is one alarm has heard of it."""
    told = _with((), [person for k in old for person in k.told])
    waiting = {person for k in old for person in k.waiting}.difference(told)
    return replace(
        known,
        told=told,
        told_critical=any(k.told_critical for k in old),
        waiting=tuple(sorted(waiting)),
    )


def _end(known: Known) -> int:
    return known.seen_ms if known.cleared_ms is None else known.cleared_ms


def _known(fact: Fact, upto_ms: int, now_ms: int) -> Known:
    over = fact.cleared_at_ms is not None and fact.cleared_at_ms <= upto_ms
    return Known(
        fact.code, fact.level, fact.began_at_ms, fact.fired_at_ms,
        fact.cleared_at_ms if over else None, fact.peak, now_ms,
    )  # fmt: skip


# --- what is said -------------------------------------------------------------------------------


@dataclass(slots=True)
class _Turn:
    """One room at one moment, while its answer is put together."""

    seen: RoomSeen
    contacts: Sequence[Contact]
    now_ms: int
    known: list[Known]
    incident: Incident | None
    incidents: int
    untold_active: bool = False  # stale, so not told; but the room is not clear either
    says: list[Say] = field(default_factory=list)

    def say(self, kind: str, channel: str, to: Sequence[str], about: Sequence[Known],
            codes: Sequence[str] | None = None, *, urgent: bool = False) -> None:  # fmt: skip
        if not to:
            return
        told = tuple(codes) if codes is not None else _codes(about)
        self.says.append(Say(kind, channel, tuple(to), tuple(about), told, urgent))
        if self.incident and kind in ("raise", "escalate", "repeat"):
            self.incident = replace(
                self.incident,
                codes=_with(self.incident.codes, told),
                people=_with(self.incident.people, to),
            )
        if kind in ("escalate", "repeat"):  # of every told critical that is active
            self.inform(self.criticals(), to)

    def open(self) -> Incident:
        if self.incident is None:
            self.incidents += 1
            self.incident = Incident(self.incidents, self.now_ms)
        return self.incident

    def inform(
        self, chosen: Sequence[Known], people: Sequence[str], **changes: object
    ) -> list[Known]:
        """``people`` hear of it now, beside those who have."""
        informed = []
        for i, k in enumerate(self.known):
            if any(k is c for c in chosen):
                self.known[i] = replace(k, told=_with(k.told, people), **changes)  # type: ignore[arg-type]  # field names of Known
                informed.append(self.known[i])
        return informed

    def criticals(self) -> list[Known]:
        return [k for k in self.known if k.active and k.told_critical]

    def untold(self, known: Known) -> bool:
        """Active, and yet not to be told now."""
        return _untold(known, self.seen, self.now_ms)


def _untold(known: Known, seen: RoomSeen, now_ms: int) -> bool:
    return known.code in seen.silenced or _stale(known, seen, now_ms)


def _stale(known: Known, seen: RoomSeen, now_ms: int) -> bool:
    """Not to be told as if it were now: its room's samples are old, or the backlog that
    drains may yet bring its end."""
    newest = seen.newest_sample_ms
    fresh_after = now_ms - 3 * seen.interval_s * 1000
    if seen.catching_up and known.code not in LINK_CODES:
        return known.fired_ms <= fresh_after
    return known.code in LIMIT_CODES and (newest is None or newest <= fresh_after)


def step(
    state: RoomState,
    now_ms: int,
    seen: RoomSeen,
    contacts: Sequence[Contact],
    *,
    acked: bool = False,
) -> Step:
    """Advance one room to ``now_ms``. Everything that arrived at this moment is in ``seen``;
    ``acked`` says that an acknowledgement arrived with it."""
    links_before = [k for k in state.known if k.code in LINK_CODES]
    facts_before = [k for k in state.known if k.code not in LINK_CODES]
    floor = seen.tell_from_ms
    facts = [
        f
        for f in seen.facts
        if not f.code.startswith("DATA_GAP")
        and f.fired_at_ms <= seen.upto_ms
        and not (floor is not None and f.cleared_at_ms is not None and f.cleared_at_ms <= floor)
    ]
    carried = _carry(facts, facts_before, seen.upto_ms, now_ms)
    kept, gone = carried.kept, carried.gone
    again = []
    for known, old in carried.again:
        if _untold(known, seen, now_ms):  # over, as far as anybody was told
            kept += old
        else:
            again.append(replace(known, told_critical=False, waiting=()))
    if floor is not None:
        gone = [k for k in gone if k.active or (k.cleared_ms or 0) > floor]
    if seen.catching_up:  # half a backlog proves nothing
        kept, gone = kept + gone, []
    links, silent = _links(seen, links_before, now_ms)
    kept, links, forgotten = _hushed(kept, links, seen)
    turn = _Turn(seen, contacts, now_ms, kept + links, state.incident, state.incidents)
    arisen = [_known(f, seen.upto_ms, now_ms) for f in carried.new]
    arisen = [k for k in arisen if k.active or not seen.catching_up] + silent
    untold = any(turn.untold(k) for k in arisen if k.active) or len(again) < len(carried.again)
    turn.untold_active = forgotten or untold
    arisen = again + [k for k in arisen if not (k.active and turn.untold(k))]

    _tell_new(turn, arisen, acked=acked)
    _tell_corrected(turn, gone)
    _climb(turn)
    _all_clear(turn)
    turn.known = [k for k in turn.known if _still_needed(k, floor)]
    after = RoomState(tuple(turn.known), turn.incident, turn.incidents, None)
    after = replace(after, wake_ms=_wake(after, seen, now_ms))
    power = any(k.code == POWER and k.active for k in arisen)
    return Step(after, tuple(turn.says), power)


def _hushed(
    kept: Sequence[Known], links: Sequence[Known], seen: RoomSeen
) -> tuple[list[Known], list[Known], bool]:
    """Without what a silence takes away; whether something active was among it. What was told
    leaves the ladder and comes back as a new alarm at the silence's end, if it is still active
    then; what nobody was told of yet is as if it had not been seen."""
    hushed = {k for k in (*kept, *links) if k.code in seen.silenced}
    forgotten = {k for k in hushed if k.active and not k.told}

    def quiet(known: Known) -> Known:
        if known not in hushed:
            return known
        return replace(known, told_critical=False, waiting=())

    facts = [quiet(k) for k in kept if k not in forgotten]
    return facts, [quiet(k) for k in links if k not in forgotten], bool(forgotten)


def _still_needed(known: Known, floor: int | None) -> bool:
    if known.active or known.waiting:
        return True
    if known.code in LINK_CODES:
        return False
    return floor is None or (known.cleared_ms or 0) > floor


def _tell_new(turn: _Turn, new: Sequence[Known], *, acked: bool) -> None:
    """Raise what is active and untold, report what is over."""
    if acked and turn.incident and turn.criticals():  # it speaks of what was told before
        turn.incident = replace(turn.incident, ladder=None, acked_ms=turn.now_ms)
    risen = [  # told as a warning, or not at all in a silence, and now an active critical
        k for k in turn.known
        if k.active and k.level == "critical" and not k.told_critical and not turn.untold(k)
    ]  # fmt: skip
    turn.known += new
    active = [k for k in new if k.active]
    critical = risen + [k for k in active if k.level == "critical"]
    if critical:
        _raise_critical(turn, critical)
    elif active and not any(k.active and k.level == "critical" for k in turn.known):
        _tell(turn, "raise", active)
    over = [k for k in new if not k.active and k.code not in turn.seen.silenced]
    _tell(turn, "past", over)


def _raise_critical(turn: _Turn, critical: Sequence[Known]) -> None:
    operators = _of_role(turn.contacts, "operator")
    incident = turn.open()
    first = incident.ladder is None or not turn.criticals()
    if first:
        turn.incident = replace(incident, ladder=Ladder(turn.now_ms), acked_ms=None)
    told = turn.inform(critical, operators, told_critical=True, waiting=())
    turn.say("raise", "sms", operators, told, urgent=first)


def _tell(turn: _Turn, kind: str, about: Sequence[Known]) -> None:
    """Warnings, and what is over: at once by day, in the morning's digest otherwise."""
    if not about:
        return
    operators = [c for c in turn.contacts if c.role == "operator"]
    at_once = {c.id for c in operators if by_day(turn.now_ms) or not c.quiet_hours}
    later = tuple(sorted({c.id for c in operators} - at_once))
    told = tuple(sorted(at_once))
    if told and kind == "raise":
        turn.open()
    turn.say(kind, "sms", told, turn.inform(about, told, waiting=later))


def _tell_corrected(turn: _Turn, gone: Sequence[Known]) -> None:
    """What was told and never was: those who heard it hear that it was not so."""
    told = [k for k in gone if k.told]
    heard: dict[tuple[Known, ...], list[str]] = {}
    for person in sorted({person for k in told for person in k.told}):
        heard.setdefault(tuple(k for k in told if person in k.told), []).append(person)
    for about, people in heard.items():
        turn.say("corrected", "sms", people, about)
    if turn.incident and told:
        since = turn.incident.began_ms
        stand = {k.code for k in turn.known if k.told and _end(k) >= since}
        dropped = {k.code for k in told} - stand
        left = tuple(c for c in turn.incident.codes if c not in dropped)
        turn.incident = replace(turn.incident, codes=left)


def _climb(turn: _Turn) -> None:
    incident = turn.incident
    if incident is None:
        return
    hot = turn.criticals()
    if not hot:
        turn.incident = replace(incident, ladder=None, acked_ms=None)
        return
    operators = _of_role(turn.contacts, "operator")
    if incident.acked_ms is not None and turn.now_ms >= incident.acked_ms + AFTER_ACK_MS:
        turn.incident = replace(incident, ladder=Ladder(turn.now_ms), acked_ms=None)
        turn.say("repeat", "sms", operators, hot)
        return
    repeat_to: tuple[str, ...] = ()  # overdue rungs each climb, but only the last repeat is said
    while turn.incident and turn.incident.ladder and _due_ms(turn.incident.ladder) <= turn.now_ms:
        ladder = turn.incident.ladder
        rung = next_rung(ladder, turn.contacts)
        if rung.kind == "escalate":
            turn.say("escalate", "voice", rung.called, hot)
            turn.say("escalate", "sms", rung.to, hot)
            repeat_to = ()
        else:
            repeat_to = rung.to
        ladder = replace(ladder, done_ms=rung.at_ms - ladder.t_ms, step=rung.step)
        turn.incident = replace(turn.incident, ladder=ladder)
    turn.say("repeat", "sms", repeat_to, hot)


def _due_ms(ladder: Ladder) -> int:
    if ladder.done_ms < FIRST_STEP_MS:
        return ladder.t_ms + FIRST_STEP_MS
    return ladder.t_ms + (ladder.done_ms // EVERY_MS + 1) * EVERY_MS


def next_rung(ladder: Ladder, contacts: Sequence[Contact]) -> Rung:
    """What comes next if nobody answers: one step up, or a repeat where nobody is higher."""
    at_ms = _due_ms(ladder)
    offset_ms = at_ms - ladder.t_ms
    if offset_ms == FIRST_STEP_MS:
        operators, seconds = _of_role(contacts, "operator"), _of_role(contacts, "second")
        return Rung(at_ms, "escalate", 1, seconds, operators)
    role = {EVERY_MS: (2, "township"), 2 * EVERY_MS: (3, "county")}.get(offset_ms)
    if role and (people := _of_role(contacts, role[1])):
        return Rung(at_ms, "escalate", role[0], people)
    audience = {2: ("township",), 3: ("county",)}.get(ladder.step, ("operator", "second"))
    return Rung(at_ms, "repeat", ladder.step, _of_role(contacts, *audience))


def coming(state: RoomState, contacts: Sequence[Contact], rungs: int = 4) -> list[Rung]:
    """What the next rungs would be, from now on without an answer."""
    incident = state.incident
    if incident is None:
        return []
    if incident.acked_ms is not None:
        operators = _of_role(contacts, "operator")
        return [Rung(incident.acked_ms + AFTER_ACK_MS, "repeat", 0, operators)]
    found: list[Rung] = []
    ladder = incident.ladder
    while ladder and len(found) < rungs:
        found.append(next_rung(ladder, contacts))
        ladder = replace(ladder, done_ms=found[-1].at_ms - ladder.t_ms, step=found[-1].step)
    return found


def _all_clear(turn: _Turn) -> None:
    incident = turn.incident
    if incident is None or turn.untold_active or any(k.active for k in turn.known):
        return
    # A repeat due at this very moment was not said: without an active critical nothing climbs.
    about: list[Known] = []
    for code in incident.codes:
        told = [k for k in turn.known if k.code == code and k.told]
        # Late data may find that it had ended before anything was told.
        about += [k for k in told if _end(k) >= incident.began_ms] or sorted(told, key=_end)[-1:]
    turn.incident = None
    if incident.codes:
        turn.say("clear", "sms", incident.people, about, incident.codes)


def morning(state: RoomState, now_ms: int) -> tuple[RoomState, dict[str, list[Known]]]:
    """What waited for the morning, by person. A warning under an active critical is not sent."""
    hot = any(k.active and k.level == "critical" for k in state.known)
    waited: dict[str, list[Known]] = {}
    known = []
    told_active = []
    for k in state.known:
        if not k.waiting:
            known.append(k)
            continue
        if k.active and hot:
            known.append(replace(k, waiting=()))
            continue
        told = replace(k, told=_with(k.told, k.waiting), waiting=())
        known.append(told)
        if k.active:
            told_active.append(told)
        for person in k.waiting:
            waited.setdefault(person, []).append(told)
    state = replace(state, known=tuple(known))
    if told_active:
        incident = state.incident or Incident(state.incidents + 1, now_ms)
        incident = replace(
            incident,
            codes=_with(incident.codes, _codes(told_active)),
            people=_with(incident.people, [p for k in told_active for p in k.told]),
        )
        state = replace(state, incident=incident, incidents=incident.number)
    return state, waited


def _wake(state: RoomState, seen: RoomSeen, now_ms: int) -> int | None:
    due = [f.fired_at_ms for f in seen.facts if not f.code.startswith("DATA_GAP")]
    due += [f.cleared_at_ms for f in seen.facts if f.cleared_at_ms is not None]
    due += seen.silenced.values()
    for series in seen.arrived_ms or {}:
        due += link_due(seen, series)
    if state.incident and state.incident.ladder:
        due.append(_due_ms(state.incident.ladder))
    if state.incident and state.incident.acked_ms is not None:
        due.append(state.incident.acked_ms + AFTER_ACK_MS)
    return min((d for d in due if d > now_ms), default=None)
