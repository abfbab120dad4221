"""``coldtrail report week``: what a week was like, in a terminal or as the text of a mail."""

import json
from collections.abc import Iterable
from zoneinfo import ZoneInfo

from rich.console import Console

from api.calibration import Standing
from api.console.language import Words
from api.registry import Registrar, Registry
from api.weeks import Week, as_json, last_week, week
from coldtrail.explain import readers, words_of
from coldtrail.settings import Installation
from domain.reading import RoomId


def report(installation: Installation, name: str | None, lang: str, *, as_text: bool) -> None:
    """``name``: 2026-W22, or None for the last whole week. ``ValueError`` for what is none."""
    now_ms, zone = installation.now_ms()(), ZoneInfo(installation.file.timezone)
    with readers(installation) as (records, _, facts):
        registry = Registrar(records).now()
        wanted = name or last_week(now_ms, zone)
        found = week(records, facts, registry, wanted, zone, now_ms)
    if not as_text:
        print(json.dumps(as_json(found), ensure_ascii=False))
        return
    console = Console(highlight=False, soft_wrap=True)
    for line in lines(found, registry, words_of(installation)(lang)):
        console.print(line, markup=False, style=None if line.startswith(" ") else "bold")


def lines(one: Week, registry: Registry, w: Words) -> Iterable[str]:
    """What is said under a heading is indented."""

    def place(id: str) -> str:
        room = registry.rooms.get(RoomId(id))
        return f"{w.name(registry.sites[room.site])} {w.name(room)}" if room else str(id)

    def who(id: str) -> str:
        return registry.people[id].name if id in registry.people else id

    def under(key: str, said: list[str]) -> Iterable[str]:
        yield f"{w(f'week.{key}')}: {len(said)}"
        yield from (f"  {line}" for line in said)

    span = w("week.span", start=w.day(one.from_ms), end=w.day(one.to_ms - 1))
    yield f"{w('week.title')} {one.name}  {span}"
    if one.judged:
        counts = {"critical": one.critical, "warning": one.warning, "acked": one.acked}
        yield "  " + w("week.alarms", **counts)
    yield from under(
        "maintenance",
        [
            f"{place(m.room)}  {w.time(m.from_ms)} – {w.time(m.to_ms)}  {who(m.by)}  {m.reason}"
            + ("" if m.end == "said" else f"  ({w(f'week.end_{m.end}')})")
            for m in one.maintenance
        ],
    )
    yield from under(
        "silences",
        [
            f"{place(s.room)}  {w.known('code', s.code)}  {w.time(s.from_ms)} – {w.time(s.to_ms)}"
            f"  {who(s.by)}  {s.reason}"
            for s in one.silences
        ],
    )
    yield from under(
        "unanswered",
        [
            f"{w.name(site) if (site := registry.sites.get(d.drill.site)) else d.drill.site}"
            f"  {w.time(d.drill.started_ms)}"
            for d in one.unanswered
        ],
    )
    yield from under("due", [f"{place(room)}  {d.probe}  {_due(d, w)}" for d, room in one.due])
    if not one.judged:
        yield w("app.not_ready", part=w("part.facts"))
        return
    yield from under(
        "cases",
        [
            f"{place(c.fact.room)}  {w.known('code', c.fact.code)}  {w.time(c.fact.fired_at_ms)}"
            for c in one.open_cases
        ],
    )
    yield from under(
        "false_again",
        [
            f"{place(again.room)}  {w.known('code', again.code)}  "
            + ", ".join(w.day(alarm.fired_ms) for alarm in again.alarms)
            for again in one.false_again
        ],
    )
    yield from under(
        "reconsider",
        [
            f"{w.known('code', rule.figures.code)}  "
            + " ".join(
                w(
                    f"tuning.{why}", count=rule.figures.count, named=rule.figures.named,
                    real=rule.figures.real, share=f"{float(rule.figures.real_share):.0%}",
                )
                for why in rule.why
            )
            for rule in one.reconsider
        ],
    )  # fmt: skip


def _due(one: Standing, w: Words) -> str:
    if one.drifted is not None and one.drifted.off is not None:
        return w("calibration.drifted", off=f"{one.drifted.off / 100:+g}".replace("-", "−"))
    return w(f"calibration.{one.state}")
