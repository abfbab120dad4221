"""The rules over one room: what the readings, the rules and people's actions amount to."""

from domain.judgement import Asked, Judgement


def judge(asked: Asked, horizon_ms: int) -> Judgement:
    """Facts, pauses and flags known at the horizon; later readings are not looked at."""
    raise NotImplementedError(asked, horizon_ms)
