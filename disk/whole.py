"""Small files that are replaced as wholes: whoever reads one finds the old content or the new."""

import contextlib
import os
from pathlib import Path

PRIVATE = 0o600  # passwords, keys, people's numbers


def write_whole(
    path: Path, content: bytes | str, *, mode: int | None = None, sync: bool = True
) -> None:
    """With ``sync``, after a power cut as well; without, for what is said again anyway.

    ``mode`` from the first byte; None: what the umask leaves. ``OSError`` when there is no room:
    what was there before stays, and nothing beside it.
    """
    raw = content.encode() if isinstance(content, str) else content
    fresh = path.with_name(f".{path.name}.new")
    try:
        made = os.open(
            fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666 if mode is None else mode
        )
        with os.fdopen(made, "wb") as file:
            if mode is not None:
                os.fchmod(made, mode)
            file.write(raw)
            file.flush()
            if sync:
                os.fsync(made)
        fresh.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise
