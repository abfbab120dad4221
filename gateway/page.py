"""The gateway's page on its LAN: what its rooms are like now, with or without the internet.

One page that renews itself, without a script, in Chinese and English, small enough for any
phone. It shows no person and no number. Acknowledging asks for a PIN where one is set.
"""

import hmac
import os
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from time import monotonic
from urllib.parse import parse_qs

from domain.incident import LOCAL_OFFSET_MS, Known
from domain.message import named
from domain.quantity import QUANTITIES
from domain.reading import NOT_VALID
from gateway.lan import Answer, Request
from gateway.local_alarms import RoomNow, ValueNow, View

RENEW_S = 15
RENEW_TYPING_S = 60  # while a PIN is asked for: a new page forgets what was typed
OLD_MS = 15 * 60_000  # a value is no longer of now
MOST_FORM = 4_096
WRONG_PINS, FORGOTTEN_AFTER_S = 5, 300.0
HIDDEN = frozenset({"lat", "lon", "signal", "voltage", "power"})  # nothing to act on here

_QUANTITIES: Mapping[str, tuple[str, str]] = {
    "temperature": ("气温", "air"),
    "product_temperature": ("货温", "product"),
    "ambient_temperature": ("室外", "outside"),
    "setpoint": ("设定", "set point"),
    "humidity": ("湿度", "humidity"),
    "door": ("门", "door"),
    "mains": ("市电", "mains"),
    "compressor": ("压缩机", "compressor"),
    "defrost": ("化霜", "defrost"),
    "battery": ("电池", "battery"),
    "co2": ("二氧化碳", "CO₂"),
    "ethylene": ("乙烯", "ethylene"),
}
_STATES: Mapping[str, Sequence[tuple[str, str]]] = {
    "door": (("关", "closed"), ("开", "open")),
    "mains": (("停电", "off"), ("有电", "on")),
    "compressor": (("停", "off"), ("运行", "runs")),
    "defrost": (("否", "no"), ("进行中", "running")),
}
_UNITS = {"Cel": "℃", "%RH": "%", "%EL": "%", "ppm": " ppm"}

_STYLE = """
*{box-sizing:border-box}
body{margin:0 auto;max-width:46rem;padding:.6rem .8rem 2rem;font:16px/1.45 system-ui,"Noto Sans CJK SC",sans-serif;color:#14202b;background:#f4f6f8}
header{display:flex;justify-content:space-between;align-items:baseline;gap:1rem}
h1{font-size:1.15rem;margin:.2rem 0}h2{font-size:1.05rem;margin:0}
a{color:#0b5394}
section,ul.state{background:#fff;border:1px solid #d5dce3;border-radius:.5rem;padding:.6rem .8rem;margin:.7rem 0}
section.bad{border-color:#b3261e;border-width:2px}section.warn{border-color:#a15c00;border-width:2px}
section h2 small{font-weight:400;color:#55626e}
ul{list-style:none;padding:0;margin:.3rem 0 0}
ul.state li{padding:.1rem 0}
dl{display:grid;grid-template-columns:1fr auto auto;gap:.1rem .8rem;margin:.4rem 0 0}
dt,dd{margin:0}dd{text-align:right;font-variant-numeric:tabular-nums}
dd.age{color:#55626e;font-size:.9rem;align-self:center}
dd.v{font-weight:600}.old{color:#8a949d;font-weight:400}
p{margin:.4rem 0 0}p.bad{color:#b3261e;font-weight:600}p.warn{color:#8a4f00;font-weight:600}
.ok{color:#1a6b34}.off{color:#b3261e;font-weight:600}
form{margin:.5rem 0 0;display:flex;gap:.5rem;flex-wrap:wrap}
button,input{font:inherit;padding:.5rem .9rem;border-radius:.4rem;border:1px solid #8a949d}
button{background:#b3261e;border-color:#b3261e;color:#fff;font-weight:600;min-height:2.75rem}
input{width:7rem;min-height:2.75rem}
footer{color:#55626e;font-size:.9rem;margin-top:1rem}
"""
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True, slots=True)
class State:
    """Of the gateway itself. ``down_s`` 0 while the server takes what it is sent."""

    down_s: float
    linked: bool
    readings_waiting: int
    full_in_h: float | None
    clock_trusted: bool
    full: bool
    judging: bool


