"""``coldtrail dry-run``: another rule over what is stored, room after room. Nothing is written."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from api.dry_runs import Trial, as_json, try_rule
from coldtrail.explain import Unanswerable, readers, words_of
from coldtrail.settings import Installation
from domain.dry_run import KINDS, Proposal
from domain.profile import Impossible
from domain.reading import RoomId
from store.errors import NotReady


def overrides_of(said: Sequence[str]) -> dict[str, Any]:
    """``WARN_HIGH.delay_min=45`` and ``defrost_total_min=60`` as a rule has them. ``ValueError``
    for what is no such thing."""
    found: dict[str, Any] = {}
    for text in said:
        name, equals, value = text.partition("=")
        code, dot, field = name.partition(".")
        try:
            number = float(Decimal(value))
        except InvalidOperation:
            raise ValueError(f"{text!r}: CODE.FIELD=NUMBER, like WARN_HIGH.delay_min=45") from None
        if not (equals and code) or (dot and not field):
            raise ValueError(f"{text!r}: CODE.FIELD=NUMBER, like WARN_HIGH.delay_min=45")
        if dot:
            found.setdefault(code, {})[field] = number
        else:
            found[code] = number
    return found


def dry_run(
    installation: Installation,
    rooms: Sequence[str],
    proposal: Proposal,
    span: tuple[int, int],
    lang: str,
    *,
    as_text: bool,
) -> None:
    trials: list[Trial] = []
    refused: list[tuple[str, Impossible]] = []
    with readers(installation) as (records, readings, facts):
        known = [one.id for one in records.rooms()]
        for room in rooms:
            if room not in known:
                raise Unanswerable(f"there is no room {room!r}; there are: {', '.join(known)}")
        wanted = [RoomId(room) for room in rooms] or known
        for room in with_progress(wanted):
            try:
                trial = try_rule(records, readings, facts, room, proposal, span)
            except Impossible as error:
                if rooms:
                    raise Unanswerable(f"{room}: {error}") from error
                refused.append((room, error))
                continue
            except NotReady as error:
                raise Unanswerable(str(error)) from error
            if trial is not None:
                trials.append(trial)
    if not trials and refused:
        raise Unanswerable("\n".join(f"{room}: {error}" for room, error in refused))
    if as_text:
        _print(trials, refused, installation, lang)
        return
    print(
        json.dumps(
            {
                "from_ms": span[0],
                "to_ms": span[1],
                "rooms": [as_json(trial) for trial in trials],
                "refused": [
                    {"room": room, "field": e.field, "reason": e.reason} for room, e in refused
                ],
            },
            ensure_ascii=False,
            default=plain,
        )
    )


def plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else str(value)


def with_progress(rooms: Sequence[RoomId]) -> Iterator[RoomId]:
    """A bar on a terminal; nothing in a pipe."""
    yield from track(
        rooms,
        description="rooms",
        console=Console(file=sys.stderr),
        disable=not sys.stderr.isatty(),
        transient=True,
    )


def _print(
    trials: Sequence[Trial],
    refused: Sequence[tuple[str, Impossible]],
    installation: Installation,
    lang: str,
) -> None:
    words = words_of(installation)(lang)
    console = Console(highlight=False, soft_wrap=True)
    if not trials:
        console.print(words("trial.no_rules"))
        return
    for trial in trials:
        for change in trial.difference.changes:
            was = trial.of(change)
            later = "" if change.later_ms is None else f" {change.later_ms / 60_000:+g} min"
            cause = f"  [{words.known('cause', was.cause)}]" if was and was.cause else ""
            when = words.time(change.fact.fired_at_ms)
            kind = words(f"trial.{change.kind}")
            style = "bold red" if change in trial.lost_real else None
            console.print(
                f"{trial.room:<16} {when}  {kind:<8} {words.coded(change.code)}{later}{cause}",
                style=style,
                markup=False,
            )
    table = Table("", *(words(f"trial.{kind}") for kind in KINDS), words("trial.same"), box=None)
    for trial in trials:
        counts = [str(trial.difference.count(kind)) for kind in KINDS]
        table.add_row(trial.room, *counts, str(trial.difference.same))
    if len(trials) > 1:
        sums = [str(sum(t.difference.count(kind) for t in trials)) for kind in KINDS]
        table.add_row("", *sums, str(sum(t.difference.same for t in trials)))
    console.print(table)
    real = sum(len(trial.lost_real) for trial in trials)
    if real:
        console.print(words("trial.lost_real", n=real), style="bold red")
    for room, error in refused:
        console.print(f"{room}: {error}")
