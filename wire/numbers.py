"""Numbers that whoever reads a message can hold: SQLite's integers, a calendar's years."""

from typing import Annotated

import msgspec

LAST_INSTANT = 253_370_764_800_000  # ms UTC: the year 9999 begins, the last of our calendars
Instant = Annotated[int, msgspec.Meta(ge=0, le=LAST_INSTANT)]
Whole = Annotated[int, msgspec.Meta(ge=-(1 << 53), le=1 << 53)]
