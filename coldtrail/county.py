"""The demo's county: places, rooms, probes, people and lots, as values. None of them exists.

Minutes count from the story's zero: the instant at which every role is ready. What lies
before it the probes remember; what lies after it they live through.
"""

from dataclasses import dataclass

from firmware_sim.scenario import Event, Leg, Outside, ProbePlan, Radio, RoomPlan, Scenario

from domain.reading import PersonId, ProbeId, RoomId, SiteId
from store.records.ports import Duty, Person, Region, Room, Site

HISTORY_MIN = 14 * 1440.0
LIVE_MIN = 12 * 60.0  # how long the probes' story goes on
VILLAGE_GONE_MIN = -336.0  # it comes back at minute 4, after 5 h 40
VILLAGE_BACK_MIN = 4.0
DEPARTURE_MIN = 5.0
INTERVAL_S = 300
MINUTE_MS = 60_000

HOSTED, VILLAGE, MOBILE_1, MOBILE_2 = "gw1", "zhuxi", "mobile1", "mobile2"
GATEWAYS = (HOSTED, VILLAGE, MOBILE_1, MOBILE_2)

STRAWBERRY_ROOM = RoomId("lw-2")
VILLAGE_ROOM = RoomId("zx-1")
DEPARTING_ROOM = RoomId("m1")

REGIONS = (
    Region("heling", None, "county", "禾岭县", "Heling County"),
    Region("liuwan", "heling", "township", "柳湾镇", "Liuwan Township"),
    Region("yunping", "heling", "township", "云坪镇", "Yunping Township"),
    Region("fengao", "heling", "township", "枫坳镇", "Feng'ao Township"),
)

