"""JSON as devices write it: exact numbers, and NaN told apart from a broken payload.

Many a device prints ``NaN`` for a sensor that did not answer. That is not JSON, yet the
readings beside it are good, so it becomes a ``NotANumber`` in its place.
"""

import json
from decimal import Decimal
from enum import Enum


class NotANumber(Enum):
    """A literal that RFC 8259 does not know."""

    NAN = "NaN"
    INFINITY = "Infinity"
    MINUS_INFINITY = "-Infinity"


class BadJson(Exception):
    """Not UTF-8, not JSON, or nested too deeply to be a message of a device."""


_decoder = json.JSONDecoder(parse_float=Decimal, parse_constant=NotANumber)


def decode(payload: bytes) -> object:
    """Numbers with a point come as ``Decimal``. Raises ``BadJson``, and nothing else."""
    try:
        return _decoder.decode(payload.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise BadJson("not UTF-8") from error
    except RecursionError as error:
        raise BadJson("nested too deeply") from error
    except (ValueError, ArithmeticError) as error:
        raise BadJson("not JSON") from error
