"""Drills that come by themselves: every site once a month."""

from pathlib import Path

import msgspec

from api.app import create_app
from api.drills import start_due
from store.records.ports import DrillPlan
from tests.integration.api.county import empty
from tests.support.console_county import DAY_MS, HOUR_MS, NOW_MS
from tests.support.lots import county


def test_every_site_is_drilled_once_in_its_month_however_often_anybody_looks(
    tmp_path: Path,
) -> None:
    settings = empty(tmp_path)
    records = county(tmp_path)
    sites = len(records.sites())
    records.close()
    clock = [NOW_MS]  # 14:00 on the second of the month
    settings = msgspec.structs.replace(settings, records_path=str(tmp_path / "records.db"))
    context = create_app(settings, lambda: clock[0]).state.context

    assert start_due(context) == 0  # no plan
    context.records.put_drill_plan(DrillPlan(2, 15 * 60), by="admin", now_ms=NOW_MS)
    assert start_due(context) == 0  # an hour too early
    clock[0] += HOUR_MS
    assert start_due(context) == sites > 0
    assert start_due(context) == 0
    clock[0] += DAY_MS
    assert start_due(context) == 0  # the third is not its day
    clock[0] = NOW_MS + 30 * DAY_MS + HOUR_MS
    assert start_due(context) == sites
    assert [drill.started_by for drill in context.records.drills()] == ["schedule"] * 2 * sites
    context.sources.close()
    context.records.close()
