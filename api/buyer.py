"""The page behind the code on the box: for somebody who need not trust us, without sign-in.

It shows one version of the lot's certificate and nothing that is not in it, so that what is
read here is what ``coldtrail verify`` checks. Until the first certificate is issued it says
that there is nothing yet.
"""

import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from fastapi import APIRouter, Request, Response
from starlette.responses import RedirectResponse

from api.asked import InContext
from api.buyers import Buyers
from api.charts import Chart, Limit, Point, Span, Trace, gaps, number, svg
from api.console.language import Words
from api.console.pages import HTML, asset_hash, field, rendered, words_of
from api.context import Context
from api.guard import HEADERS
from api.problems import NoSuchCode, Problem
from api.room_chart import ticks
from api.times import instant_ms
from domain.reading import LotId
from store.records.ports import Lot
from traceability.reader import CertificateVersion

router = APIRouter(prefix="/t", include_in_schema=False)

CODE = re.compile(r"[A-Za-z0-9_-]{8,32}")
HOUR_MS = 3600 * 1000
COUNTS = 100  # in one degree
MOST_KEPT = 256
TIMES = "\x00times\x00"  # stands in a kept page for how often it was opened
MOST_POINTS = 400  # of one series; a longer stay is drawn with several hours to a point


@dataclass(frozen=True, slots=True)
class Shown:
    """One certificate as the page reads it."""

    document: Mapping[str, Any]
    until_ms: int
    known: bool  # anything was measured


@lru_cache(maxsize=256)
def read(data: bytes) -> Shown:
    """Issued bytes never change, so each is read once."""
    document = orjson.loads(data)
    known = any(series["n"] for stay in document["stays"] for series in stay["series"])
    return Shown(document, instant_ms(document["evidence_until"]), known)


class Shelf:
    """Certificates and pages that were asked for lately. Neither changes once it is made: a new
    version is another certificate."""

    def __init__(self) -> None:
        self.certificates: OrderedDict[tuple[LotId, int], bytes] = OrderedDict()
        self.pages: OrderedDict[tuple[object, ...], str] = OrderedDict()

    def trim(self) -> None:
        for kept in (self.certificates, self.pages):
            while len(kept) > MOST_KEPT:
                kept.popitem(last=False)


def _found(context: Context, code: str) -> Lot:
    lot = context.records.lot_by_code(code) if CODE.fullmatch(code) else None
    if lot is None:
        raise NoSuchCode
    return lot


@dataclass(frozen=True, slots=True)
class Issued:
    """One version, and the list of all."""

    version: int
    data: bytes
    versions: tuple[CertificateVersion, ...]


def _certificate(context: Context, shelf: Shelf, lot: Lot, version: int | None) -> Issued | None:
    """The newest when none is named; None before the first is issued."""
    trace = context.sources.trace
    versions = tuple(trace.ask(lambda reader: reader.versions(lot.id)) or ())
    wanted = version if version is not None else max((v.version for v in versions), default=None)
    if wanted is None:
        return None
    data = shelf.certificates.get((lot.id, wanted))
    if data is None:
        data = trace.ask(lambda reader: reader.certificate(lot.id, wanted))
        if data is None:
            raise Problem(404, f"there is no version {wanted}", field="version")
        shelf.certificates[lot.id, wanted] = data
        shelf.trim()
    return Issued(wanted, data, versions)


@router.get("/{code}")
async def buyer_page(
    code: str, request: Request, context: InContext, version: int | None = None
) -> Response:
    lot = _found(context, code)
    shelf: Shelf = request.app.state.shelf
    buyers: Buyers = request.app.state.buyers
    issued = _certificate(context, shelf, lot, version)
    words = words_of(request)
    thanks = "reported" in request.query_params
    key = (lot, issued and (issued.version, len(issued.versions)), words.lang, thanks)
    text = shelf.pages.get(key)
    if text is None:
        text = _rendered(request, context, lot, issued, words, thanks=thanks)
        shelf.pages[key] = text
        shelf.trim()
    # The style is in the page, so that a saved page looks the same; its hash lets it in.
    policy = HEADERS["Content-Security-Policy"].replace(
        "style-src 'self'", f"style-src '{asset_hash('buyer.css')}'"
    )
    headers = {
        "Cache-Control": "no-store",
        "Content-Language": words.html_lang,
        "Content-Security-Policy": policy,
    }
    text = text.replace(TIMES, str(buyers.opened(code)))
    return Response(text, media_type=HTML, headers=headers)


def _rendered(
    request: Request,
    context: Context,
    lot: Lot,
    issued: Issued | None,
    words: Words,
    *,
    thanks: bool,
) -> str:
    shown = read(issued.data) if issued else None
    return rendered(
        request,
        "buyer.html",
        lot=lot,
        shown=shown,
        versions=list(reversed(issued.versions)) if issued else [],
        times=TIMES,
        thanks=thanks,
        parts=stay_parts(issued.data, words.lang, context.settings.timezone) if issued else (),
        names=_names(shown.document, words.lang) if shown else {},
        instant_ms=instant_ms,
    )


