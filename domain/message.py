"""The words of a notice: place, goods, value, limit, since when, what to do, code.

Every character counts one, Latin or Chinese: 70 make one part, longer texts are sent in parts of
67 (alarm practice, section 10). What does not fit is left out from the least important end;
place, goods and value stay. A past excursion never speaks of the present.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from domain.decision import Notice
from domain.incident import DAY_MS, LIMIT_CODES, LOCAL_OFFSET_MS, MINUTE_MS, Known
from domain.template import Filled, fill

ONE_PART, MANY_PARTS = 70, 67
_LETTERS, _DIGITS = "ABCDEFGHJKLMNPQRSTUVWXYZ", "23456789"  # none that is misread for another

DRILL = "DRILL"  # a code that no rule has

LOW_SIDE = frozenset(
    {"WARN_LOW", "WARN_CHILL", "CRIT_LOW", "CRIT_FREEZE", "CRIT_CHILL_CUM", "WHO_FREEZE"}
)


@dataclass(frozen=True, slots=True)
class Place:
    """A room in people's words. ``more_*``: further goods, named when there is room for them.
    ``limits``: counts of 0.01 degC by code, where known."""

    name_zh: str
    name_en: str
    goods_zh: str = ""
    goods_en: str = ""
    limits: Mapping[str, int] | None = None
    more_zh: str = ""
    more_en: str = ""


@dataclass(frozen=True, slots=True)
class _Words:
    zh: str
    en: str
    do_zh: str
    do_en: str


# In order of what a person must hear first; the rest of a notice's codes are counted.
_WORDS = {
    "CEILING": _Words("严重超温", "far too warm", "立即转移货物", "Move goods now"),
    "CRIT_FREEZE": _Words("有冻害风险", "freezing", "请立即调高设定", "Raise the set point"),
    "WHO_FREEZE": _Words("冻结报警", "freezing", "请立即调高设定", "Raise the set point"),
    "CRIT_HIGH": _Words("超温", "too warm", "请查门和机组", "Check door and unit"),
    "WHO_HEAT": _Words("超温", "too warm", "请转移疫苗", "Move vaccines"),
    "CRIT_LOW": _Words("有冷害风险", "chilling", "请立即调高设定", "Raise the set point"),
    "CRIT_CHILL_CUM": _Words("冷害累计超时", "chilled too long", "请调高设定", "Raise the set point"),
    "GSP_OUT": _Words("超出2–8℃", "outside 2-8C", "请查设定和机组", "Check set point"),
    "WARN_HIGH": _Words("偏高", "warm", "请查门和机组", "Check door and unit"),
    "WARN_DANGER_BAND": _Words("进入危险温区", "in danger band", "请降温", "Cool further"),
    "WARN_LOW": _Words("偏低", "cold", "请调高设定", "Raise the set point"),
    "WARN_CHILL": _Words("偏低", "cold", "请调高设定", "Raise the set point"),
    "POWER_LOSS_CRIT": _Words("长时间停电", "long power cut", "请启用备电或转移", "Use backup power"),
    "DOOR_OPEN_CRIT": _Words("门长时间未关", "door left open", "请关门", "Close the door"),
    "SENSOR_RANGE": _Words("探头读数异常", "probe fault", "请查探头", "Check the probe"),
    "DATA_GAP_CRIT": _Words("长时间无数据", "no data for long", "请查设备和网络", "Check device, link"),
    "PRECOOL_SLOW_CRIT": _Words("预冷严重超时", "pre-cooling far too slow", "请查机组", "Check unit"),
    "LOW_BATTERY_CRIT": _Words("电池将耗尽", "battery empty", "请换电池", "Change battery"),
    "PREDICT_FREEZE": _Words("约1小时后有冻害", "freezing in about 1 h", "请调高设定", "Raise set point"),
    "PREDICT_HIGH": _Words("约2小时后超温", "too warm in about 2 h", "请查机组", "Check unit"),
    "POWER_LOSS_WARN": _Words("断电", "power lost", "请查电源", "Check power"),
    "DOOR_OPEN_WARN": _Words("门未关", "door open", "请关门", "Close the door"),
    "DEFROST_TOO_LONG": _Words("化霜过久", "defrost too long", "请查加热器", "Check heater"),
    "LOADING_TOO_LONG": _Words("装卸过久", "loading too long", "请结束装卸", "Finish loading"),
    "COMP_NO_START": _Words("机组未启动", "unit not starting", "请查机组", "Check unit"),
    "COMP_NEVER_STOPS": _Words("机组不停机", "unit never stops", "请查结霜和制冷剂", "Check icing, gas"),
    "DATA_GAP_WARN": _Words("无数据", "no data", "请查设备和网络", "Check device, link"),
    "PRECOOL_SLOW_WARN": _Words("预冷偏慢", "pre-cooling slow", "请查机组", "Check unit"),
    "STANDBY_WITH_STOCK": _Words("待机中有货", "stock while on standby", "请结束待机", "End standby"),
    "SENSOR_STUCK": _Words("探头读数不变", "probe stuck", "请查探头", "Check the probe"),
    "SENSOR_DISAGREE": _Words("探头读数不一", "probes disagree", "请查探头", "Check probes"),
    "LOW_BATTERY_WARN": _Words("电池电量低", "battery low", "请换电池", "Change battery"),
    DRILL: _Words("演练", "drill", "请回复", "Please reply"),
    "WARN_RH": _Words("湿度超限", "humidity out of band", "请查加湿和门", "Check humidity"),
}  # fmt: skip
_ORDER = {code: rank for rank, code in enumerate(_WORDS)}


CODES = tuple(code for code in _WORDS if code != DRILL)  # that some rule has


def named(code: str, *, zh: bool) -> str:
    """An alarm in a few words; a code without words is its own."""
    words = _WORDS.get(code)
    if words is None:
        return code
    return words.zh if zh else words.en


def todo(code: str, *, zh: bool) -> str:
    """What whoever hears of it should do, as in the text message; empty for a code without words."""
    words = _WORDS.get(code)
    if words is None:
        return ""
    return words.do_zh if zh else words.do_en


def parts(text: str) -> int:
    """How many messages a carrier charges for, in UCS-2."""
    return 1 if len(text) <= ONE_PART else -(-len(text) // MANY_PARTS)


def reply_code(room: str, incident: int, salt: int = 0) -> str:
    """Four characters that name an incident in a reply, such as A7K3. Never a carrier's
    unsubscribe word: the second is a digit."""
    number = int.from_bytes(hashlib.blake2b(f"{room}/{incident}/{salt}".encode()).digest()[:8])
    code = ""
    for alphabet in (_LETTERS, _DIGITS, _LETTERS, _DIGITS):
        number, at = divmod(number, len(alphabet))
        code += alphabet[at]
    return code


def compose(
    notice: Notice, places: Mapping[str, Place], lang: str, code: str = "", limit: int = ONE_PART
) -> str:
    """The text, at most ``limit`` characters."""
    zh = lang != "en"
    if notice.sites:
        return _of_sites(notice, zh, limit)
    if notice.kind == "digest":
        return _digest(notice, places, zh, limit)
    if DRILL in notice.codes:
        return _fit(_drill(notice, places[notice.room], zh, code), limit)
    told = _of_a_room(notice, places[notice.room], code)
    return _fit(_in_chinese(told) if zh else _in_english(told), limit)


def templated(
    notice: Notice, places: Mapping[str, Place], lang: str, code: str = ""
) -> Filled | None:
    """The same as a template with its variables, for carriers that send nothing else; None when
    no template stands for it."""
    zh = lang != "en"
    end = "zh" if zh else "en"
    if notice.sites and notice.kind != "raise":
        return None
    if notice.sites:
        values = {"count": str(len(notice.sites)), "place": ", ".join(notice.sites)}
        return fill(f"power-{end}", values)
    if notice.kind == "digest":
        return _digest_filled(notice, places, zh)
    if DRILL in notice.codes:  # never in the words of an alarm
        place = places[notice.room]
        name = place.name_zh if zh else place.name_en
        if notice.kind == "clear":
            return fill(f"drill-over-{end}", {"place": name})
        return fill(f"drill-{end}", {"place": name, "code": code}) if code else None
    t = _of_a_room(notice, places[notice.room], code)
    goods = t.place.goods_zh if zh else t.place.goods_en
    same_day = _day(t.since_ms) == _day(t.last_ms)
    values = {
        "place": t.place.name_zh if zh else t.place.name_en,
        "goods": goods or ("货物" if zh else "goods"),
        "value": t.value,
        "what": t.words.zh if zh else t.words.en,
        "todo": t.words.do_zh if zh else t.words.do_en,
        "since": _clock(t.since_ms),
        "until": ("" if same_day else _day(t.last_ms)) + _clock(t.last_ms),
        "minutes": str(_minutes(t.since_ms, t.last_ms)),
        "code": code,
    }
    if t.kind in ("past", "corrected"):
        values["since"] = _day(t.since_ms) + _clock(t.since_ms)
        return fill(f"{t.kind}-{end}", values)
    if not code:
        return None
    return fill(f"{t.kind}-{'figure' if t.value else 'state'}-{end}", values)


def _digest_filled(notice: Notice, places: Mapping[str, Place], zh: bool) -> Filled | None:
    rooms = {room for room, _ in notice.about}
    if not rooms:
        return None
    room, lead = min(
        ((room, known.code) for room, known in notice.about),
        key=lambda one: (_ORDER.get(one[1], 999), one[0]),
    )
    words = _WORDS.get(lead) or _Words(lead, lead, "", "")
    place = places[room]
    values = {
        "count": str(len(rooms)),
        "place": place.name_zh if zh else place.name_en,
        "what": words.zh if zh else words.en,
    }
    return fill("digest-zh" if zh else "digest-en", values)


def _of_a_room(notice: Notice, place: Place, code: str) -> "_Told":
    about = [known for _, known in notice.about]
    lead = min(notice.codes, key=lambda c: (c not in LIMIT_CODES, _ORDER.get(c, 999)))
    return _Told(
        kind=notice.kind,
        place=place,
        lead=lead,
        words=_WORDS.get(lead) or _Words(lead, lead, "请查看", "Please check"),
        value=_value(lead, about),
        more=len(set(notice.codes)) - 1,
        since_ms=min((k.began_ms for k in about), default=notice.at_ms),
        last_ms=max((k.cleared_ms or notice.at_ms for k in about), default=notice.at_ms),
        code=code,
    )


@dataclass(frozen=True, slots=True)
class _Told:
    """What one room's text is put together from; ``more``: codes beside the leading one."""

    kind: str
    place: Place
    lead: str
    words: _Words
    value: str
    more: int
    since_ms: int
    last_ms: int
    code: str

    @property
    def of_goods(self) -> bool:
        return self.lead in LIMIT_CODES

    @property
    def limit(self) -> str:
        bound = (self.place.limits or {}).get(self.lead)
        return "" if bound is None else _plain(bound)


