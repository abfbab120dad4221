"""What a gateway must remember of its own alarms: one small file, replaced as a whole.

It can be lost: then what is active is raised anew.
"""

import logging
from pathlib import Path

import msgspec

from disk.whole import PRIVATE, write_whole
from gateway.telling import Memory

log = logging.getLogger(__name__)

_decoder = msgspec.json.Decoder(Memory)


def load(path: Path) -> Memory:
    try:
        return _decoder.decode(path.read_bytes())
    except FileNotFoundError:
        return Memory()
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        log.warning("local alarms begin anew", extra={"error": str(error)})
        return Memory()


def save(path: Path, memory: Memory) -> None:
    """On disk when it returns. ``OSError`` when it cannot be: what was there before stays."""
    write_whole(path, msgspec.json.encode(memory), mode=PRIVATE)
