"""What holds for every test."""

from hypothesis import HealthCheck, settings

# A machine that is busy, or a first run without hypothesis's tables, is slow and not wrong.
settings.register_profile("coldtrail", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("coldtrail")