# Each piece with its rank: 0 always stays, the highest is left out first.


def _in_chinese(t: _Told) -> list[tuple[str, int]]:
    goods = t.place.goods_zh if t.of_goods else ""
    figures_follow = bool(t.value) or t.kind in ("past", "corrected")
    apart = " " if figures_follow and not goods else ""  # "3" and "4.6" must not run together
    where = [(t.place.name_zh + apart, 0), (goods, 0), (t.place.more_zh if goods else "", 2)]
    more = (f"等{t.more + 1}项" if t.more else "", 6)
    match t.kind:
        case "clear":
            return [
                *where, ("已恢复正常", 0), (f",共{_minutes(t.since_ms, t.last_ms)}分钟", 3),
                (_extreme(t, "最低", "最高", ","), 0), ("。记录已存", 5), (f" {t.code}" if t.code else "", 1),
            ]  # fmt: skip
        case "past":
            return [
                ("补报:", 1), *where, (_span(t.since_ms, t.last_ms), 2), (f"曾{t.words.zh}", 1),
                more, (_extreme(t, "最低", "最高", ","), 0), ("。已结束", 3),
            ]  # fmt: skip
        case "corrected":
            return [
                ("更正:", 1), *where, (_day(t.since_ms) + _clock(t.since_ms) + " ", 3), (t.value, 0),
                (t.words.zh, 1), ("经补传数据核实不成立", 1),
            ]  # fmt: skip
        case _:
            waiting = {"escalate": "无人确认:", "repeat": "仍未恢复:"}.get(t.kind, "")
            return [
                (waiting, 2), *where, (t.value, 0), (t.words.zh, 1),
                (f"(限{t.limit}℃)" if t.limit else "", 5), more, (f",{_clock(t.since_ms)}起", 4),
                ("。" + t.words.do_zh, 3), (f"。回1确认 {t.code}" if t.code else "", 1),
            ]  # fmt: skip


