"""The phones of the demo: what each person received, and a field to answer.

It works without a script (the page then reloads by itself) and asks for news once a second
with one. It is for loopback only and refuses what another site's page would send to it.
"""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, urlsplit

from coldtrail.sms_centre.memory import Memory, Shown
from disk.room import Full

log = logging.getLogger(__name__)

MOST_REPLY = 70  # one part: 16-bit units, of which an emoji takes two
MOST_FORM = 4096

WORDS: Mapping[str, Mapping[str, str]] = {
    "zh": {
        "title": "演示手机",
        "empty": "还没有短信。",
        "nobody": "还没有人收到短信。告警一发出，手机就会出现在这里。",
        "reply": "回复，例如 1",
        "send": "发送",
        "sending": "发送中",
        "sent": "已送达",
        "parts": "正在接收…",
        "other": "English",
        "today": "今天",
    },
    "en": {
        "title": "Demo phone",
        "empty": "No messages yet.",
        "nobody": "Nobody has been written to yet. A phone appears here with its first message.",
        "reply": "Reply, for example 1",
        "send": "Send",
        "sending": "sending",
        "sent": "delivered",
        "parts": "receiving…",
        "other": "中文",
        "today": "Today",
    },
}

STYLE = """
*{box-sizing:border-box}
html,body{margin:0;height:100%}
body{font:16px/1.45 system-ui,"Noto Sans CJK SC","PingFang SC","Microsoft YaHei",sans-serif;
background:#dfe5ea;color:#15202b;display:flex;justify-content:center;align-items:center}
.phone{display:flex;flex-direction:column;width:100%;height:100dvh;background:#f3f5f7;
overflow:hidden}
@media (min-width:520px){.phone{width:400px;height:min(860px,94vh);border:11px solid #111a21;
border-radius:42px;box-shadow:0 18px 50px #0004}}
.bar{display:flex;justify-content:space-between;padding:10px 18px 4px;font-size:13px;
font-weight:600;background:#fff}
.bar a{color:#0b5cad;text-decoration:none;font-weight:500}
.people{display:flex;gap:6px;overflow-x:auto;padding:6px 12px 8px;background:#fff;
border-bottom:1px solid #d9dfe4;scrollbar-width:none}
.people a{flex:none;padding:6px 12px;border-radius:16px;background:#e8edf1;color:#15202b;
text-decoration:none;font-size:14px;min-height:44px;display:inline-flex;align-items:center;gap:4px}
.people a[aria-current]{background:#0b5cad;color:#fff}
.people small{opacity:.75}
.list{flex:1;overflow-y:auto;padding:12px;display:flex;flex-direction:column;gap:4px}
.list p{margin:0}
.from{align-self:center;color:#5b6873;font-size:12px;padding:6px 0}
.bubble{max-width:84%;padding:9px 12px;border-radius:16px;white-space:pre-wrap;
overflow-wrap:anywhere}
.in{align-self:flex-start;background:#fff;border-bottom-left-radius:4px}
.out{align-self:flex-end;background:#0b5cad;color:#fff;border-bottom-right-radius:4px}
.meta{font-size:11px;color:#5b6873;padding:0 6px 6px}
.meta.right{align-self:flex-end}
.empty{margin:auto;color:#5b6873;text-align:center;padding:24px}
form{display:flex;gap:8px;padding:0 12px 14px;background:#fff}
input{flex:1;min-width:0;font:inherit;padding:10px 14px;border:1px solid #b9c3cb;
border-radius:20px;background:#fff;color:inherit}
button{font:inherit;font-weight:600;border:0;border-radius:20px;padding:10px 16px;
background:#0b5cad;color:#fff;min-height:44px}
.chips{display:flex;gap:8px;padding:8px 12px;background:#fff;border-top:1px solid #d9dfe4}
.chips button{background:#e8edf1;color:#15202b;font-weight:500;min-height:44px}
"""

SCRIPT = """
const list=document.getElementById('view');let seen=list.dataset.revision;
const form=document.querySelector('form.reply'); // stays with the person it was drawn for
if(form)history.replaceState(null,'','?phone='+form.phone.value+'&lang='+list.dataset.lang);
const bottom=()=>{const l=document.querySelector('.list');if(l)l.scrollTop=l.scrollHeight};
async function look(){try{const r=await fetch(location.pathname+location.search,
{headers:{'X-Seen':seen}});if(r.status===200){const d=new DOMParser().parseFromString(
await r.text(),'text/html').getElementById('view');if(!form&&d.dataset.phone){
location.reload();return}seen=d.dataset.revision;list.replaceChildren(...d.childNodes);bottom()}}
catch(e){}setTimeout(look,1000)}
document.addEventListener('click',e=>{const b=e.target.closest('[data-say]');
if(b){e.preventDefault();say(b.dataset.say)}});
async function say(text){const f=new URLSearchParams({phone:form?form.phone.value:'',text});
await fetch('reply',{method:'POST',body:f});}
if(form)form.addEventListener('submit',async e=>{e.preventDefault();const t=form.text.value;
if(t.trim()){form.text.value='';await say(t)}});
bottom();setTimeout(look,1000);
"""


class PhoneServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(
        self, port: int, memory: Memory, names: Mapping[str, str], utc_offset: timedelta
    ) -> None:
        self.memory = memory
        self.names = names  # phone without plus: what to call its owner
        self.zone = timezone(utc_offset)
        super().__init__(("127.0.0.1", port), Phone)

    def handle_error(self, request: object, client_address: object) -> None:
        """That request alone; what is printed by default would end us where the disk is full."""
        log.warning("a request ended early", exc_info=True)  # noqa: LOG014 - called while it is handled


