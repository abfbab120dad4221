"""Who is told of which rooms: people, their phones and their duties."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import uuid4

from fastapi import APIRouter, Request, Response
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse

from api.alarms import DAY_MS
from api.asked import Caller, InContext
from api.console.duty_pages import minute_of
from api.console.pages import field, form_of, page, words_of
from api.context import Context
from api.problems import Problem
from api.sessions import Session
from domain.reading import PersonId
from domain.roster import DAYS, ROLES, Shift
from store.records import Refused
from store.records.checks import DAY_MIN
from store.records.ports import CalendarDay, Duty, Person, Region

router = APIRouter(include_in_schema=False)

LANGUAGES = ("zh", "en")
STRANGERS_MS, SHOWN_STRANGERS = 14 * DAY_MS, 10


@router.get("/people")
async def people(request: Request, context: InContext, person: str = "") -> Response:
    return _people(request, context, 200, typed={"person": person})


@router.post("/people")
async def say(request: Request, context: InContext, caller: Caller) -> Response:
    """What is refused comes back with what was typed; nothing of it has happened."""
    form = await form_of(request)
    try:
        match field(form, "do"):
            case "save":
                _save(request, form, context, caller)
            case "give":
                duty = _with_shift(form, _duty(form), context.records.duties())
                context.records.put_duty(duty, by=caller.person, now_ms=context.now_ms())
            case "allow":
                person = PersonId(field(form, "person"))
                context.records.allow_texts(person, by=caller.person, now_ms=context.now_ms())
            case "day":
                day = CalendarDay(field(form, "day"), field(form, "counts_as"), field(form, "name"))
                context.records.put_day(day, by=caller.person, now_ms=context.now_ms())
            case "no_day":
                day_said = field(form, "day")
                context.records.take_day(day_said, by=caller.person, now_ms=context.now_ms())
            case "take":
                duty = _duty(form)
                context.records.end_duty(duty, by=caller.person, now_ms=context.now_ms())
            case other:
                raise Problem(422, f"no such form: {other[:64]!r}", field="do")
    except Refused as error:
        typed = {name: field(form, name) for name in form}
        return _people(request, context, 422, refused=error, typed=typed)
    return RedirectResponse("/people", 303)


def _strangers(context: Context) -> list[Mapping[str, object]]:
    """Texts of the last days from numbers that nobody here has, newest first: an operator with a
    new phone acknowledges nothing and hears nothing."""
    since_ms = context.now_ms() - STRANGERS_MS
    found = context.sources.notices.ask(lambda reader: reader.replies(1000)) or ()
    mine = {one.phone.lstrip("+") for one in context.registry().people.values()}
    return [
        one
        for one in found
        if one["understood"] == "stranger"
        and int(str(one["at_ms"])) >= since_ms
        and str(one["from"]).lstrip("+") not in mine
    ][:SHOWN_STRANGERS]


def _people(
    request: Request,
    context: Context,
    status: int,
    *,
    refused: Refused | None = None,
    typed: dict[str, str],
) -> Response:
    registry = context.registry()
    duties = context.records.duties()
    sites = sorted(registry.sites.values(), key=lambda site: site.id)
    return page(
        request,
        "people.html",
        status,
        people=sorted(registry.people.values(), key=lambda person: person.name),
        duties={id: [d for d in duties if d.person == id] for id in registry.people},
        regions=_from_the_top(list(registry.regions.values())),
        sites={site.id: site for site in sites},
        rooms=registry.rooms,
        rooms_of={site.id: registry.rooms_of(site.id) for site in sites},
        roles=ROLES,
        days=DAYS,
        strangers=_strangers(context),
        stopped=context.records.texts_stopped(),
        calendar=context.records.calendar(),
        languages=LANGUAGES,
        ways=context.settings.channels,
        refused=refused,
        typed=typed,
    )


def _from_the_top(regions: list[Region], above: str | None = None) -> dict[str, Region]:
    found: dict[str, Region] = {}
    for region in regions:
        if region.parent == above:
            found |= {region.id: region} | _from_the_top(regions, region.id)
    return found


def _save(request: Request, form: FormData, context: Context, caller: Session) -> None:
    """A new person's id is made from the form's own key: sent twice, it is one person."""
    known = context.registry().people
    id = field(form, "id")
    if id and id not in known:
        raise Problem(404, f"there is no person {id[:64]!r}")
    person = Person(
        PersonId(id or f"p-{(field(form, 'key') or uuid4().hex)[:10]}"),
        field(form, "name"),
        field(form, "phone").replace(" ", "").replace("-", ""),
        field(form, "lang"),
        field(form, "quiet_hours") == "1",
        _channels(form, context, known.get(id)),
    )
    for other in known.values():
        if other.phone == person.phone and other.id != person.id:  # a reply is known by its number
            raise Refused("phone", words_of(request)("people.phone_taken", name=other.name))
    context.records.put_person(person, by=caller.person, now_ms=context.now_ms())


def _channels(form: FormData, context: Context, before: Person | None) -> tuple[str, ...]:
    """As they were, where the form does not ask."""
    if "channels" not in form:
        return before.channels if before else ()
    named = field(form, "channels").replace("，", ",").split(",")
    named = [name.strip() for name in named if name.strip()]
    known = context.settings.channels
    if unknown := sorted(set(named) - set(known)):
        raise Refused("channels", f"unknown: {', '.join(unknown)}; there are {', '.join(known)}")
    return tuple(named)


def _duty(form: FormData) -> Duty:
    kind, _, scope = field(form, "scope").partition(":")
    if not scope:
        raise Refused("scope", "choose one")
    return Duty(PersonId(field(form, "person")), field(form, "role"), kind, scope)


def _with_shift(form: FormData, duty: Duty, held: Sequence[Duty]) -> Duty:
    """The shift of the form beside those that the duty has; without one it always holds."""
    days = "".join(day for day in DAYS if day in form.getlist("days"))
    if not days:
        return duty
    shift = Shift(
        days,
        minute_of(field(form, "from"), 0),
        minute_of(field(form, "to"), DAY_MIN) or DAY_MIN,
        field(form, "first_day"),
        field(form, "last_day"),
    )
    before = next((d.shifts for d in held if replace(d, shifts=()) == duty), ())
    return replace(duty, shifts=tuple(dict.fromkeys((*before, shift))))
