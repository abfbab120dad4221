"""The packs that a device has not been thanked for: its own flash.

Bounded: when it is full the oldest pack is given up and counted, as a ring buffer does. With
a folder each pack is one file, so that a restarted simulator sends what its last run could
not; without one the memory ends with the process.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from disk.whole import write_whole


class Kept(NamedTuple):
    """``content`` names the pack's readings: a pack that is sent twice has one content."""

    topic: str
    content: str
    readings: int
    payload: bytes


class Memory:
    """Not thread-safe: its one user holds a lock."""

    def __init__(self, packs: int, folder: Path | None = None) -> None:
        self._bound = packs
        self._folder = folder
        self._kept: dict[int, Kept] = {}
        self._next = 1
        self.given_up = 0
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            for file in sorted(folder.glob("*.pack")):
                self._kept[int(file.stem)] = _read(file)
            self._next = max(self._kept, default=0) + 1

    def __len__(self) -> int:
        return len(self._kept)

    def numbers(self) -> Iterator[int]:
        """Oldest first."""
        return iter(tuple(self._kept))

    def get(self, number: int) -> Kept | None:
        return self._kept.get(number)

    def keep(self, kept: Kept) -> int:
        """The number under which it is kept until ``forget``."""
        while len(self._kept) >= self._bound:
            self.forget(next(iter(self._kept)))
            self.given_up += 1
        number = self._next
        self._next += 1
        self._kept[number] = kept
        if self._folder is not None:
            _write(self._file(number), kept)
        return number

    def forget(self, number: int) -> None:
        self._kept.pop(number, None)
        if self._folder is not None:
            self._file(number).unlink(missing_ok=True)

    def _file(self, number: int) -> Path:
        assert self._folder is not None  # noqa: S101 - only asked for when there is a folder
        return self._folder / f"{number:012d}.pack"


def _write(file: Path, kept: Kept) -> None:
    head = json.dumps([kept.topic, kept.content, kept.readings]).encode()
    write_whole(file, head + b"\n" + kept.payload, sync=False)


def _read(file: Path) -> Kept:
    head, _, payload = file.read_bytes().partition(b"\n")
    topic, content, readings = json.loads(head)
    return Kept(topic, content, readings, payload)
