"""Why a room's alarms ring or are silent, at any instant."""

from typing import Any

from fastapi import APIRouter, Request, Response

from api.asked import InContext
from api.console.language import Words
from api.console.pages import local_instant, page, words_of
from api.context import Context
from api.explaining import clock_of, explained, notes, silences_at
from api.problems import NotYet, Problem
from api.times import instant_ms
from domain.commodity import COMMODITIES
from domain.explain import Explanation, RuleState, SampleSeen
from domain.quantity import QUANTITIES
from domain.reading import RoomId
from domain.reason import sentence
from store.facts_ports import StoredFact
from store.records.ports import Room

router = APIRouter(include_in_schema=False)

MINUTE_MS = 60_000
STEPS_MIN = (-60, -10, 10, 60)
LOUD = ("firing", "pending", "paused", "off", "no_data")  # the rest is calm, or not measured
SHOWN_SAMPLES = 12  # without a tap


@router.get("/rooms/{room}/explain")
async def explain(room: str, request: Request, context: InContext, at: str = "") -> Response:
    found = context.registry().rooms.get(RoomId(room))
    if found is None:
        raise Problem(404, f"there is no room {room[:64]!r}")
    now_ms = context.now_ms()
    at_ms = _instant(at, context) if at else now_ms
    if at_ms > now_ms:
        raise NotYet("at")
    told = await explained(context, found.id, at_ms)
    shown = _shown(context, found, told, words_of(request)) if told else {}
    return page(
        request,
        "explain.html",
        room=found,
        site=context.registry().sites[found.site],
        at_ms=at_ms,
        live=not at,
        steps=[
            (step, at_ms + step * MINUTE_MS)
            for step in STEPS_MIN
            if at_ms + step * MINUTE_MS <= now_ms
        ],
        told=told,
        **shown,
    )


def _instant(text: str, context: Context) -> int:
    """As a program writes it, or as a form's ``datetime-local`` has it."""
    try:
        return instant_ms(text)
    except ValueError:
        return local_instant(text, context, "at")


def _shown(context: Context, room: Room, told: Explanation, words: Words) -> dict[str, Any]:
    by_status: dict[str, list[RuleState]] = {}
    for one in told.rules:
        by_status.setdefault(one.status, []).append(one)
    clock = clock_of(words, told.at_ms)
    recorded = _recorded(context, room.id, told.at_ms)
    firing = {one.code for one in by_status.get("firing", ())}
    samples = told.samples[::-1]
    return {
        "groups": [(status, by_status[status]) for status in LOUD if status in by_status],
        "notes": notes(told, words),
        "calm": by_status.get("calm", []),
        "absent": by_status.get("no_input", []),
        "recorded": recorded,
        "silences": {s.code: s for s in silences_at(context.records, room.id, told.at_ms)},
        "otherwise": sorted(recorded.keys() - firing),
        "sentence": lambda one: sentence(one, words.lang, clock),
        "clock": clock,
        "goods": [words.name(COMMODITIES[key]) for key in told.rule.commodities],
        "goods_of": lambda key: words.name(COMMODITIES[key]),
        "samples": [(one, _value(one)) for one in samples],
        "set_aside": sum(1 for one in samples if one.why_not),
        "shown_samples": SHOWN_SAMPLES,
        "people": context.registry().people,
    }


def _recorded(context: Context, room: RoomId, at_ms: int) -> dict[str, StoredFact]:
    """What the record says of that instant with all that is known today, by code."""
    facts = context.sources.facts.ask(
        lambda reader: reader.facts(room, from_ms=at_ms, to_ms=at_ms + 1)
    )
    return {fact.code: fact for fact in facts or () if fact.fired_at_ms <= at_ms}


def _value(sample: SampleSeen) -> str:
    quantity = QUANTITIES[sample.quantity]
    unit = {"Cel": "°C", "%RH": "%"}.get(quantity.unit, quantity.unit)
    return f"{quantity.value(sample.count)}".replace("-", "−") + f"\u00a0{unit}"
