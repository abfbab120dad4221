"""What a long measurement has come to, room by room, so that a run that was stopped goes on."""

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Kept:
    """One file a result, one a claim, so that no two processes do the same."""

    def __init__(self, where: Path) -> None:
        self._where = where
        where.mkdir(parents=True, exist_ok=True)

    def claim(self, name: str) -> bool:
        try:
            (self._where / f"{name}.claimed").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def give_up(self, name: str) -> None:
        (self._where / f"{name}.claimed").unlink()

    def put(self, name: str, value: object) -> None:
        part = self._where / f"{name}.part"
        part.write_bytes(pickle.dumps(value))
        part.rename(self._where / f"{name}.pickle")

    def get(self, name: str) -> Any | None:
        path = self._where / f"{name}.pickle"
        return pickle.loads(path.read_bytes()) if path.exists() else None  # noqa: S301 - our own

    def all(self, kind: str) -> Iterator[tuple[int, Any]]:
        """(seed, result)"""
        for path in sorted(self._where.glob(f"{kind}-*.pickle")):
            yield int(path.stem.split("-")[1]), pickle.loads(path.read_bytes())  # noqa: S301 - our own
