"""How a person who sits at this terminal names our program and a path: to be typed as printed."""

import os
import shutil
import sys
from pathlib import Path


def program() -> str:
    if shutil.which("coldtrail"):
        return "coldtrail"
    return path(Path(sys.executable).with_name("coldtrail"))


def path(full: Path) -> str:
    """The shorter of its two names."""
    return min(str(full), os.path.relpath(full), key=len)
