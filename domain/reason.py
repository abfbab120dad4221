"""A rule's state as a sentence that a person reads: why it rings, or why it does not.

Times come through ``clock``, so that each reader has them in the own zone and form. Nothing is
rounded: limits and values stand at the probe's resolution.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from domain.explain import GAPS, SIGNAL_OF, RuleState
from domain.judgement import Pause
from domain.prediction import HOUR_MS, SLOPE
from domain.profile import MINUTE_MS, NEVER, Limit
from domain.quantity import QUANTITIES
from domain.rulebook import LimitRule

Clock = Callable[[int], str]
LANGUAGES = ("zh", "en")
_CAUSES = {
    "door": ("开门", "an open door"),
    "defrost": ("除霜", "a defrost"),
    "loading": ("装卸", "loading"),
    "precool": ("预冷", "pre-cooling"),
    "standby": ("停用（空库）", "standby (an empty room)"),
    "maintenance": ("检修", "maintenance"),
}
_SIGNALS = {
    ("door", 0): ("门关着", "door closed"),
    ("door", 1): ("门开着", "door open"),
    ("defrost", 0): ("未在除霜", "no defrost"),
    ("defrost", 1): ("正在除霜", "defrost on"),
    ("mains", 0): ("断电", "mains off"),
    ("mains", 1): ("有市电", "mains on"),
    ("compressor", 0): ("压缩机停", "compressor off"),
    ("compressor", 1): ("压缩机运行", "compressor running"),
}
_OBJECTIONS = {
    "beyond": ("已越过严重限值", "the critical limit is passed already"),
    "within": ("未越过警戒限值，机组也未停", "the warning limit is not passed and the plant runs"),
    "door": ("45 分钟内开过门", "a door was open within the last 45 min"),
    "excused": ("正在除霜或装卸", "a defrost or loading is going on"),
    "limited": ("限值告警已在说明同一件事", "a limit alarm says it already"),
    "few": ("30 分钟内读数不足 7 个", "fewer than 7 readings in 30 min"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Tongue:
    """Words in one language around the same facts."""

    zh: bool
    clock: Clock

    def __call__(self, zh: str, en: str) -> str:
        return zh if self.zh else en

    def pair(self, words: tuple[str, str]) -> str:
        return words[0] if self.zh else words[1]

    def value(self, count: int, quantity: str) -> str:
        known = QUANTITIES.get(quantity, QUANTITIES["temperature"])
        unit = {"Cel": " °C", "%RH": " %RH", "%EL": " %"}.get(known.unit, "")
        return f"{known.value(count)}".replace("-", "−") + unit

    def minutes(self, ms: int) -> str:
        whole = ms >= 2 * HOUR_MS and ms % HOUR_MS == 0
        n = f"{ms / (HOUR_MS if whole else MINUTE_MS):g}"
        unit = self("小时", "h") if whole else self("分钟", "min")
        return f"{n} {unit}"

    def causes(self, pauses: Sequence[Pause]) -> str:
        said = []
        for pause in pauses:
            name = self.pair(_CAUSES.get(pause.cause, (pause.cause, pause.cause)))
            begin = self.clock(pause.from_ms)
            if pause.to_ms is None:
                said.append(self(f"{name}（自 {begin} 起）", f"{name} (since {begin})"))
            else:
                end = self.clock(pause.to_ms)
                said.append(
                    self(
                        f"{name}（{begin} 至最迟 {end}）",
                        f"{name} ({begin} to {end} at the latest)",
                    )
                )
        return self("、", " and ").join(said)


def sentence(one: RuleState, lang: str, clock: Clock) -> str:
    """Why the rule rings or not, and what would have to happen. ``lang``: zh or en."""
    return " ".join(_said(one, _Tongue(lang != "en", clock)).split())


def _said(one: RuleState, tongue: _Tongue) -> str:
    match one.status:
        case "firing":
            return _firing(one, tongue)
        case "pending":
            return _pending(one, tongue)
        case "paused":
            head = tongue(
                f"因{tongue.causes(one.causes)}暂停计时。",
                f"Waits because of {tongue.causes(one.causes)}. ",
            )
            return head + _now(one, tongue) + _due(one, tongue)
        case "off":
            head = tongue(
                f"因{tongue.causes(one.causes)}关闭。",
                f"Switched off by {tongue.causes(one.causes)}. ",
            )
            return head + _now(one, tongue) + _due(one, tongue)
        case "no_data":
            if one.value_at_ms is None:
                return tongue(
                    "没有可信的读数，不能判断。", "No valid reading: nothing can be judged."
                )
            at = tongue.clock(one.value_at_ms)
            return tongue(
                f"自 {at} 起没有可信的读数，不能判断；缺数据另有告警。",
                f"No valid reading since {at}: nothing can be judged. Silence has an alarm of its own.",
            )
        case "no_input":
            return tongue(
                f"本库没有这条规则所需的数据。触发条件：{_needs(one, tongue)}。",
                f"Nothing of the kind is measured here. It needs: {_needs(one, tongue)}.",
            )
        case _:
            head = _now(one, tongue) + _trend(one, tongue)
            needs = tongue(
                f"触发条件：{_needs(one, tongue)}。", f"An alarm needs: {_needs(one, tongue)}."
            )
            return head + needs + _due(one, tongue)


def _firing(one: RuleState, t: _Tongue) -> str:
    since, fired = t.clock(one.since_ms or 0), t.clock(one.fired_at_ms or 0)
    peak = ""
    if one.peak is not None:
        peak = t(f"，极值 {t.value(one.peak, '')}", f", peak {t.value(one.peak, '')}")
    if one.limit is not None:
        delay = one.limit.delay_ms
        if one.code == "CRIT_CHILL_CUM":
            lasted = t(f"，累计满 {t.minutes(delay)}", f", {t.minutes(delay)} in all")
        elif delay:
            lasted = t(f"，持续满 {t.minutes(delay)}", f" for {t.minutes(delay)}")
        else:
            lasted = ""
        what = _breach(one.limit, t, _quantity(one))
        head = t(
            f"自 {since} 起{what}{lasted}，{fired} 触发{peak}。",
            f"{_capital(what)} since {since}{lasted}: fired at {fired}{peak}. ",
        )
        ends = _clears(one.limit, t, _quantity(one))
    else:
        what = _needs(one, t)
        began = "" if since == fired else t(f"自 {since} 起，", f"since {since}, ")
        head = t(f"{began}{fired} 触发：{what}。", f"{_capital(began)}fired at {fired}: {what}. ")
        head = head if began else _capital(head)
        ends = "" if isinstance(one.book, LimitRule) else t(one.book.clears_zh, one.book.clears_en)
    tail = t(f"解除条件：{ends}。", f"It ends when: {ends}.") if ends else ""
    return head + _now(one, t) + _trend(one, t) + tail


def _pending(one: RuleState, t: _Tongue) -> str:
    since, due = t.clock(one.since_ms or 0), t.clock(one.due_ms or 0)
    waits = t(
        f"（现因{t.causes(one.causes)}暂停）", f" (waiting because of {t.causes(one.causes)})"
    )
    waits = waits if one.causes else ""
    if one.limit is None:
        what = _needs(one, t)
        return t(
            f"已计时：自 {since} 起。若保持不变，{due} 触发。触发条件：{what}。",
            f"Under way since {since}. It fires at {due} if this stays so: {what}.",
        )
    what = _breach(one.limit, t, _quantity(one))
    if one.dose_ms is not None:
        total = t.minutes(one.dose_ms // MINUTE_MS * MINUTE_MS)
        return t(
            f"自 {since} 起累计{what} {total}{waits}。若保持不变，{due} 触发。",
            f"{_capital(what)} for {total} in all since {since}{waits}. It fires at {due} if it stays {what}.",
        )
    return _now(one, t) + t(
        f"自 {since} 起{what}{waits}。若持续到 {due}，则触发。",
        f"{_capital(what)} since {since}{waits}. It fires if it stays {what} until {due}.",
    )


def _due(one: RuleState, t: _Tongue) -> str:
    if one.due_ms is None:
        return ""
    due = t.clock(one.due_ms)
    if one.code in GAPS:
        return t(f"若不再来数据，{due} 触发。", f" If nothing more arrives, it fires at {due}.")
    return t(f"若一切保持不变，{due} 触发。", f" If everything stays as it is, it fires at {due}.")


def _now(one: RuleState, t: _Tongue) -> str:
    """The value that decides, ending as a sentence does."""
    if one.value is None or one.value_at_ms is None:
        return ""
    at = t.clock(one.value_at_ms)
    if one.code in SIGNAL_OF:
        word = t.pair(_SIGNALS[SIGNAL_OF[one.code][0], one.value])
        return t(f"自 {at} 起{word}。", f"{_capital(word)} since {at}. ")
    value = t.value(one.value, _quantity(one))
    return t(f"{at} 为 {value}。", f"{value} at {at}. ")


def _trend(one: RuleState, t: _Tongue) -> str:
    if one.trend is None or (one.status == "firing" and one.trend.objection == "few"):
        return ""
    hourly = f"{one.trend.counts_an_hour / SLOPE:+.1f}".replace("-", "−")
    fit = f"{one.trend.fit:.2f}"
    said = t(
        f"近 30 分钟每小时 {hourly} °C，R² {fit}。", f"{hourly} °C an hour over 30 min, R² {fit}. "
    )
    if one.trend.objection == "few":
        said = ""
    if one.trend.objection and one.status != "firing":
        why = t.pair(_OBJECTIONS[one.trend.objection])
        if one.trend.objection == "within" and one.code == "PREDICT_FREEZE":
            why = t("未越过警戒限值", "the warning limit is not passed")
        said += t(f"不作预测：{why}。", f"No forecast: {why}. ")
    return said


def _needs(one: RuleState, t: _Tongue) -> str:
    if one.limit is None:
        if isinstance(one.book, LimitRule):
            return ""
        return t(one.book.fires_zh, one.book.fires_en).replace("`", "")
    what = _breach(one.limit, t, _quantity(one))
    delay = t.minutes(one.limit.delay_ms)
    if one.code == "CRIT_CHILL_CUM":
        so_far = t.minutes((one.dose_ms or 0) // MINUTE_MS * MINUTE_MS)
        return t(
            f"{what}累计 {delay}（已有 {so_far}）", f"{what} for {delay} in all ({so_far} so far)"
        )
    if not one.limit.delay_ms:
        return t(f"一个读数{what}", f"one reading {what}")
    return t(f"{what}，不间断持续 {delay}", f"{what} for {delay} without a break")


def _quantity(one: RuleState) -> str:
    return "humidity" if one.code == "WARN_RH" else one.source.partition("|")[0]


def _breach(limit: Limit, t: _Tongue, quantity: str) -> str:
    high, low = limit.high < NEVER, limit.low > -NEVER
    if high and low:
        span = t.value(limit.low, quantity), t.value(limit.high, quantity)
        return t(f"超出 {span[0]} 至 {span[1]}", f"outside {span[0]} to {span[1]}")
    stated = t.value(limit.stated, quantity)
    if high:
        return t(f"高于 {stated}", f"above {stated}")
    if limit.inclusive:
        return t(f"低于或等于 {stated}", f"at or below {stated}")
    return t(f"低于 {stated}", f"below {stated}")


def _clears(limit: Limit, t: _Tongue, quantity: str) -> str:
    high, low = limit.high < NEVER, limit.low > -NEVER
    if high and low:
        span = t.value(limit.clear_low, quantity), t.value(limit.clear_high, quantity)
        where = t(f"在 {span[0]} 至 {span[1]}", f"from {span[0]} to {span[1]}")
    elif high:
        stated = t.value(limit.clear_high, quantity)
        where = t(f"不高于 {stated}", f"at or below {stated}")
    else:
        stated = t.value(limit.clear_low, quantity)
        where = t(f"不低于 {stated}", f"at or above {stated}")
    return t(f"连续两个读数{where}", f"two readings in a row are {where}")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