class Page:
    """``GET /`` and ``POST /ack``."""

    def __init__(
        self,
        gateway: str,
        *,
        view: Callable[[], View],
        state: Callable[[], State],
        acknowledge: Callable[[str, str], bool],
        now_ms: Callable[[], int],
        pin: str,
    ) -> None:
        self._gateway = gateway
        self._view, self._state = view, state
        self._acknowledge = acknowledge
        self._now_ms = now_ms
        self._pin = pin
        self._mark = os.urandom(16).hex()  # in the form: another site's form does not know it
        self._wrong: deque[float] = deque(maxlen=WRONG_PINS)

    def show(self, request: Request) -> Answer:
        if request.path.strip("/"):
            return Answer(404, b"there is nothing here\n")
        zh = _wants_zh(request)
        said = parse_qs(request.query).get("said", [""])[0]
        body = self._page(self._view(), self._state(), said, zh=zh)
        return Answer(200, body.encode(), "text/html; charset=utf-8", _HEADERS)

    def ack(self, request: Request) -> Answer:
        try:
            form = parse_qs(request.body[:MOST_FORM].decode(), max_num_fields=8)
        except ValueError:
            return Answer(400, b"not a form\n")
        fields = {name: values[0] for name, values in form.items()}
        if not hmac.compare_digest(fields.get("mark", "").encode(), self._mark.encode()):
            said = "again"  # the gateway was started anew since the page was made
        elif not self._may(fields.get("pin", "")):
            said = "pin"
        elif self._acknowledge(fields.get("room", ""), "page"):
            said = "done"
        else:
            said = "over"
        lang = "zh" if fields.get("lang") == "zh" else "en"
        return Answer(303, headers={"Location": f"/?lang={lang}&said={said}"})

    def _may(self, pin: str) -> bool:
        """After some wrong ones no PIN is tried for a while, the right one neither."""
        if not self._pin:
            return True
        at_s = monotonic()
        if len(self._wrong) == WRONG_PINS and at_s - self._wrong[0] < FORGOTTEN_AFTER_S:
            return False
        if hmac.compare_digest(pin.strip().encode(), self._pin.encode()):
            return True
        self._wrong.append(at_s)
        return False

    # ---- the page --------------------------------------------------------------------------

    def _page(self, view: View, state: State, said: str, *, zh: bool) -> str:
        now_ms = self._now_ms()
        rooms = sorted(view.rooms, key=lambda r: (_gravity(r), r.site_zh, r.name_zh))
        body = "".join(self._room(room, now_ms, zh=zh) for room in rooms)
        if not view.configured:
            body = _p(
                "还没有收到配置：这里不知道有哪些库房。读数照常保存。",
                "No config has come yet: no rooms are known here. Readings are kept all the same.",
                zh=zh,
            )
        elif not rooms:
            body = _p("这个网关没有库房。", "This gateway has no rooms.", zh=zh)
        other = ("en", "English") if zh else ("zh", "中文")
        typing = bool(self._pin) and any(room.can_ack for room in rooms)
        renew_s = RENEW_TYPING_S if typing else RENEW_S
        title = f"{'网关' if zh else 'Gateway'} {escape(self._gateway)}"
        return (
            f'<!doctype html><html lang="{"zh-CN" if zh else "en"}"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width,initial-scale=1">'
            f'<meta http-equiv="refresh" content="{renew_s};url=/?lang={"zh" if zh else "en"}">'
            f"<title>{title}</title><style>{_STYLE}</style></head><body>"
            f'<header><h1>{title}</h1><a href="/?lang={other[0]}">{other[1]}</a></header>'
            f"{_SAID.get(said, ('', ''))[not zh]}{_about_itself(state, zh=zh)}{body}"
            f"<footer>{_local(now_ms)}{f'，每{renew_s}秒更新' if zh else f', renewed every {renew_s} s'}</footer>"
            "</body></html>"
        )

    def _room(self, room: RoomNow, now_ms: int, *, zh: bool) -> str:
        name = escape(room.name_zh if zh else room.name_en)
        site = escape(room.site_zh if zh else room.site_en)
        mood = {0: ' class="bad"', 1: ' class="warn"'}.get(_gravity(room), "")
        alarms = "".join(_alarm(known, now_ms, zh=zh) for known in room.alarms)
        if room.acked and alarms:
            alarms += _p("已确认", "Acknowledged", zh=zh)
        if not room.governed:
            alarms += _p("没有规则，不会报警", "No rule: it raises no alarm", zh=zh)
        values = "".join(_value(value, now_ms, zh=zh) for value in room.values)
        values = f"<dl>{values}</dl>" if values else _p("还没有读数", "No readings yet", zh=zh)
        return (
            f"<section{mood}><h2>{name} <small>{site}</small></h2>{alarms}"
            f"{self._button(room, zh=zh) if room.can_ack else ''}{values}</section>"
        )

    def _button(self, room: RoomNow, *, zh: bool) -> str:
        pin = (
            f'<input name="pin" inputmode="numeric" autocomplete="off" required'
            f' aria-label="PIN" placeholder="{"门上的PIN" if zh else "PIN"}">'
            if self._pin
            else ""
        )
        return (
            f'<form method="post" action="/ack"><input type="hidden" name="room" value="{escape(room.id)}">'
            f'<input type="hidden" name="mark" value="{self._mark}">'
            f'<input type="hidden" name="lang" value="{"zh" if zh else "en"}">{pin}'
            f"<button>{'确认，关警铃' if zh else 'Acknowledge, stop the siren'}</button></form>"
        )


