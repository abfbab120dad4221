"""Numbers that whoever reads a message can hold: SQLite's integers, a calendar's years."""

from typing import Annotated

import msgspec

Instant = Annotated[int, msgspec.Meta(ge=0, le=253_370_764_800_000)]  # ms UTC, until the year 9999
Whole = Annotated[int, msgspec.Meta(ge=-(1 << 53), le=1 << 53)]