def _names(document: Mapping[str, Any], lang: str) -> dict[str, str]:
    """Of the rooms and sites that the certificate names."""
    rooms = [stay["room"] for stay in document["stays"]]
    places = [*rooms, *(room["site"] for room in rooms if room["site"])]
    return {place["id"]: place[f"name_{lang}"] or place["id"] for place in places}


@dataclass(frozen=True, slots=True)
class StayPart:
    stay: Mapping[str, Any]
    chart: str
    names: tuple[str, ...]  # of its lines


@lru_cache(maxsize=256)
def stay_parts(data: bytes, lang: str, timezone: str) -> tuple[StayPart, ...]:
    """Each stay with its drawing; the same for every reader of this version and language."""
    document = read(data).document
    words = Words(lang, ZoneInfo(timezone), instant_ms(document["issued_at"]))
    found = []
    for place, stay in enumerate(document["stays"]):
        chart = stay_chart(stay, words, f"s{place}")
        names = tuple(trace.name for trace in chart.traces)
        found.append(StayPart(stay, svg(chart), names))
    return tuple(found)


def stay_chart(stay: Mapping[str, Any], words: Words, id: str) -> Chart:
    """From the certificate's hours alone: lowest, mean and highest of each."""
    from_ms, to_ms = instant_ms(stay["from"]), instant_ms(stay["evidence_until"])
    to_ms = max(to_ms, from_ms + HOUR_MS)
    step_hours = max(1, -(-(to_ms - from_ms) // HOUR_MS // MOST_POINTS))
    traces = [
        Trace(
            words.known("quantity", series["quantity"]),
            _points(series["hours"], step_hours, from_ms),
            2 * step_hours * HOUR_MS,
        )
        for series in stay["series"]
    ]
    heard = sorted({point.at_ms for trace in traces for point in trace.points})
    holes = gaps(heard, from_ms, to_ms, 2 * step_hours * HOUR_MS)
    spans = [Span("gap", a, b, words("room.gap")) for a, b in holes]
    for fact in sorted(stay["facts"], key=lambda fact: str(fact["level"]) == "critical"):
        end_ms = instant_ms(fact["cleared_at"]) if fact["cleared_at"] else to_ms
        label = words.known("code", fact["code"])
        spans.append(Span(fact["level"], instant_ms(fact["began_at"]), end_ms, label))
    room = stay["room"]
    return Chart(
        id=id,
        title=words(
            "room.chart_of",
            room=room[f"name_{words.lang}"] or room["id"],
            quantity=words("quantity.temperature"),
            **{"from": words.time(from_ms), "to": words.time(to_ms)},
        ),
        unit="°C",
        from_ms=from_ms,
        to_ms=to_ms,
        traces=traces,
        limits=_limits(stay["limits"]),
        spans=spans,
        ticks=ticks(words, from_ms, to_ms),
        height=210,
        empty=words("room.no_readings"),
    )


def _points(hours: Sequence[Sequence[int]], step: int, from_ms: int) -> list[Point]:
    """Columns as the certificate has them: hour_ms, n, low, high, total, …; counts to degrees."""
    summed: dict[int, tuple[int, int, int, int]] = {}
    for hour_ms, n, low, high, total, *_ in hours:
        if not n:
            continue
        cell = hour_ms // (step * HOUR_MS) * (step * HOUR_MS)
        before = summed.get(cell)
        summed[cell] = (
            (n, low, high, total)
            if before is None
            else (before[0] + n, min(before[1], low), max(before[2], high), before[3] + total)
        )
    return [
        Point(max(at_ms, from_ms), low / COUNTS, total / n / COUNTS, high / COUNTS)
        for at_ms, (n, low, high, total) in sorted(summed.items())
    ]


def _limits(limits: Sequence[Mapping[str, Any]]) -> list[Limit]:
    if not limits:
        return []
    last = limits[-1]
    found = []
    if last["high"] is not None:
        found.append(
            Limit(last["high"] / COUNTS, ">" + number(last["high"] / COUNTS), "warning", "high")
        )
    if last["low"] is not None:
        found.append(
            Limit(last["low"] / COUNTS, "<" + number(last["low"] / COUNTS), "warning", "low")
        )
    return found


@router.get("/{code}/certificate.json")
async def certificate(
    code: str, request: Request, context: InContext, version: int | None = None
) -> Response:
    """The signed bytes exactly as they were issued."""
    lot = _found(context, code)
    issued = _certificate(context, request.app.state.shelf, lot, version)
    if issued is None:
        raise Problem(404, "no certificate is issued yet", field="version")
    name = f"coldtrail-{lot.code}-v{issued.version}.json"
    return Response(
        issued.data,
        media_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@router.post("/{code}/report")
async def report(code: str, request: Request, context: InContext) -> Response:
    """What a buyer found. Text only; nobody is identified."""
    lot = _found(context, code)
    form = await request.form(max_files=0, max_fields=5)
    text = field(form, "text")
    if text:
        buyers: Buyers = request.app.state.buyers
        buyers.report(lot.code, context.now_ms(), text)
    return RedirectResponse(f"/t/{lot.code}?reported#report", 303)
