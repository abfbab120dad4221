"""``coldtrail tuning``: which rules earn their alarms, in a terminal or for a monthly mail."""

import json
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.table import Table

from api.alarms import DAY_MS
from api.tuning import answered, as_json, month_of
from coldtrail.explain import Unanswerable, readers, words_of
from coldtrail.settings import Installation
from domain.tuning import Answered, figures, reconsider


def tuning(installation: Installation, month: str | None, lang: str, *, as_text: bool) -> None:
    """Raises ``ValueError`` for what is no month."""
    now_ms = installation.now_ms()()
    span = now_ms - 30 * DAY_MS, now_ms + 1
    if month is not None:
        span = month_of(month, ZoneInfo(installation.file.timezone))
    with readers(installation) as (records, _, facts):
        if facts is None:
            raise Unanswerable("nothing is judged yet: alerts has not run here")
        alarms = answered(records, facts, span)
    if as_text:
        _print(alarms, installation, lang)
    else:
        print(json.dumps(as_json(alarms, span), ensure_ascii=False, default=list))


def _print(alarms: list[Answered], installation: Installation, lang: str) -> None:
    words = words_of(installation)(lang)
    console = Console(highlight=False, soft_wrap=True)
    heads = ("count", "real", "acked", "answered")
    table = Table("", *(words(f"tuning.{head}") for head in heads), box=None)
    for one in figures(alarms):
        share = f"{float(one.real_share):.0%}" if one.named else "–"
        waits = ["–" if ms is None else words.span(ms) for ms in (one.to_ack_ms, one.to_answer_ms)]
        table.add_row(one.code, str(one.count), share, *waits)
    console.print(table)
    listed = reconsider(alarms)
    console.print(f"{words('tuning.listed')}: {len(listed)}", style="bold")
    for rule in listed:
        f = rule.figures
        for why in rule.why:
            share = f"{float(f.real_share):.0%}"
            said = words(f"tuning.{why}", count=f.count, named=f.named, real=f.real, share=share)
            console.print(f"  {f.code}: {said}", markup=False)
        for again in rule.again:
            days = ", ".join(words.day(alarm.fired_ms) for alarm in again.alarms)
            console.print(f"    {again.room}: {days}", markup=False)