def _in_english(t: _Told) -> list[tuple[str, int]]:
    goods = f" {t.place.goods_en}" if t.of_goods and t.place.goods_en else ""
    where = [(t.place.name_en, 0), (goods, 0), (t.place.more_en if goods else "", 2)]
    value = f" {t.value}" if t.value else ""
    more = (f" +{t.more}" if t.more else "", 6)
    match t.kind:
        case "clear":
            return [
                *where, (" back to normal", 0),
                (f" after {_minutes(t.since_ms, t.last_ms)} min", 3),
                (_extreme(t, "lowest ", "highest ", ", "), 0), (". Recorded", 5),
                (f" {t.code}" if t.code else "", 1),
            ]  # fmt: skip
        case "past":
            return [
                ("Late report: ", 1), *where, (f" was {t.words.en}", 1), more,
                (f" {_span(t.since_ms, t.last_ms)}", 2),
                (_extreme(t, "lowest ", "highest ", ", "), 0), (". It is over", 3),
            ]  # fmt: skip
        case "corrected":
            return [
                ("Correction: ", 1), *where, (value, 0), (f" {t.words.en}", 1),
                (f" {_day(t.since_ms)}{_clock(t.since_ms)}", 3),
                (" was not so, late data shows", 1),
            ]  # fmt: skip
        case _:
            waiting = {"escalate": "Unanswered: ", "repeat": "Still: "}.get(t.kind, "")
            return [
                (waiting, 2), *where, (value, 0), (f" {t.words.en}", 1),
                (f" (limit {t.limit}C)" if t.limit else "", 5), more,
                (f" since {_clock(t.since_ms)}", 4), (f". {t.words.do_en}", 3),
                (f". Reply 1 {t.code}" if t.code else "", 1),
            ]  # fmt: skip