class Phone(BaseHTTPRequestHandler):
    server: PhoneServer
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if not self._ours():
            self._answer(HTTPStatus.FORBIDDEN, "only for this machine")
        elif url.path == "/healthz":
            self._answer(HTTPStatus.OK, "lives")
        elif url.path != "/":
            self._answer(HTTPStatus.NOT_FOUND, "not here")
        elif self.headers.get("X-Seen") == str(self.server.memory.revision):
            self._answer(HTTPStatus.NO_CONTENT, "")
        else:
            asked = parse_qs(url.query)
            lang = asked.get("lang", [self._preferred()])[0]
            page = self._page(asked.get("phone", [""])[0].strip("+ "), lang)
            self._answer(HTTPStatus.OK, page, "text/html; charset=utf-8")

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if not self._ours() or urlsplit(self.path).path != "/reply" or length > MOST_FORM:
            self._answer(HTTPStatus.FORBIDDEN, "not accepted")
            self.close_connection = True
            return
        form = parse_qs(self.rfile.read(length).decode("utf-8", "replace"))
        phone = form.get("phone", [""])[0].strip("+ ")
        text = form.get("text", [""])[0].strip()
        known = {p for p, _ in self.server.memory.phones()}
        if phone not in known or not 0 < len(text.encode("utf-16-be")) // 2 <= MOST_REPLY:
            self._answer(HTTPStatus.BAD_REQUEST, f"a known phone, and 1 to {MOST_REPLY} characters")
            return
        try:
            self.server.memory.type_reply(phone, text)
        except Full as error:
            self._answer(HTTPStatus.INSUFFICIENT_STORAGE, str(error))
            return
        self.send_response(HTTPStatus.SEE_OTHER)
        self.send_header("Location", f"/?phone={quote(phone)}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _ours(self) -> bool:
        """Asked under a loopback name, and by no other site's page."""
        port = self.server.server_address[1]
        hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost")}
        origin = self.headers.get("Origin")
        return self.headers.get("Host") in hosts and (
            origin is None or origin in {f"http://{host}" for host in hosts}
        )

    def _preferred(self) -> str:
        return "zh" if self.headers.get("Accept-Language", "zh").startswith("zh") else "en"

    def _page(self, phone: str, lang: str) -> str:
        lang = lang if lang in WORDS else "zh"
        say = WORDS[lang]
        revision = self.server.memory.revision
        phones = self.server.memory.phones()
        known = [p for p, _ in phones]
        phone = phone if phone in known else (known[0] if known else "")
        other = "en" if lang == "zh" else "zh"
        people = "".join(
            f'<a href="?phone={quote(p)}&amp;lang={lang}"{" aria-current=page" if p == phone else ""}>'
            f"{escape(self._name(p))} <small>{n}</small></a>"
            for p, n in phones
        )
        chips = "".join(
            f'<button type="button" data-say="{word}">{word}</button>' for word in ("1", "温度")
        )
        answer = (
            f'<div class="chips">{chips}</div>'
            '<form class="reply" method="post" action="reply" autocomplete="off">'
            f'<input type="hidden" name="phone" value="{escape(phone)}">'
            f'<input name="text" maxlength="{MOST_REPLY}" placeholder="{say["reply"]}"'
            f' aria-label="{say["reply"]}" required><button>{say["send"]}</button></form>'
        )
        return (
            f'<!doctype html><html lang="{"zh-CN" if lang == "zh" else "en"}">'
            '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
            '<noscript><meta http-equiv="refresh" content="2"></noscript>'
            f"<title>{say['title']}</title><style>{STYLE}</style>"
            f'<main class="phone"><div class="bar"><span>{say["title"]}</span>'
            f'<a href="?phone={quote(phone)}&amp;lang={other}">{say["other"]}</a></div>'
            f'<div id="view" data-revision="{revision}" data-lang="{lang}" data-phone="{escape(phone)}" style="display:contents">'
            f'<nav class="people">{people}</nav><div class="list">'
            f"{self._bubbles(phone, say)}</div></div>{answer if phone else ''}</main>"
            f"<script>{SCRIPT}</script></html>"
        )

    def _bubbles(self, phone: str, say: Mapping[str, str]) -> str:
        if not phone:
            return f'<p class="empty">{say["nobody"]}</p>'
        shown = self.server.memory.inbox(phone)
        head = f'<p class="from">+{escape(phone)}</p>'
        return head + "".join(self._bubble(message, say) for message in shown)

    def _bubble(self, message: Shown, say: Mapping[str, str]) -> str:
        when = datetime.fromtimestamp(message.at_ms / 1000, UTC).astimezone(self.server.zone)
        text = escape(message.text) if message.text is not None else say["parts"]
        meta = when.strftime("%m-%d %H:%M:%S")
        if message.mine:
            state = say["sent"] if message.handed_on else say["sending"]
            return f'<p class="bubble out">{text}</p><p class="meta right">{meta} · {state}</p>'
        return f'<p class="bubble in">{text}</p><p class="meta">{meta}</p>'

    def _name(self, phone: str) -> str:
        return self.server.names.get(phone, f"…{phone[-4:]}")

    def _answer(
        self, status: HTTPStatus, body: str, kind: str = "text/plain; charset=utf-8"
    ) -> None:
        raw = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(raw)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header(
            "Content-Security-Policy",
            "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline';"
            " connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        )
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: object) -> None:
        log.debug("phone page", extra={"request": format % args})
