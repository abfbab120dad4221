"""Words into the parts that a mobile network carries, and back.

Everything goes as UCS-2 (data coding 8), which every network that carries Chinese accepts:
70 characters in one part, 67 in each of several behind a 6-byte header
(3GPP TS 23.040, 9.2.3.24.1).
"""

from hashlib import blake2b

UCS2 = 8
ONE_PART = 140  # bytes
PART_OF_MANY = 134
MOST_PARTS = 255


def parts(text: str, reference: int) -> list[bytes]:
    """The bodies, each with its header when there are several. A character outside the basic
    plane is never cut in two. ``reference`` (0 ... 255) must be the same when sent again."""
    body = text.encode("utf-16-be")
    if len(body) <= ONE_PART:
        return [body]
    pieces = []
    while body:
        cut = min(PART_OF_MANY, len(body))
        if cut < len(body) and 0xD8 <= body[cut - 2] <= 0xDB:  # a high surrogate would end it
            cut -= 2
        pieces.append(body[:cut])
        body = body[cut:]
    if len(pieces) > MOST_PARTS:
        raise ValueError(f"{len(pieces)} parts: the network carries at most {MOST_PARTS}")
    return [
        bytes((5, 0, 3, reference, len(pieces), number)) + piece
        for number, piece in enumerate(pieces, 1)
    ]


def reference(key: str) -> int:
    """What ties the parts together on the phone, from the key alone, so that a part sent
    again after a crash finds its siblings."""
    return blake2b(key.encode(), digest_size=1).digest()[0]


def words(body: bytes, coding: int, *, header: bool) -> str:
    """The text of one received part; bytes that are no text become U+FFFD."""
    if header and body:
        body = body[1 + body[0] :]
    match coding:
        case 8:
            return body.decode("utf-16-be", "replace")
        case 3:
            return body.decode("latin-1")
        case _:
            return body.decode("ascii", "replace")