def _drill(notice: Notice, place: Place, zh: bool, code: str) -> list[tuple[str, int]]:
    if notice.kind == "clear":
        began_ms = min((k.began_ms for _, k in notice.about), default=notice.at_ms)
        minutes = _minutes(began_ms, notice.at_ms)
        if zh:
            return [("演练结束:", 0), (place.name_zh, 0), (f",共{minutes}分钟", 1), ("。谢谢", 2)]
        return [("Drill over: ", 0), (place.name_en, 0), (f", {minutes} min", 1), (". Thanks", 2)]
    again = notice.kind != "raise"
    if zh:
        return [
            ("演练:", 0), ("无人确认," if again else "", 3), (place.name_zh, 0),
            ("测试报警,货物无事", 1), ("。收到请", 2), (f"回1确认 {code}" if code else "", 0),
        ]  # fmt: skip
    return [
        ("DRILL: ", 0), ("unanswered, " if again else "", 3), (place.name_en, 0),
        (" test alarm, goods are fine", 1), (f". Reply 1 {code}" if code else "", 0),
    ]  # fmt: skip


def _fit(said: Sequence[tuple[str, int]], limit: int) -> str:
    """The pieces in order, the least important left out until it fits; rank 0 always stays."""
    left = [piece for piece in said if piece[0]]
    while sum(len(text) for text, _ in left) > limit and any(rank for _, rank in left):
        left.remove(max(left, key=lambda piece: piece[1]))
    return "".join(text for text, _ in left).lstrip("。., ")[:limit]


def _of_sites(notice: Notice, zh: bool, limit: int) -> str:
    """What took many sites at once: how many, what, and as many names as there is room for."""
    n = len(notice.sites)
    lead = min(notice.codes, key=lambda c: _ORDER.get(c, 999))
    words = _WORDS.get(lead) or _Words(lead, lead, "", "")
    if notice.kind == "raise":
        head = f"{n}个站点10分钟内断电" if zh else f"{n} sites lost power in 10 min"
        tail = "。请查供电" if zh else ". Check the supply"
    elif notice.kind == "clear":
        head, tail = (f"另有{n}个站点已恢复正常" if zh else f"{n} more sites back to normal"), ""
    else:
        head = (
            f"另有{n}个站点{words.zh},无人确认" if zh else f"{n} more sites, unanswered: {words.en}"
        )
        tail = "。" + words.do_zh if zh else ". " + words.do_en
    return _with_names(head, notice.sites, tail, zh, limit)