SITES = (
    Site(SiteId("hub"), "heling", "county-hub", "禾岭县冷链集配中心", "Heling cold-chain hub", HOSTED, 30.2105, 103.5120),
    Site(SiteId("liuwan-hub"), "liuwan", "township-hub", "柳湾镇冷库", "Liuwan cold store", HOSTED, 30.1702, 103.4411),
    Site(SiteId("yunping-hub"), "yunping", "township-hub", "云坪镇冷库", "Yunping cold store", HOSTED, 30.2871, 103.5538),
    Site(SiteId("fengao-hub"), "fengao", "township-hub", "枫坳镇冷库", "Feng'ao cold store", HOSTED, 30.2290, 103.6425),
    Site(SiteId("qingshi"), "liuwan", "collection-centre", "青石集货点", "Qingshi collection centre", HOSTED, 30.1533, 103.4702),
    Site(SiteId("baima"), "yunping", "collection-centre", "白麻坡集货点", "Baimapo collection centre", HOSTED, 30.3012, 103.5210),
    Site(SiteId("zhuxi"), "fengao", "village-point", "竹溪村冷库", "Zhuxi village store", VILLAGE, 30.2466, 103.6881),
    Site(SiteId("songgen"), "liuwan", "village-point", "松根村冷库", "Songgen village store", HOSTED, 30.1418, 103.4183),
    Site(SiteId("shuiche"), "yunping", "village-point", "水车沟村冷库", "Shuichegou village store", HOSTED, 30.3155, 103.5902),
    Site(SiteId("mobile1"), "heling", "mobile-store", "移动冷库1号", "Mobile store 1", MOBILE_1, 30.1533, 103.4702),
    Site(SiteId("mobile2"), "heling", "mobile-store", "移动冷库2号", "Mobile store 2", MOBILE_2, 30.2290, 103.6425),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ColdRoom:
    """``empty``: nothing is in it at minute 0. ``cooling_w`` and ``defrost_w`` reach the air."""

    id: str
    site: str
    kind: str
    name_zh: str
    name_en: str
    profile: str
    commodities: tuple[str, ...]
    set_c: float
    operator: str
    volume_m3: float = 28.34
    cooling_w: float = 4000.0
    empty: bool = False

    @property
    def frozen(self) -> bool:
        return self.profile in ("FZ", "FT")

    def record(self) -> Room:
        id, site = RoomId(self.id), SiteId(self.site)
        return Room(id, site, self.kind, self.name_zh, self.name_en, self.operator, self.operator)


_HUB, _LW, _YP, _FA = "禾岭冷链公司", "柳湾草莓合作社", "云坪蔬菜合作社", "枫坳果业合作社"
ROOMS = (
    ColdRoom("hub-1", "hub", "chilled", "1号保鲜库", "Fresh room 1", "SB", ("broccoli",), 1.8, _HUB),
    ColdRoom("hub-2", "hub", "frozen", "2号冷冻库", "Freezer 2", "FZ", (), -21.0, _HUB, cooling_w=4800),
    ColdRoom("hub-3", "hub", "frozen", "3号冷冻库", "Freezer 3", "FZ", (), -21.0, _HUB, cooling_w=4800),
    ColdRoom("hub-4", "hub", "chilled", "4号鲜肉库", "Meat room 4", "MT", (), 1.5, _HUB),
    ColdRoom("hub-5", "hub", "chilled", "5号鲜肉库", "Meat room 5", "MT", (), 1.8, _HUB),
    ColdRoom("lw-1", "liuwan-hub", "pre-cool", "1号预冷间", "Pre-cooling room 1", "SB", ("strawberry",), 2.0, _LW, cooling_w=6000),
    ColdRoom("lw-2", "liuwan-hub", "chilled", "2号草莓库", "Strawberry room 2", "SB", ("strawberry",), 2.0, _LW),
    ColdRoom("lw-3", "liuwan-hub", "chilled", "3号叶菜库", "Leaf room 3", "SB", ("lettuce_head",), 2.0, _LW),
    ColdRoom("yp-1", "yunping-hub", "fresh-keeping", "1号黄瓜库", "Cucumber room 1", "CU", ("cucumber",), 11.6, _YP),
    ColdRoom("yp-2", "yunping-hub", "chilled", "2号西兰花库", "Broccoli room 2", "SB", ("broccoli",), 1.8, _YP),
    ColdRoom("yp-3", "yunping-hub", "frozen", "3号冷冻库", "Freezer 3", "FZ", (), -21.0, _YP, cooling_w=4800),
    ColdRoom("fa-1", "fengao-hub", "chilled", "1号蓝莓库", "Blueberry room 1", "SB", ("blueberry",), 1.9, _FA),
    ColdRoom("fa-2", "fengao-hub", "chilled", "2号草莓库", "Strawberry room 2", "SB", ("strawberry",), 2.1, _FA),
    ColdRoom("fa-3", "fengao-hub", "frozen", "3号冷冻库", "Freezer 3", "FZ", (), -21.0, _FA, cooling_w=4800),
    ColdRoom("qs-1", "qingshi", "pre-cool", "1号预冷间", "Pre-cooling room 1", "SB", ("strawberry",), 2.0, _LW, cooling_w=6000),
    ColdRoom("qs-2", "qingshi", "chilled", "2号保鲜库", "Fresh room 2", "SB", ("strawberry",), 2.0, _LW),
    ColdRoom("bm-1", "baima", "fresh-keeping", "1号黄瓜库", "Cucumber room 1", "CU", ("cucumber",), 11.8, _YP),
    ColdRoom("bm-2", "baima", "chilled", "2号叶菜库", "Leaf room 2", "SB", ("pak_choi",), 2.0, _YP),
    ColdRoom("zx-1", "zhuxi", "chilled", "1号草莓库", "Strawberry room 1", "SB", ("strawberry",), 2.0, "竹溪村合作社"),
    ColdRoom("zx-2", "zhuxi", "chilled", "2号叶菜库", "Leaf room 2", "SB", ("lettuce_head",), 2.1, "竹溪村合作社"),
    ColdRoom("sg-1", "songgen", "chilled", "1号保鲜库", "Fresh room 1", "SB", ("strawberry",), 2.0, _LW),
    ColdRoom("sc-1", "shuiche", "chilled", "1号保鲜库", "Fresh room 1", "SB", ("broccoli",), 1.9, _YP),
    ColdRoom("m1", "mobile1", "compartment", "车厢", "Compartment", "SB", ("strawberry",), 2.0, "移动冷库1号车组", 22.0, 3500, empty=True),
    ColdRoom("m2", "mobile2", "compartment", "车厢", "Compartment", "FT", (), -21.0, "移动冷库2号车组", 22.0, 4500),
)  # fmt: skip


def people() -> tuple[Person, ...]:
    """Named after solar terms; the numbers are in no operator's use."""

    def one(id: str, name: str, number: int) -> Person:
        return Person(PersonId(id), name, f"+861380000{number:04d}", "zh", quiet_hours=False)

    return (
        one("lixia", "林立夏", 1), one("xiaoman", "林小满", 2), one("guyu", "周谷雨", 3),
        one("shuang", "冯霜降", 4), one("bailu", "何白露", 5), one("mang", "姜芒种", 6),
        one("jing", "陆惊蛰", 7), one("dongzhi", "沈冬至", 8),
    )  # fmt: skip


DUTIES = (
    Duty(PersonId("lixia"), "operator", "site", "liuwan-hub"),
    Duty(PersonId("lixia"), "operator", "site", "qingshi"),
    Duty(PersonId("lixia"), "operator", "site", "songgen"),
    Duty(PersonId("xiaoman"), "second", "region", "liuwan"),
    Duty(PersonId("guyu"), "operator", "site", "zhuxi"),
    Duty(PersonId("guyu"), "operator", "site", "fengao-hub"),
    Duty(PersonId("bailu"), "operator", "region", "yunping"),
    Duty(PersonId("mang"), "operator", "site", "mobile1"),
    Duty(PersonId("mang"), "operator", "site", "mobile2"),
    Duty(PersonId("shuang"), "operator", "site", "hub"),
    Duty(PersonId("jing"), "township", "region", "liuwan"),
    Duty(PersonId("jing"), "township", "region", "yunping"),
    Duty(PersonId("jing"), "township", "region", "fengao"),
    Duty(PersonId("dongzhi"), "county", "region", "heling"),
)


@dataclass(frozen=True, slots=True)
class LotStory:
    """``moves``: (minute, kind, site, room); captured when the history is there."""

    id: str
    commodity: str
    quantity_kg: str
    producer: str
    moves: tuple[tuple[float, str, str | None, str | None], ...]
    destination: str | None = None


def _through(room: str, site: str, came: float, left: float | None) -> tuple[
    tuple[float, str, str | None, str | None], ...
]:  # fmt: skip
    moves: list[tuple[float, str, str | None, str | None]] = [
        (came - 20, "received", site, None),
        (came, "put_in", site, room),
    ]
    if left is not None:
        moves += [(left, "taken_out", site, room), (left + 10, "shipped", site, None)]
    return tuple(moves)


VILLAGE_LOT = "zx-strawberry-07"
BUYER_LOT = "qs-strawberry-31"
LOTS = (
    LotStory(BUYER_LOT, "strawberry", "640", "柳湾草莓合作社", _through("qs-2", "qingshi", -3100, -420)),
    LotStory(VILLAGE_LOT, "strawberry", "380", "竹溪村合作社", _through("zx-1", "zhuxi", -2200, -115)),
    LotStory("lw-strawberry-12", "strawberry", "1200", "柳湾草莓合作社", _through("lw-2", "liuwan-hub", -900, None)),
    LotStory("m1-strawberry-03", "strawberry", "510", "柳湾草莓合作社", _through("m1", "mobile1", -1700, -480)),
    LotStory("yp-broccoli-05", "broccoli", "900", "云坪蔬菜合作社", _through("yp-2", "yunping-hub", -2900, None)),
)  # fmt: skip


def probes(room: ColdRoom) -> tuple[str, ...]:
    """The names of the devices in a room."""
    return tuple(plan.name for plan in _probes(room))


def probe_id(room: ColdRoom, name: str) -> ProbeId:
    return ProbeId(f"mqtt:{gateway_of(room)}:{name}")


def gateway_of(room: ColdRoom) -> str:
    return next(site.gateway or HOSTED for site in SITES if site.id == room.site)


def scenario(
    room: ColdRoom, *, from_min: float, to_min: float, start_hour: float, step_s: float
) -> Scenario:
    """One room's story between two minutes; the simulator's second 0 is ``from_min``."""
    events = [event for event in (_since(e, from_min) for e in _events(room)) if event]
    return Scenario(
        name=f"county-{room.id}",
        about=room.name_en,
        rooms=(_plan(room, tuple(events), _route(room, from_min)),),
        probes=_probes(room),
        duration_h=(to_min - from_min) / 60,
        seed=20,
        step_s=step_s,
        start_hour=start_hour,
        outside=Outside(celsius=24, swing_k=6, humidity=72),
    )


LEAVES = (("broccoli",), ("lettuce_head",), ("pak_choi",))  # want it moister than fruit


def _plan(room: ColdRoom, events: tuple[Event, ...], route: tuple[Leg, ...]) -> RoomPlan:
    return RoomPlan(
        name=room.id,
        set_c=room.set_c,
        start_c=room.set_c,
        volume_m3=room.volume_m3,
        goods_t=0.0 if room.empty else (2.4 if room.frozen else 2.0),
        goods_kj_kg_k=2.0 if room.frozen else 3.9,
        walls_w_k=11.0 if room.frozen else 14.0,
        cooling_w=room.cooling_w,
        defrost_w=(1000.0 if room.kind == "compartment" else 1500.0) if room.frozen else 900.0,
        humid_on=93.0 if room.commodities in LEAVES else 86.0,
        humid_off=98.0 if room.commodities in LEAVES else 94.0,
        respiration="none" if room.frozen or room.profile == "MT" or room.empty else "strawberry",
        event=events,
        route=route,
    )


def _probes(room: ColdRoom) -> tuple[ProbePlan, ...]:
    """Every room has an air probe with door and mains; the rest as a county would have it."""
    place = [r.id for r in ROOMS].index(room.id)
    phase_s = 120.0 if room.id in (STRAWBERRY_ROOM, VILLAGE_ROOM) else float(place * 11 % 300)
    signals = ("door", "mains", "defrost") + (("compressor",) if place % 4 == 2 else ())
    plans = [
        ProbePlan(
            name=f"{room.id}-air",
            room=room.id,
            quantities=("temperature", *signals),
            interval_s=INTERVAL_S,
            phase_s=phase_s,
            lag_s=45,
            radio=Radio(),
        )
    ]
    if not room.frozen:
        plans.append(_second(room, "rh", ("humidity",), 600, phase_s, 120))
    if (room.profile == "SB" and not room.empty) or room.profile == "CU":
        plans.append(_second(room, "pulp", ("product_temperature", "battery"), 900, phase_s, 900))
    if room.kind == "compartment":
        # half a minute after the departure somebody looks where it is
        plans.append(_second(room, "gps", ("lat", "lon", "signal"), 600, 330, 0))
    return tuple(plans)


def _second(
    room: ColdRoom, name: str, quantities: tuple[str, ...], every_s: float, phase_s: float, lag: float
) -> ProbePlan:  # fmt: skip
    return ProbePlan(
        name=f"{room.id}-{name}",
        room=room.id,
        quantities=quantities,
        interval_s=every_s,
        phase_s=phase_s,
        lag_s=lag,
    )


def _events(room: ColdRoom) -> tuple[Event, ...]:
    """By the story's minutes, so ``at_min`` may lie before 0."""
    place = [r.id for r in ROOMS].index(room.id)
    quiet_from = {STRAWBERRY_ROOM: -60.0, VILLAGE_ROOM: -300.0}.get(RoomId(room.id), LIVE_MIN)
    events = [
        Event(kind="door", at_min=-HISTORY_MIN + 37 + place * 5, for_min=1.5, every_min=95, until_min=quiet_from),
        Event(kind="defrost", at_min=-HISTORY_MIN + 60 + place * 9, for_min=14, every_min=480, until_min=quiet_from),
    ]  # fmt: skip
    match room.id:
        case "lw-2":  # a fan fails: warm air, door shut, mains on, until somebody comes
            events += [
                Event(kind="no-cooling", at_min=-33, for_min=48),
                Event(kind="heat", at_min=-32.6, for_min=3.5, watts=5_600),
                Event(kind="heat", at_min=-29.1, for_min=44, watts=2_100),
            ]
        case "zx-1":  # while nobody could see it
            events += [
                Event(kind="no-cooling", at_min=-262, for_min=60),
                Event(kind="heat", at_min=-260, for_min=4, watts=5_600),
                Event(kind="heat", at_min=-256, for_min=52, watts=2_200),
            ]
        case "m1":  # it drives off empty, its unit switched off
            events.append(Event(kind="unit-off", at_min=DEPARTURE_MIN, for_min=LIVE_MIN))
        case "hub-4":  # something to look back at
            events += [
                Event(kind="door", at_min=-6 * 1440 - 300, for_min=55),
                Event(kind="heat", at_min=-6 * 1440 - 300, for_min=55, watts=3_500),
            ]
        case "yp-3":
            events.append(Event(kind="defrost", at_min=-3 * 1440 - 200, for_min=85))
        case "sc-1":
            events.append(Event(kind="power-cut", at_min=-9 * 1440 - 100, for_min=110))
        case _:
            pass
    return tuple(events)


def _since(event: Event, from_min: float) -> Event | None:
    """The event by the minutes of a scenario that begins at ``from_min``."""
    until = event.until_min - from_min
    at = event.at_min - from_min
    if event.every_min and at < 0:
        at %= event.every_min
    length = event.for_min
    if at < 0:
        at, length = 0.0, length + at
    if length <= 0 or until <= at:
        return None
    return Event(
        kind=event.kind, at_min=at, for_min=length, every_min=event.every_min,
        until_min=until, watts=event.watts,
    )  # fmt: skip


def _route(room: ColdRoom, from_min: float) -> tuple[Leg, ...]:
    """Mobile store 1 leaves Qingshi at minute 5; mobile store 2 has been at Feng'ao since noon."""
    home = next(site for site in SITES if site.id == room.site)
    if room.kind != "compartment" or home.lat is None or home.lon is None:
        return ()
    parked = Leg(at_min=0, lat=home.lat, lon=home.lon)
    if room.id != DEPARTING_ROOM:
        return (parked,)
    leaves = DEPARTURE_MIN - from_min
    return (
        parked,
        Leg(at_min=leaves, lat=home.lat, lon=home.lon, mode="moving"),
        Leg(at_min=leaves + 50, lat=30.1418, lon=103.4183),
    )
