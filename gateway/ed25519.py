"""Whether an Ed25519 signature is right (RFC 8032, 5.1): checking alone, so no secret is near.

By hand, because a cryptography library costs a gateway 8 MB of its 60, and a config comes a few
times a day. It takes some milliseconds. Points are (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z.
"""

import base64
import hashlib

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493  # order of the base point
_D = -121665 * pow(121666, -1, _P) % _P
_ROOT = pow(2, (_P - 1) // 4, _P)  # of -1
_SPKI = bytes.fromhex("302a300506032b6570032100")  # RFC 8410, section 4

_Point = tuple[int, int, int, int]


class NoKey(Exception):
    """The text holds no Ed25519 public key."""


def public_key(pem: str) -> bytes:
    """The 32 bytes of a PEM file."""
    body = "".join(line for line in pem.splitlines() if not line.startswith("-----"))
    try:
        der = base64.b64decode(body, validate=True)
    except ValueError as error:
        raise NoKey("not PEM") from error
    if len(der) != len(_SPKI) + 32 or not der.startswith(_SPKI):
        raise NoKey("no Ed25519 key")
    if _point(der[-32:]) is None:
        raise NoKey("no point of the curve")
    return der[-32:]


def verifies(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the key made the signature of exactly these bytes."""
    if len(signature) != 64:
        return False
    a, r = _point(public), _point(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= _L:
        return False
    digest = hashlib.sha512(signature[:32] + public + message).digest()
    k = int.from_bytes(digest, "little") % _L
    return _equal(_times(s, _BASE), _plus(r, _times(k, a)))


def _point(encoded: bytes) -> _Point | None:
    """None for what encodes no point (5.1.3)."""
    y = int.from_bytes(encoded, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    if len(encoded) != 32 or y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _ROOT % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = _P - x
    return x, y, 1, x * y % _P


def _plus(one: _Point, other: _Point) -> _Point:
    a = (one[1] - one[0]) * (other[1] - other[0]) % _P
    b = (one[1] + one[0]) * (other[1] + other[0]) % _P
    c = 2 * one[3] * other[3] * _D % _P
    d = 2 * one[2] * other[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(n: int, point: _Point) -> _Point:
    total: _Point = (0, 1, 1, 0)
    while n:
        if n & 1:
            total = _plus(total, point)
        point = _plus(point, point)
        n >>= 1
    return total


def _equal(one: _Point, other: _Point) -> bool:
    same_x = (one[0] * other[2] - other[0] * one[2]) % _P == 0
    return same_x and (one[1] * other[2] - other[1] * one[2]) % _P == 0


_Y = 4 * pow(5, -1, _P) % _P
_BASE = _point(_Y.to_bytes(32, "little")) or (0, 1, 1, 0)
