"""One room lived through: the truth of its air and goods, and what its devices said of it.

The room's air and the mean of its goods follow ``firmware_sim.room``. Lots that came in at
another temperature are followed beside it with the same couplings, because an alarm is judged
by the lots, not by their mean. A lot that has come to its neighbours' temperature is theirs.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from math import inf
from random import Random

from firmware_sim.room import WATTS_PER_TONNE, Air, Around, Box, State, respiration_rate, step

from bench.operation.climate import Weather
from bench.operation.diary import ALLOWED_H, DAY_S, HOUR_S, Diary, Load, Spans, write
from bench.operation.faults import AFTERWARDS_S, AT_MOST_S, QUIET_S, Fault, broken, set_point
from bench.operation.probes import (
    AIR_LAG_S,
    BOTTLE_LAG_S,
    BOTTLE_SAID_S,
    INTERVAL_S,
    PULP_LAG_S,
    REMEMBERS,
    Row,
    Thermometer,
    after_outages,
    count,
    events,
    radio,
    shadows,
    thermometer,
    uplink_outages,
)
from bench.operation.rooms import Room
from domain.incident import LOCAL_OFFSET_MS
from domain.judgement import Action
from domain.reading import ProbeId, Series
from domain.retelling import Acted, Arrived

STEP_S, DOOR_STEP_S = 30.0, 10.0
WEATHER_S = 600.0
SAME_K = 0.3  # lots that differ by less are one
POLL_S = 60.0  # of the controller
YEAR = 2026


@dataclass(slots=True)
class Lot:
    tonnes: float
    celsius: float
    cooled_from_s: float | None = None  # being pre-cooled since
    goal_c: float = -inf


@dataclass(frozen=True, slots=True)
class Month:
    """``outside``: some lot was outside what is tolerated. ``left_band_s``, ``left_limits_s``: the
    resident lot left its band, and what is tolerated, after the fault began. ``doors``,
    ``defrosts``: as they really were."""

    room: Room
    start_ms: int
    until_ms: int
    arrivals: list[Arrived]
    actions: list[Acted]
    outside: Spans
    doors: Spans
    defrosts: Spans
    left_band_s: float | None
    left_limits_s: float | None
    steps: int


def live(
    seed: int,
    room: Room,
    days: int,
    fault: Fault | None = None,
    *,
    uplink_fails: bool = False,
) -> Month:
    """``days`` of normal running; with a fault, as long as its story goes."""
    if fault is not None:
        days = int((QUIET_S + DAY_S + AT_MOST_S) / DAY_S) + 1
    story = Story(seed, room, days, fault)
    story.run()
    return story.told(seed, uplink_fails=uplink_fails)


@dataclass(slots=True)
class _Plant:
    """What the controller and the signals say: rows only where something changed."""

    name: str
    said: dict[str, float] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)

    def say(self, quantity: str, value: float, at_s: float) -> None:
        if self.said.get(quantity) != value:
            self.said[quantity] = value
            series = Series(ProbeId(self.name), quantity)
            self.rows.append((at_s, series, count(quantity, value)))


class Story:
    def __init__(self, seed: int, room: Room, days: int, fault: Fault | None) -> None:
        self.room, self.days, self.fault = room, days, fault
        name = f"{seed}/{room.number}/{fault.what if fault else ''}"
        self.chance = Random(f"{name}/people")  # noqa: S311 - a simulation
        weather = Random(f"{name}/weather")  # noqa: S311 - a simulation
        self.weather = Weather(room.county, room.month, days, weather)
        self.diary = self._diary()
        began = datetime(YEAR, room.month + 1, 1, tzinfo=UTC)
        self.start_ms = round(began.timestamp() * 1000) - LOCAL_OFFSET_MS
        self.thermometers = list(self._thermometers(name))
        self.controller = _Plant(f"controller-{room.number}")
        self.contacts = _Plant(f"contacts-{room.number}")
        self.lots = [Lot(room.filled * room.capacity_t, room.set_c + 0.2)]
        self.state = State(room.set_c, room.set_c + 0.2)
        self.air = Air(room.set_c, 60.0)
        self.actions: list[Acted] = []
        self._install()
        self.outside: Spans = []
        self.outside_since: float | None = None
        self.left_band_s: float | None = None
        self.left_limits_s: float | None = None
        self.end_s = days * DAY_S
        self.door = self.defrost = self.dip = False
        self.steps = 0

    def _diary(self) -> Diary:
        diary = write(self.room, self.days, self.chance)
        if self.fault is None:
            return diary
        loads = [load for load in diary.loads if load.end_s < self.fault.begin_s - 6 * HOUR_S]
        return replace(diary, loads=loads)

    def _thermometers(self, name: str) -> Iterator[Thermometer]:
        bottled = self.room.watched.buffered
        for i in range(self.room.watched.air_probes):
            chance = Random(f"{name}/air{i}")  # noqa: S311 - a simulation
            yield thermometer(
                f"air{i}-{self.room.number}", "temperature", self.days, chance,
                lag_s=BOTTLE_LAG_S if bottled else AIR_LAG_S, hung=True,
            )  # fmt: skip
        if self.room.watched.pulp:
            chance = Random(f"{name}/pulp")  # noqa: S311 - a simulation
            yield thermometer(
                f"pulp-{self.room.number}", "product_temperature", self.days, chance,
                lag_s=PULP_LAG_S, hung=False,
            )  # fmt: skip
        if self.room.watched.ambient:
            chance = Random(f"{name}/ambient")  # noqa: S311 - a simulation
            yield thermometer(
                f"ambient-{self.room.number}", "ambient_temperature", self.days, chance,
                lag_s=AIR_LAG_S, hung=False,
            )  # fmt: skip

    def _install(self) -> None:
        """A bottle's lag goes into its probe's papers."""
        if not self.room.watched.buffered:
            return
        for each in self.thermometers:
            if each.series.quantity == "temperature":
                papers = {"probe": each.series.probe, "lag_ms": BOTTLE_SAID_S * 1000}
                action = Action(self.start_ms, "probe_lag", "", papers)
                self.actions.append(Acted(self.start_ms, str(self.room.number), action))

    # --- the loop

    def run(self) -> None:
        marks = self._marks()
        next_mark = 0
        now, weather_s, poll_s = 0.0, 0.0, 0.0
        box, around = self._surroundings(now)
        airs = [t for t in self.thermometers if t.series.quantity == "temperature"]
        polled = self.room.watched.plant or self.room.watched.heater
        for each in self.thermometers:
            if each.next_s <= now:  # later ones are waited for
                each.follow(self._truth(each.series.quantity), 0.0)
                each.take()
        while now < self.end_s:
            changed = False
            while next_mark < len(marks) and marks[next_mark][0] <= now:
                self._happen(*marks[next_mark])
                next_mark, changed = next_mark + 1, True
            if now >= weather_s:
                self.air, weather_s, changed = self.weather.at(now), now + WEATHER_S, True
            if changed:
                box, around = self._surroundings(now)
                self._signals(now)
            if now >= poll_s:
                self._poll(now)
                poll_s = now + POLL_S if polled else inf
            until = min(
                marks[next_mark][0] if next_mark < len(marks) else inf,
                weather_s,
                poll_s,
                *[t.next_s for t in self.thermometers if t.next_s > now],
            )
            while now < until:
                after = min(now + (DOOR_STEP_S if self.door else STEP_S), until)
                self._step(box, around, after - now)
                for each in airs:
                    each.follow(self.state.air_c, after - now)
                now = after
            for each in self.thermometers:
                if each.next_s <= now:
                    if each not in airs:
                        each.follow(self._truth(each.series.quantity), INTERVAL_S)
                    each.take()
            self._watch_truth(now)
        if self.outside_since is not None:
            self.outside.append((self.outside_since, now))
        self.end_s = now

    def _marks(self) -> list[tuple[float, str, Load | None]]:
        diary = self.diary
        marks: list[tuple[float, str, Load | None]] = []
        for name, spans in (
            ("door", diary.doors),
            ("defrost", diary.defrosts),
            ("dip", diary.dips),
        ):
            for begin, end in spans:
                marks += [(begin, f"{name} on", None), (end, f"{name} off", None)]
        for load in diary.loads:
            marks += [(load.begin_s, "load begins", load), (load.end_s, "load ends", load)]
        if self.fault is not None:
            marks.append((self.fault.begin_s, "fault", None))
        return sorted(marks, key=lambda mark: mark[0])

    def _happen(self, at_s: float, what: str, load: Load | None) -> None:
        match what:
            case "door on" | "door off":
                self.door = what == "door on" or self._broken("door", at_s)
            case "defrost on" | "defrost off":
                self.defrost = what == "defrost on"
            case "dip on" | "dip off":
                self.dip = what == "dip on"
            case "load begins" if load is not None:
                if load.said_start:
                    self._act(at_s, "loading_started")
            case "load ends" if load is not None:
                self._carried(at_s, load)
            case _:
                if self._broken("door", at_s):
                    self.door = True

    def _broken(self, what: str, at_s: float) -> bool:
        return self.fault is not None and self.fault.what == what and at_s >= self.fault.begin_s

    def _surroundings(self, now: float) -> tuple[Box, Around]:
        tonnes = sum(lot.tonnes for lot in self.lots)
        box = self.room.box(tonnes, self.air.celsius)
        if self.fault is not None and now >= self.fault.begin_s:
            box = broken(box, self.fault, now - self.fault.begin_s)
        mains = not (self.dip or self._broken("power", now))
        return box, Around(
            outside=self.air,
            mains=mains,
            door_open=self.door,
            defrost=self.defrost and mains,
            heat_w=self._heater_w(),
        )

    def _heater_w(self) -> float:
        """A room for chilling-sensitive goods has a heater against the winter."""
        needs = self.room.kind.profile == "CU" and self.state.air_c < self.room.set_c - 1.0
        return 1500.0 if needs else 0.0

    def _step(self, box: Box, around: Around, dt_s: float) -> None:
        air_c = self.state.air_c
        self.state = step(box, self.state, around, dt_s)
        self.steps += 1
        if len(self.lots) == 1:
            self.lots[0].celsius = self.state.goods_c
            return
        fan, still = self.room.coupling_w_k_t
        coupling = fan if around.mains and not around.defrost else still
        per_k = dt_s / (self.room.kind.goods_kj_kg_k * 1e6)
        for lot in self.lots:
            own_w = respiration_rate(lot.celsius, box.respiration) * WATTS_PER_TONNE
            lot.celsius += (own_w - coupling * (lot.celsius - air_c)) * per_k
        self._mix()

    def _mix(self) -> None:
        resident = self.lots[0]
        for lot in self.lots[1:]:
            if lot.cooled_from_s is None and abs(lot.celsius - resident.celsius) < SAME_K:
                tonnes = resident.tonnes + lot.tonnes
                resident.celsius += (lot.celsius - resident.celsius) * lot.tonnes / tonnes
                resident.tonnes = tonnes
                self.lots.remove(lot)
        tonnes = sum(lot.tonnes for lot in self.lots)
        mean = sum(lot.tonnes * lot.celsius for lot in self.lots) / tonnes
        self.state = replace(self.state, goods_c=mean)

    # --- people

    def _carried(self, at_s: float, load: Load) -> None:
        if load.said_start and load.said_end:
            self._act(at_s + self.chance.uniform(0, 180), "loading_ended")
        tonnes = abs(load.share) * self.room.capacity_t
        resident = self.lots[0]
        if load.share < 0:
            resident.tonnes = max(resident.tonnes - tonnes, 0.2)
            return
        cooling = any(lot.cooled_from_s is not None for lot in self.lots)
        if not load.from_field or cooling:
            self.lots.append(Lot(tonnes, self.room.set_c + load.warmer_k))
            return
        lot = Lot(tonnes, max(self.air.celsius, self.room.set_c + 6.0))
        self.lots.append(lot)
        if load.said_precooling:
            lot.cooled_from_s = at_s
            lot.goal_c = self.room.set_c + (lot.celsius - self.room.set_c) / 8
            self._act(
                at_s, "precool_started", start_c=round(lot.celsius, 1), medium_c=self.room.set_c,
                allowed_h=ALLOWED_H,
            )  # fmt: skip

    def _watch_truth(self, now: float) -> None:
        low, high = self.room.kind.tolerated
        outside = any(not low <= lot.celsius <= high for lot in self.lots)
        if outside and self.outside_since is None:
            self.outside_since = now
        elif not outside and self.outside_since is not None:
            self.outside.append((self.outside_since, now))
            self.outside_since = None
        for lot in self.lots[1:]:
            if lot.cooled_from_s is None:
                continue
            if lot.celsius <= lot.goal_c or now - lot.cooled_from_s > 23 * HOUR_S:
                lot.cooled_from_s = None
                self._act(now + self.chance.uniform(600, HOUR_S), "precool_done")
        if self.fault is not None and now >= self.fault.begin_s:
            self._watch_harm(now, self.fault)

    def _watch_harm(self, now: float, fault: Fault) -> None:
        kind, celsius = self.room.kind, self.lots[0].celsius
        if self.left_band_s is None and not kind.band[0] <= celsius <= kind.band[1]:
            self.left_band_s = now
        if self.left_limits_s is None and not kind.tolerated[0] <= celsius <= kind.tolerated[1]:
            self.left_limits_s = now
        over = self.left_limits_s is not None and now > self.left_limits_s + AFTERWARDS_S
        if over or now > fault.begin_s + AT_MOST_S:
            self.end_s = now

    def _act(self, at_s: float, kind: str, **detail: float) -> None:
        at_ms = self.start_ms + round(at_s * 1000)
        action = Action(at_ms, kind, "operator", detail)
        self.actions.append(Acted(at_ms, str(self.room.number), action))

    # --- devices

    def _truth(self, quantity: str) -> float:
        if quantity == "temperature":
            return self.state.air_c
        if quantity == "ambient_temperature":
            return self.air.celsius
        cooled = (lot for lot in self.lots if lot.cooled_from_s is not None)
        return next(cooled, self.lots[0]).celsius

    def _signals(self, now: float) -> None:
        if self.room.watched.door:
            self.contacts.say("door", float(self.door), now)
        if self.room.watched.mains:
            on = not (self.dip or self._broken("power", now))
            self.contacts.say("mains", float(on), now)

    def _poll(self, now: float) -> None:
        if self.dip or self._broken("power", now):
            return  # the controller has no battery
        watched = self.room.watched
        if watched.plant:
            fault = self.fault if self.fault and now >= self.fault.begin_s else None
            self.controller.say("compressor", float(self.state.compressor), now)
            self.controller.say("setpoint", set_point(self.room, fault), now)
        if watched.plant or watched.heater:
            self.controller.say("defrost", float(self.defrost), now)

    def told(self, seed: int, *, uplink_fails: bool) -> Month:
        name = f"{seed}/{self.room.number}/radio"
        chance = Random(name)  # noqa: S311 - a simulation
        room = str(self.room.number)
        arrivals: list[Arrived] = []
        for each in self.thermometers:
            silent = shadows(self.days, chance)
            keeps = chance.random() < REMEMBERS
            arrivals += radio(room, each.rows, silent, chance, self.start_ms, keeps=keeps)
        arrivals += events(room, self.contacts.rows, self.start_ms)
        arrivals += events(room, self.controller.rows, self.start_ms)
        if uplink_fails:
            arrivals = after_outages(arrivals, uplink_outages(self.days, chance), self.start_ms)
        until_ms = self.start_ms + round(self.end_s * 1000)
        return Month(
            room=self.room,
            start_ms=self.start_ms,
            until_ms=until_ms,
            arrivals=sorted(
                (a for a in arrivals if a.arrived_ms <= until_ms), key=lambda a: a.arrived_ms
            ),
            actions=[a for a in self.actions if a.arrived_ms <= until_ms],
            outside=self.outside,
            doors=self.diary.doors,
            defrosts=self.diary.defrosts,
            left_band_s=self.left_band_s,
            left_limits_s=self.left_limits_s,
            steps=self.steps,
        )