_SAID = {
    "done": ("<p class=ok>已确认。</p>", "<p class=ok>Acknowledged.</p>"),
    "over": ("<p>没有要确认的报警了。</p>", "<p>There is nothing left to acknowledge.</p>"),
    "pin": (
        "<p class=bad>PIN不对，没有确认。</p>",
        "<p class=bad>Wrong PIN: not acknowledged.</p>",
    ),
    "again": (
        "<p class=bad>页面已更新，请再点一次。</p>",
        "<p class=bad>The page is new: press again.</p>",
    ),
}


def _about_itself(state: State, *, zh: bool) -> str:
    minutes = int(state.down_s // 60)
    if state.linked and minutes < 1:
        link = ("ok", "与服务器相连", "The server hears us")
    elif state.linked:
        link = (
            "off",
            f"服务器{minutes}分钟没有答复",
            f"No answer from the server for {minutes} min",
        )
    else:
        link = ("off", f"断网{minutes}分钟", f"No link for {minutes} min")
    rows = [link]
    if state.readings_waiting:
        n = state.readings_waiting
        rows.append(("", f"{n}条读数待传", f"{n} readings waiting"))
    else:
        rows.append(("ok", "读数都已送到", "All readings delivered"))
    if state.full_in_h is not None and not state.full:
        left_zh, left = _hours(state.full_in_h), _hours(state.full_in_h, zh=False)
        rows.append(("", f"约{left_zh}后存满", f"Full in {left} at this rate"))
    if state.full:
        rows.append(("off", "存满了：新读数留在探头里", "Full: new readings stay with the probes"))
    if not state.clock_trusted:
        rows.append(("off", "时钟没有校准", "The clock is not synchronised"))
    if not state.judging:
        rows.append(("off", "这里现在不判断报警", "Alarms are not judged here now"))
    items = "".join(f'<li class="{kind}">{escape(_w(a, b, zh=zh))}</li>' for kind, a, b in rows)
    return f'<ul class="state">{items}</ul>'


def _alarm(known: Known, now_ms: int, *, zh: bool) -> str:
    kind = "bad" if known.level == "critical" else "warn"
    peak = ""
    if known.peak is not None:
        peak = f" {known.peak / 100:.1f}℃"
    since = (
        _local(known.began_ms)[-5:]
        if now_ms - known.began_ms < 86_400_000
        else _local(known.began_ms)
    )
    text = f"{named(known.code, zh=zh)}{peak}{'，' + since + '起' if zh else ', since ' + since}"
    return f'<p class="{kind}">{escape(text)}</p>'


def _value(value: ValueNow, now_ms: int, *, zh: bool) -> str:
    if value.quantity in HIDDEN:
        return ""
    label = _w(*_QUANTITIES.get(value.quantity, (value.quantity, value.quantity)), zh=zh)
    quantity = QUANTITIES[value.quantity]
    if (states := _STATES.get(value.quantity)) and value.count in (0, 1):
        text = _w(*states[value.count], zh=zh)
    else:
        digits = min(quantity.decimals, 1)
        text = f"{quantity.value(value.count):.{digits}f}{_UNITS.get(quantity.unit, '')}"
    if value.quality & NOT_VALID:
        text += "（不可信）" if zh else " (not valid)"
    old = " old" if now_ms - value.at_ms > OLD_MS or value.quality & NOT_VALID else ""
    age = escape(_age(now_ms - value.at_ms, zh=zh))
    return f'<dt>{label}</dt><dd class="v{old}">{escape(text)}</dd><dd class="age">{age}</dd>'


def _gravity(room: RoomNow) -> int:
    if any(k.level == "critical" for k in room.alarms):
        return 0
    return 1 if room.alarms else 2


def _age(ms: int, *, zh: bool) -> str:
    minutes = max(ms, 0) // 60_000
    if minutes < 1:
        return "刚刚" if zh else "just now"
    if minutes < 120:
        return f"{minutes}分钟前" if zh else f"{minutes} min ago"
    hours = minutes // 60
    if hours < 48:
        return f"{hours}小时前" if zh else f"{hours} h ago"
    return f"{hours // 24}天前" if zh else f"{hours // 24} days ago"


def _hours(hours: float, *, zh: bool = True) -> str:
    if hours >= 48:
        return f"{hours / 24:.0f}天" if zh else f"{hours / 24:.0f} days"
    return f"{hours:.0f}小时" if zh else f"{hours:.0f} hours"


def _local(at_ms: int) -> str:
    """China has one civil time."""
    return datetime.fromtimestamp((at_ms + LOCAL_OFFSET_MS) / 1000, UTC).strftime("%m-%d %H:%M")


def _p(zh_text: str, en_text: str, *, zh: bool) -> str:
    return f"<p>{escape(_w(zh_text, en_text, zh=zh))}</p>"


def _w(zh_text: str, en_text: str, *, zh: bool) -> str:
    return zh_text if zh else en_text


def _wants_zh(request: Request) -> bool:
    asked = parse_qs(request.query).get("lang", [""])[0]
    if asked in ("zh", "en"):
        return asked == "zh"
    first = request.header("Accept-Language").split(",")[0].strip().lower()
    return not first or first.startswith("zh")
