"""A rule tried on the room's own past, before it is in force.

Trying is a question (GET), so an address holds it and can be passed on; putting the rule in force
is a form of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.datastructures import FormData, QueryParams
from starlette.responses import RedirectResponse

from api.alarms import DAY_MS
from api.asked import Caller, InContext
from api.console.pages import form_of, page
from api.console.setup_pages import INTERVALS_S
from api.context import Context
from api.dry_runs import MOST_ROOMS, Trial, tried
from api.limits import as_rule, limits_in_force
from api.problems import Problem
from domain.commodity import COMMODITIES
from domain.dry_run import KINDS, Change, Proposal, proposed
from domain.profile import PROFILES, Impossible
from domain.reading import RoomId
from domain.rulebook import limit_rules
from store.records import Refused
from store.records.ports import Room, RuleVersion

router = APIRouter(include_in_schema=False)

SPANS_D = (7, 14, 30)
SHOWN = 60
Said = QueryParams | FormData


@dataclass(frozen=True, slots=True)
class Row:
    """One limit of the form. ``own``: what the profile has; ``limit``, ``delay``: what the room
    has instead, or what was typed."""

    code: str
    level: str
    own_limit: str
    own_delay: str
    limit: str
    delay: str


@router.get("/rooms/{room}/try")
async def try_page(room: str, request: Request, context: InContext) -> Response:
    found = _room(context, room)
    held = context.registry().rule(found.id, context.now_ms())
    asked = request.query_params
    if held is None or "profile" not in asked:
        return _page(request, context, found, held, asked)
    now_ms = context.now_ms()
    span = now_ms - _days(asked) * DAY_MS, now_ms
    trials: list[Trial] = []
    refused: list[tuple[Room, Impossible]] = []
    try:
        proposal = _proposal(asked, held)
        for one in _wanted(context, found, held, asked):
            try:
                trial = await tried(context, one.id, proposal, span)
            except Impossible as error:
                if one.id == found.id:
                    raise
                refused.append((one, error))
                continue
            if trial is not None:
                trials.append(trial)
    except (Impossible, Refused) as error:
        return _page(request, context, found, held, asked, error=error)
    return _page(request, context, found, held, asked, trials=trials, refused=refused)


@router.post("/rooms/{room}/try")
async def put_in_force(room: str, request: Request, context: InContext, caller: Caller) -> Response:
    """The rule as it was tried, for this room, from now on."""
    found = _room(context, room)
    now_ms = context.now_ms()
    held = context.registry().rule(found.id, now_ms)
    form = await form_of(request)
    if held is None:
        raise Problem(409, "the room has no rule yet", field="room")
    try:
        wanted = proposed(as_rule(held), _proposal(form, held))
        context.records.add_rule(
            found.id, now_ms, wanted.profile, wanted.commodities, wanted.interval_s,
            wanted.overrides, by=caller.person, now_ms=now_ms,
        )  # fmt: skip
    except (Impossible, Refused) as error:
        return _page(request, context, found, held, form, error=error)
    return RedirectResponse(f"/rooms/{found.id}", 303)


def _room(context: Context, id: str) -> Room:
    found = context.registry().rooms.get(RoomId(id))
    if found is None:
        raise Problem(404, f"there is no room {id[:64]!r}")
    return found


def _days(asked: Said) -> int:
    text = _text(asked, "days")
    return int(text) if text in map(str, SPANS_D) else SPANS_D[-1]


def _text(asked: Said, name: str) -> str:
    value = asked.get(name, "")
    return value.strip() if isinstance(value, str) else ""


def _goods(asked: Said) -> tuple[str, ...]:
    return tuple(v for v in asked.getlist("commodities") if isinstance(v, str) and v)


def _wanted(context: Context, room: Room, held: RuleVersion, asked: Said) -> list[Room]:
    """This room, or every room that has its profile now."""
    alike = _alike(context, held)
    return alike if _text(asked, "which") == "all" and len(alike) <= MOST_ROOMS else [room]


def _alike(context: Context, held: RuleVersion) -> list[Room]:
    registry, now_ms = context.registry(), context.now_ms()
    return [
        one
        for one in registry.rooms.values()
        if (rule := registry.rule(one.id, now_ms)) is not None and rule.profile == held.profile
    ]


def _proposal(asked: Said, held: RuleVersion) -> Proposal:
    """What was typed. Goods are the room's own, so for all rooms of a profile each keeps its."""
    profile = _text(asked, "profile")
    overrides: dict[str, Any] = {}
    for code, own in _overrides(held, profile).items():
        kept = own.get("hysteresis_c") if isinstance(own, Mapping) else None
        if kept is not None:
            overrides[code] = {"hysteresis_c": kept}
    for rule in limit_rules().values():
        if rule.profile != profile:
            continue
        for field in ("limit_c", "delay_min"):
            text = _text(asked, f"{field}:{rule.code}")
            if text:
                overrides.setdefault(rule.code, {})[field] = _number(text, f"{rule.code}.{field}")
    defrost = _text(asked, "defrost_total_min")
    if defrost:
        overrides["defrost_total_min"] = _number(defrost, "defrost_total_min")
    interval = _text(asked, "interval_s")
    if not (interval.isascii() and interval.isdigit() and len(interval) < 9):
        raise Refused("interval_s", "must be a whole number of seconds")
    goods = None if _text(asked, "which") == "all" else _goods(asked)
    return Proposal(profile, goods, int(interval), overrides)


