"""One value, one sequence of bytes: RFC 8785 (JSON Canonicalization Scheme).

What is signed or hashed must come out the same in every language. Names are sorted by
their UTF-16 code units, numbers printed as ECMAScript prints them.
"""

import json
import math
from decimal import Decimal
from typing import Any

LARGEST_INT = 2**53 - 1  # beyond it an ECMAScript number is no longer exact (RFC 7493, 2.2)


def canonical(value: Any) -> bytes:
    """``ValueError`` for what has no canonical form: NaN, integers beyond 2**53 - 1, lone
    surrogates, names that are not text, types that JSON does not have."""
    parts: list[str] = []
    _write(value, parts)
    return "".join(parts).encode("utf-8")  # a lone surrogate fails here (UnicodeEncodeError)


def _write(value: Any, parts: list[str]) -> None:
    if value is None or isinstance(value, bool):
        parts.append({None: "null", True: "true", False: "false"}[value])
    elif isinstance(value, str):
        parts.append(json.dumps(value, ensure_ascii=False))
    elif isinstance(value, int):
        if abs(value) > LARGEST_INT:
            raise ValueError(f"integer beyond 2**53 - 1: {value}")
        parts.append(str(value))
    elif isinstance(value, float):
        parts.append(_number(value))
    elif isinstance(value, dict):
        _write_object(value, parts)
    elif isinstance(value, list | tuple):
        parts.append("[")
        for position, item in enumerate(value):
            if position:
                parts.append(",")
            _write(item, parts)
        parts.append("]")
    else:
        raise ValueError(f"no JSON form: {type(value).__name__}")


def _write_object(value: dict[Any, Any], parts: list[str]) -> None:
    for name in value:
        if not isinstance(name, str):
            raise ValueError(f"not text: {name!r}")  # noqa: TRY004 (one error for all callers)
    parts.append("{")
    for position, name in enumerate(sorted(value, key=lambda name: name.encode("utf-16-be"))):
        if position:
            parts.append(",")
        parts.append(json.dumps(name, ensure_ascii=False) + ":")
        _write(value[name], parts)
    parts.append("}")


def _number(value: float) -> str:
    """ECMA-262, Number::toString: the shortest digits that read back as the same double."""
    if not math.isfinite(value):
        raise ValueError("NaN and infinities have no JSON form")
    if value == 0:
        return "0"
    sign, digits_, exponent = Decimal(repr(value)).normalize().as_tuple()
    digits = "".join(map(str, digits_))
    point = len(digits) + int(exponent)  # the value is 0.{digits} x 10**point
    if len(digits) <= point <= 21:
        text = digits + "0" * (point - len(digits))
    elif 0 < point <= 21:
        text = f"{digits[:point]}.{digits[point:]}"
    elif -6 < point <= 0:
        text = "0." + "0" * -point + digits
    else:
        tail = f".{digits[1:]}" if len(digits) > 1 else ""
        text = f"{digits[0]}{tail}e{'+' if point > 0 else '-'}{abs(point - 1)}"
    return "-" + text if sign else text
