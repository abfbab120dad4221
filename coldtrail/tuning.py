"""``coldtrail tuning``: which rules earn their alarms, in a terminal or for a monthly mail; and
what would spare a room those that were for nothing."""

import json
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table

from api.alarms import DAY_MS
from api.proposals import Forbidden, Proposed
from api.proposals import as_json as proposals_as_json
from api.proposals import propose as proposal_of
from api.tuning import answered, as_json, month_of
from coldtrail.dry_run import plain, with_progress
from coldtrail.explain import Unanswerable, readers, words_of
from coldtrail.settings import Installation
from domain.dry_run import KINDS
from domain.reading import RoomId
from domain.tuning import Answered, figures, reconsider


def tuning(installation: Installation, month: str | None, lang: str, *, as_text: bool) -> None:
    """Raises ``ValueError`` for what is no month."""
    span = _span(installation, month)
    with readers(installation) as (records, _, facts):
        if facts is None:
            raise Unanswerable("nothing is judged yet: alerts has not run here")
        alarms = answered(records, facts, span)
    if as_text:
        _print(alarms, installation, lang)
    else:
        print(json.dumps(as_json(alarms, span), ensure_ascii=False, default=list))


def propose(
    installation: Installation,
    rooms: Sequence[str],
    month: str | None,
    lang: str,
    *,
    as_text: bool,
) -> None:
    """For these rooms, or for every one. Raises ``ValueError`` for what is no month."""
    span = _span(installation, month)
    found: list[Proposed | Forbidden | None] = []
    with readers(installation) as (records, readings, facts):
        if facts is None:
            raise Unanswerable("nothing is judged yet: alerts has not run here")
        known = [one.id for one in records.rooms()]
        for room in rooms:
            if room not in known:
                raise Unanswerable(f"there is no room {room!r}; there are: {', '.join(known)}")
        wanted = with_progress([RoomId(room) for room in rooms] or known)
        found.extend(proposal_of(records, readings, facts, room, span) for room in wanted)
    if as_text:
        _print_proposals(found, installation, lang)
        return
    print(json.dumps(proposals_as_json(found, span), ensure_ascii=False, default=plain))


def _span(installation: Installation, month: str | None) -> tuple[int, int]:
    now_ms = installation.now_ms()()
    if month is not None:
        return month_of(month, ZoneInfo(installation.file.timezone))
    return now_ms - 30 * DAY_MS, now_ms + 1


def _print_proposals(
    found: Sequence[Proposed | Forbidden | None], installation: Installation, lang: str
) -> None:
    words = words_of(installation)(lang)
    console = Console(highlight=False, soft_wrap=True)
    for one in found:
        if one is not None and one.forbids:
            room = one.trial.room if isinstance(one, Proposed) else one.room
            console.print(f"{room}: {words('proposal.forbidden')}", markup=False)
            for fact, said in one.forbids:
                cause = words.known("cause", said.cause) if said.cause else words("trial.no_cause")
                console.print(
                    f"  {words.time(fact.fired_at_ms)}  {words.coded(fact.code)}  {cause}",
                    markup=False,
                )
    proposals = [one for one in found if isinstance(one, Proposed)]
    if not proposals:
        console.print(words("proposal.none"))
    for one in proposals:
        console.print(one.trial.room, style="bold", markup=False)
        for change in one.changes:
            field = change.field or change.code
            name = f"{words.coded(change.code)} " if change.field else ""
            console.print(
                f"  {name}{words(f'trial.{field}')}: {change.before:g} → {change.after:g}  "
                + words("proposal.spares", spared=change.spared, rang=change.rang),
                markup=False,
            )
        difference = one.trial.difference
        counts = (f"{words(f'trial.{kind}')} {difference.count(kind)}" for kind in KINDS)
        console.print(f"  {', '.join(counts)}, {words('trial.same')} {difference.same}")
    if proposals:
        console.print(words("proposal.accept"))


def _print(alarms: list[Answered], installation: Installation, lang: str) -> None:
    words = words_of(installation)(lang)
    console = Console(highlight=False, soft_wrap=True)
    heads = ("count", "real", "acked", "answered")
    table = Table("", *(words(f"tuning.{head}") for head in heads), box=None)
    for one in figures(alarms):
        share = f"{float(one.real_share):.0%}" if one.named else "–"
        waits = ["–" if ms is None else words.span(ms) for ms in (one.to_ack_ms, one.to_answer_ms)]
        table.add_row(words.coded(one.code), str(one.count), share, *waits)
    console.print(table)
    listed = reconsider(alarms)
    console.print(f"{words('tuning.listed')}: {len(listed)}", style="bold")
    for rule in listed:
        f = rule.figures
        for why in rule.why:
            share = f"{float(f.real_share):.0%}"
            said = words(f"tuning.{why}", count=f.count, named=f.named, real=f.real, share=share)
            console.print(f"  {words.coded(f.code)}{words('system.colon')}{said}", markup=False)
        for again in rule.again:
            days = ", ".join(words.day(alarm.fired_ms) for alarm in again.alarms)
            console.print(f"    {again.room}: {days}", markup=False)