def _number(text: str, field: str) -> float:
    try:
        number = Decimal(text.replace("−", "-").replace(",", "."))
    except InvalidOperation:
        raise Refused(f"overrides.{field}", f"not a number: {text[:40]!r}") from None
    if not number.is_finite():
        raise Refused(f"overrides.{field}", "must be a finite number")
    return float(number)


def _overrides(held: RuleVersion, profile: str) -> Mapping[str, Any]:
    return held.overrides if held.profile == profile else {}


def _rows(held: RuleVersion, asked: Said, profile: str, goods: Sequence[str]) -> list[Row]:
    """Of the profile that is chosen; without what no override may change."""
    plain = replace(held, profile=profile, commodities=tuple(goods), overrides={})
    overrides = _overrides(held, profile)
    typed = "profile" in asked
    found = []
    for limit in limits_in_force(plain):
        if limit_rules()[f"{profile}.{limit.code}"].fixed:
            continue
        own = overrides.get(limit.code)
        own = own if isinstance(own, Mapping) else {}
        number = limit.above if limit.above is not None else limit.below
        found.append(
            Row(
                limit.code,
                limit.level,
                _plain(number),
                "" if limit.code == "CEILING" else _plain(limit.delay_min),
                _text(asked, f"limit_c:{limit.code}") if typed else _plain(own.get("limit_c")),
                _text(asked, f"delay_min:{limit.code}") if typed else _plain(own.get("delay_min")),
            )
        )
    return found


def _plain(number: object) -> str:
    return f"{number:g}" if isinstance(number, int | float) else ""


def _page(
    request: Request,
    context: Context,
    room: Room,
    held: RuleVersion | None,
    asked: Said,
    *,
    trials: Sequence[Trial] | None = None,
    refused: Sequence[tuple[Room, Impossible]] = (),
    error: Impossible | Refused | None = None,
) -> Response:
    registry = context.registry()
    typed = "profile" in asked
    profile = (_text(asked, "profile") if typed else "") or (held.profile if held else "")
    goods = _goods(asked) if typed else held.commodities if held else ()
    alike = len(_alike(context, held)) if held else 0
    changes: list[tuple[Trial, Change]] = [
        (t, c) for t in trials or () for c in t.difference.changes
    ]
    return page(
        request,
        "try.html",
        422 if error else 200,
        room=room,
        site=registry.sites[room.site],
        rooms=registry.rooms,
        held=held,
        profile=profile,
        profiles=PROFILES,
        goods=goods,
        commodities=sorted(COMMODITIES.values(), key=lambda one: (one.category, one.key)),
        intervals=INTERVALS_S,
        interval_s=_text(asked, "interval_s") or (str(held.interval_s) if held else ""),
        defrost=_text(asked, "defrost_total_min")
        if typed
        else _plain((held.overrides if held else {}).get("defrost_total_min")),
        rows=_rows(held, asked, profile, goods) if held and profile in PROFILES else [],
        spans=SPANS_D,
        days=_days(asked),
        which=_text(asked, "which"),
        same_profile=alike if alike <= MOST_ROOMS else 0,  # more: by command
        typed=[(name, value) for name, value in asked.multi_items() if isinstance(value, str)],
        trials=trials,
        changes=changes[:SHOWN],
        more=max(len(changes) - SHOWN, 0),
        lost_real=sum(len(trial.lost_real) for trial in trials or ()),
        codes=_by_code(trials or ()),
        kinds=KINDS,
        refused=refused,
        error=error,
    )


def _by_code(trials: Sequence[Trial]) -> list[tuple[str, int, int, int]]:
    """(code, as it was, proposed, moved), of what differs at all."""
    found: dict[str, list[int]] = {}
    for trial in trials:
        for i, side in enumerate((trial.difference.before, trial.difference.after)):
            for code, n in side.items():
                found.setdefault(code, [0, 0, 0])[i] += n
        for change in trial.difference.changes:
            if change.kind == "moved":
                found[change.code][2] += 1
    return [(code, *three) for code, three in sorted(found.items())]  # type: ignore[misc] # three numbers each
