"""JSON as devices write it: exact numbers, and NaN told apart from a broken payload.

Many a device prints ``NaN`` for a sensor that did not answer, and a broken one a number that
nobody can hold. The readings beside it are good, so it becomes a ``NotANumber`` in its place.
"""

import json
from decimal import Decimal, InvalidOperation
from enum import Enum


class NotANumber(Enum):
    """A literal that RFC 8259 does not know, or digits that no number here can hold."""

    NAN = "NaN"
    INFINITY = "Infinity"
    MINUS_INFINITY = "-Infinity"
    BEYOND = "more digits, or a larger exponent, than a number may have"


class BadJson(Exception):
    """Not UTF-8, not JSON, or nested too deeply to be a message of a device."""


def _exact(text: str) -> Decimal | NotANumber:
    try:
        return Decimal(text)
    except InvalidOperation:
        return NotANumber.BEYOND


def _whole(text: str) -> int | NotANumber:
    try:
        return int(text)
    except ValueError:  # Python reads some thousand digits, no more
        return NotANumber.BEYOND


_decoder = json.JSONDecoder(parse_float=_exact, parse_int=_whole, parse_constant=NotANumber)


def decode(payload: bytes) -> object:
    """Numbers with a point come as ``Decimal``. Raises ``BadJson``, and nothing else."""
    try:
        return _decoder.decode(payload.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise BadJson("not UTF-8") from error
    except RecursionError as error:
        raise BadJson("nested too deeply") from error
    except ValueError as error:
        raise BadJson("not JSON") from error
