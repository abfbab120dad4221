"""What goes wrong with a message, and what somebody would make go wrong on purpose.

Bytes are cut, doubled, flipped and spliced; JSON is also taken apart and put together with
something hostile in one place, so that the damage reaches behind the parser.
"""

import json
import random
from collections.abc import Sequence
from typing import Any

HOSTILE: Sequence[Any] = (
    None, True, False, 0, -1, 1 << 31, -(1 << 31) - 1, 1 << 63, 1 << 64, 10**400, 0.1, -0.0,
    1e308, -1e308, 5e-324, float("nan"), float("inf"), "", "NaN", "1e999999", "𝟜", "\ud800", "\0",
    "\n", "x" * 5_000, "../../etc/passwd", "=1+1", "<script>", [], {}, [[]], {"": {}}, [None] * 300,
    "2026-05-28T08:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59",
)  # fmt: skip
TOKENS: Sequence[bytes] = (
    b"1e999999999", b"-1e-999999999", b"NaN", b"-Infinity", b"9" * 5_000, b"[" * 3_000,
    b'{"a":' * 3_000, b"\xff\xfe", b"\xef\xbb\xbf", b"\x00", b"\\ud800", b'"', b",", b":", b"}",
    b"1.7976931348623157e309", b"\x80" * 12, b"\xff" * 12, b"\x0a\xff\xff\xff\xff\x0f",
)  # fmt: skip


def damaged(raw: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """The bytes with one to four things done to them."""
    out = bytearray(raw)
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randint(0, len(out))
        end = min(len(out), at + rng.choice((1, 2, 8, 64)))
        match rng.randrange(7):
            case 0 if out:
                i = min(at, len(out) - 1)
                out[i] ^= 1 << rng.randrange(8)
            case 1:
                del out[at:end]
            case 2:
                out[at:at] = out[at:end]
            case 3:
                out[at:at] = rng.choice(TOKENS)
            case 4:
                out[at:end] = rng.randbytes(end - at)
            case 5:
                other = rng.choice(others)
                cut = rng.randint(0, len(other))
                out[at:end] = other[cut : cut + rng.choice((4, 32, 256))]
            case _:
                del out[at:]
    return bytes(out)


def damaged_json(content: Any, rng: random.Random) -> Any:
    """The value with something hostile in one place of it, or a name changed."""
    if isinstance(content, dict) and content and rng.random() < 0.85:
        name = rng.choice(list(content))
        changed = dict(content)
        match rng.randrange(6):
            case 0:
                changed[rng.choice(("", "x" * 300, "\0", "temperature", name + "_"))] = changed.pop(
                    name
                )
            case 1:
                changed["temperature"] = rng.choice(HOSTILE)
            case _:
                changed[name] = damaged_json(content[name], rng)
        return changed
    if isinstance(content, list) and content and rng.random() < 0.85:
        at = rng.randrange(len(content))
        changed_list = list(content)
        changed_list[at] = damaged_json(content[at], rng)
        if rng.random() < 0.1:
            changed_list *= rng.choice((2, 50))
        return changed_list
    if isinstance(content, int | float) and not isinstance(content, bool) and rng.random() < 0.3:
        return content * rng.choice((-1, 1e3, 1e9, 1e-9))
    return rng.choice(HOSTILE)


def as_json(content: Any) -> bytes:
    """As a careless device writes it: NaN and lone surrogates as they come."""
    return json.dumps(content, ensure_ascii=False).encode("utf-8", "surrogatepass")
