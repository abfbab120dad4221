"""What a person types at this terminal: how our program and a path are named, to be typed as
printed, and folders as they are given."""

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, Token


def _named(_type: type, tokens: Sequence[Token]) -> Path:
    """An empty name would be the folder that somebody happens to be in: most often a variable
    of a script that was never set."""
    if not tokens[0].value.strip():
        raise ValueError("a folder needs a name; this one is empty (`.` is the folder you are in)")
    return Path(tokens[0].value)


Folder = Annotated[Path, Parameter(converter=_named)]
Data = Annotated[
    Path,
    Parameter(name="--data", help="The data folder, made by `init`.", converter=_named),
]


def program() -> str:
    if shutil.which("coldtrail"):
        return "coldtrail"
    return path(Path(sys.executable).with_name("coldtrail"))


def path(full: Path) -> str:
    """The shorter of its two names."""
    return min(str(full), os.path.relpath(full), key=len)
