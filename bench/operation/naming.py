"""What the people of a room say of its alarms, after they have been there and looked.

They answer the question that ends every alarm's message for most of those that are told, and most
of their answers are right. Shares are our choice.
"""

from collections.abc import Mapping, Sequence
from random import Random

from bench.operation.month import Month
from bench.operation.tally import cause, verdict
from domain.judgement import Fact, Judgement

NAMED = 0.7  # of the alarms of limits and doors that fired
MISTAKEN = 0.05  # of the answers
CAUSES = ("door", "defrost", "loading", "product_warm", "false")
SAID = {"door": "door", "load, said": "loading", "defrost": "defrost"}


def named(month: Month, judged: Judgement, seed: int) -> Mapping[tuple[str, int], str]:
    """By (code, fired)."""
    random = Random(f"{seed}/{month.room.number}/causes")  # noqa: S311 - a simulation
    found = {}
    for fact in judged.facts:
        says, errs, other = random.random() < NAMED, random.random() < MISTAKEN, random.random()
        if says:
            mistaken = CAUSES[int(other * len(CAUSES))]
            found[fact.code, fact.fired_at_ms] = mistaken if errs else right(month, fact)
    return found


def looked_at_again(
    month: Month, causes: Mapping[tuple[str, int], str], facts: Sequence[Fact]
) -> Mapping[tuple[str, int], str]:
    """Whoever is shown the few alarms that forbid a proposal corrects what was a mistake."""
    again = {(f.code, f.fired_at_ms): right(month, f) for f in facts}
    return {name: again.get(name, cause) for name, cause in causes.items()}


def right(month: Month, fact: Fact) -> str:
    if verdict(month, fact.code, fact.began_at_ms, fact.cleared_at_ms) == "true":
        return "product_warm"
    return SAID.get(cause(month, fact.began_at_ms, fact.cleared_at_ms), "false")
