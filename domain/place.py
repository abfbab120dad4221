"""A room in people's words: its name behind its site's, its goods, its limits."""

from domain.commodity import COMMODITIES
from domain.judgement import Rule
from domain.message import Place
from domain.profile import NEVER, resolve

LONGEST_NAME = 24  # beyond it the site's name is left out, so that a text stays in one part

Names = tuple[str, str]  # zh, en


def described(room: Names, site: Names, rule: Rule | None) -> Place:
    """``rule``: the newest of the room; None while it has none."""
    goods = [COMMODITIES[c] for c in rule.commodities] if rule else []
    return Place(
        name_zh=_full(site[0], room[0], ""),
        name_en=_full(site[1], room[1], " "),
        goods_zh=goods[0].name_zh if goods else "",
        goods_en=goods[0].name_en if goods else "",
        more_zh="".join(f"、{c.name_zh}" for c in goods[1:]),
        more_en="".join(f", {c.name_en}" for c in goods[1:]),
        limits=limits(rule) if rule else {},
    )


def _full(site: str, room: str, between: str) -> str:
    if not site or site in room or len(site) + len(room) > LONGEST_NAME:
        return room
    return f"{site}{between}{room}"


def limits(rule: Rule) -> dict[str, int]:
    """Code to the one limit that it watches, in counts; two-sided rules are left out."""
    found = {}
    for limit in resolve(rule).limits:
        high, low = limit.high < NEVER, limit.low > -NEVER
        if high != low:
            found[limit.code] = limit.high if high else limit.low
    return found
