"""What a room's sources said, as the room's facts: the worst decides (alarm decisions 15)."""

from collections.abc import Iterable

from domain.judgement import Fact
from domain.span import FOREVER, Alarm

_LOW = ("WARN_LOW", "WARN_CHILL", "CRIT_LOW", "CRIT_FREEZE", "CRIT_CHILL_CUM", "WHO_FREEZE")
_GSP_HIGH, _GSP_LOW = 800, 200


def facts(alarms: Iterable[Alarm]) -> tuple[Fact, ...]:
    """Alarms of one code whose [fired, cleared) overlap are one fact. By (fired, code)."""
    by_code: dict[str, list[Alarm]] = {}
    for alarm in alarms:
        by_code.setdefault(alarm.code, []).append(alarm)
    out: list[Fact] = []
    for same in by_code.values():
        group: list[Alarm] = []
        group_end = 0
        for alarm in sorted(same, key=lambda a: (a.fired_at_ms, a.source, a.began_at_ms)):
            if group and alarm.fired_at_ms >= group_end:
                out.append(_fact(group))
                group = []
            group_end = max(group_end, _end(alarm)) if group else _end(alarm)
            group.append(alarm)
        out.append(_fact(group))
    return tuple(sorted(out, key=lambda fact: (fact.fired_at_ms, fact.code)))


def _end(alarm: Alarm) -> int:
    return FOREVER if alarm.cleared_at_ms is None else alarm.cleared_at_ms


def _fact(group: list[Alarm]) -> Fact:
    code = group[0].code
    end = max(_end(alarm) for alarm in group)
    excess: dict[str, int] = {}
    unknown: dict[str, int] = {}
    for alarm in group:
        excess[alarm.source] = excess.get(alarm.source, 0) + alarm.excess
        unknown[alarm.source] = unknown.get(alarm.source, 0) + alarm.unknown_ms
    peaks = [alarm.peak for alarm in group if alarm.peak is not None]
    return Fact(
        code=code,
        level="critical" if any(a.level == "critical" for a in group) else "warning",
        began_at_ms=min(alarm.began_at_ms for alarm in group),
        fired_at_ms=min(alarm.fired_at_ms for alarm in group),
        cleared_at_ms=None if end == FOREVER else end,
        peak=_worst(code, peaks) if peaks else None,
        excess_count_ms=max(excess.values()),
        unknown_ms=max(unknown.values()),
    )


def _worst(code: str, peaks: list[int]) -> int:
    if code == "GSP_OUT":
        return max(peaks, key=lambda peak: max(peak - _GSP_HIGH, _GSP_LOW - peak))
    return min(peaks) if code in _LOW else max(peaks)
