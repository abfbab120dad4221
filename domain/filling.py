"""When a place that fills will be full, from how its room shrank lately."""

FAR_H = 10_000.0  # more than a year is not said


class FillRate:
    """Looks at the last ``over_s``, and says nothing from less than ``least_s`` of them."""

    def __init__(self, over_s: float, least_s: float) -> None:
        self._over_s, self._least_s = over_s, least_s
        self._seen: list[tuple[float, int]] = []

    def hours_left(self, at_s: float, room: int) -> float | None:
        """None while it does not fill."""
        self._seen = [(s, r) for s, r in self._seen if s >= at_s - self._over_s]
        self._seen.append((at_s, room))
        then_s, then = self._seen[0]
        if at_s - then_s < self._least_s or room >= then:
            return None
        hours = max(room, 0) / (then - room) * (at_s - then_s) / 3_600
        return round(hours, 1) if hours < FAR_H else None
