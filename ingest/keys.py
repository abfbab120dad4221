"""What stands in files beside the store: tag keys, passwords, and how often it was restored."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from ingest import settings
from ingest.admit import Gateway
from wire.restore_v1 import Restored

KEY_BYTES = 32


def read_gateways(gateways: Iterable[settings.Gateway]) -> list[Gateway]:
    return [
        Gateway(g.id, g.partition, {kid: read_key(path) for kid, path in g.keys.items()})
        for g in gateways
    ]


def read_key(path: str) -> bytes:
    """32 bytes, as they are or as 64 hexadecimal digits."""
    content = Path(path).read_bytes()
    if len(content) == KEY_BYTES:
        return content
    key = bytes.fromhex(content.decode("ascii").strip())
    if len(key) != KEY_BYTES:
        raise ValueError(f"{path} holds no key of {KEY_BYTES} bytes")
    return key


def read_secret(path: str) -> str:
    """One line; an empty path is no secret."""
    return Path(path).read_text(encoding="utf-8").strip() if path else ""


def read_restored(path: str) -> list[Restored]:
    """Oldest first; none when the server was never put back from a backup."""
    if not path or not Path(path).exists():
        return []
    return msgspec.json.decode(Path(path).read_bytes(), type=list[Restored])
