"""Where the time goes: a profile told by folder and file, own time alone.

A profile slows down what it looks at, calls of Python most of all: the shares say where to look,
the figures come from runs without it.
"""

import pstats
from collections import Counter
from pathlib import Path

from bench.machine import note

ROOT = Path(__file__).resolve().parents[1]
ROWS = 12


def tell(stats: pstats.Stats, what: str) -> None:
    shares: Counter[str] = Counter()
    for (file, _, function), (_, _, own_s, _, _) in stats.stats.items():  # type: ignore[attr-defined]  # typeshed leaves it out
        shares[_place(file, function)] += own_s
    total_s = sum(shares.values())
    note(f"where the time goes: {what}, {total_s:.1f} s in all")
    for place, own_s in shares.most_common(ROWS):
        note(f"  {own_s / total_s:6.1%}  {place}")


def _place(file: str, function: str) -> str:
    path = Path(file)
    if path.is_relative_to(ROOT) and ".venv" not in file:
        return str(path.relative_to(ROOT))
    if "site-packages" in path.parts:
        return path.parts[path.parts.index("site-packages") + 1]
    if file == "~":  # built in
        return f"{function.strip('<>')}" if "method" not in function else "built-in methods"
    return f"Python's {path.name}"
