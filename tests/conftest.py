"""What holds for every test."""

import pytest
from hypothesis import HealthCheck, settings

# A machine that is busy, or a first run without hypothesis's tables, is slow and not wrong.
settings.register_profile("coldtrail", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("coldtrail")


ONLY_COMPUTES = "tests/unit/domain/test_order.py"  # minutes of it, in patient processes


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What only computes begins first, and fills the processors while other tests wait for clocks."""
    items.sort(key=lambda item: not item.nodeid.startswith(ONLY_COMPUTES))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What a test found out beside passing: ``record_property("printed", text)``."""
    for report in terminalreporter.stats.get("passed", []):
        for name, text in report.user_properties:
            if name == "printed":
                terminalreporter.write_sep("-", report.nodeid.partition("::")[2])
                terminalreporter.write_line(str(text))