def _with_names(head: str, sites: Sequence[str], tail: str, zh: bool, limit: int) -> str:
    for n in range(len(sites), 0, -1):
        more = ("等" if zh else " and more") if n < len(sites) else ""
        named = (":" if zh else ": ") + ("、" if zh else ", ").join(sites[:n]) + more
        if len(head + named + tail) <= limit:
            return head + named + tail
    return (head + tail)[:limit]


def _digest(notice: Notice, places: Mapping[str, Place], zh: bool, limit: int) -> str:
    rooms: dict[str, list[Known]] = {}
    for room, known in notice.about:
        rooms.setdefault(room, []).append(known)
    told = []
    for room, about in rooms.items():
        lead = min({k.code for k in about}, key=lambda c: _ORDER.get(c, 999))
        words = _WORDS.get(lead) or _Words(lead, lead, "", "")
        place, value = places[room], _value(lead, about)
        over = all(not k.active for k in about)
        if zh:
            told.append(f"{place.name_zh}{place.goods_zh if value else ''}{value}{words.zh}"
                        + ("(已恢复)" if over else ""))  # fmt: skip
        else:
            goods = f" {place.goods_en}" if value and place.goods_en else ""
            value = f" {value}" if value else ""
            told.append(f"{place.name_en}{goods}{value} {words.en}" + (" (over)" if over else ""))
    head = f"汇总{len(told)}处:" if zh else f"Digest, {len(told)}: "
    for n in range(len(told), 0, -1):
        more = ("等" if zh else " ...") if n < len(told) else ""
        text = head + (";" if zh else "; ").join(told[:n]) + more
        if len(text) <= limit:
            return text
    return (head + told[0])[:limit] if told else head[:limit]


def _value(code: str, about: Sequence[Known]) -> str:
    peaks = [k.peak for k in about if k.peak is not None and k.code in LIMIT_CODES]
    if not peaks:
        return ""
    worst = min(peaks) if code in LOW_SIDE else max(peaks)
    return f"{worst / 100:.1f}℃"


def _extreme(t: _Told, lowest: str, highest: str, comma: str) -> str:
    if not t.value:
        return ""
    return f"{comma}{lowest if t.lead in LOW_SIDE else highest}{t.value}"


def _plain(count: int) -> str:
    text = f"{Decimal(count) / 100:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def clock_of(at_ms: int) -> str:
    """Local day and time, such as 06-01 13:32."""
    return _day(at_ms) + _clock(at_ms)


def _clock(at_ms: int) -> str:
    minute = (at_ms + LOCAL_OFFSET_MS) % DAY_MS // MINUTE_MS
    return f"{minute // 60:02d}:{minute % 60:02d}"


def month(at_ms: int) -> str:
    """Local, such as 2026-06: what a carrier's bill goes by."""
    year, number, _ = _date(at_ms)
    return f"{year:04d}-{number:02d}"


def _day(at_ms: int) -> str:
    """Month and day, local: "06-01 "."""
    _, number, day = _date(at_ms)
    return f"{number:02d}-{day:02d} "


def _date(at_ms: int) -> tuple[int, int, int]:
    """Year, month, day, local (civil date from days, proleptic Gregorian)."""
    days = (at_ms + LOCAL_OFFSET_MS) // DAY_MS + 719_468
    era, of_era = divmod(days, 146_097)
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    from_march = (5 * of_year + 2) // 153
    day = of_year - (153 * from_march + 2) // 5 + 1
    number = from_march + 3 if from_march < 10 else from_march - 9
    return era * 400 + year + (number <= 2), number, day


def _span(from_ms: int, to_ms: int) -> str:
    to_day = "" if _day(from_ms) == _day(to_ms) else _day(to_ms)
    return f"{_day(from_ms)}{_clock(from_ms)}-{to_day}{_clock(to_ms)}"


def _minutes(from_ms: int, to_ms: int) -> int:
    return (to_ms - from_ms) // MINUTE_MS
