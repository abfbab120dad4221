"""What is the matter with the system itself, on pages, in the api, and as readiness."""

from contextlib import closing
from pathlib import Path

import httpx
import msgspec
import pytest

from api.app import create_app
from api.settings import Settings
from api.system import Behind, alarms_now
from domain.reading import GatewayId
from store.connect import open_readings
from store.facts import open_facts
from store.notices import open_notices
from store.ports import AdmittedBatch, BatchId
from store.system_alarms import Board
from tests.integration.api.county import BEARER, empty, served
from tests.support.console_county import NOW_MS
from traceability.database import open_trace

HOUR_MS = 3_600_000


def now_ms() -> int:
    return NOW_MS


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Every store is there, so that nothing else keeps it from being ready."""
    made = empty(tmp_path)
    open_readings(made.readings_path, write=True).close()
    open_facts(made.facts_path).close()
    open_notices(made.notices_path).close()
    open_trace(made.trace_path).close()
    return msgspec.structs.replace(made, system_path=str(tmp_path / "system"))


def page(client: httpx.Client, path: str, lang: str) -> str:
    answer = client.get(path, params={"lang": lang}, headers=BEARER)
    answer.raise_for_status()
    return answer.text


def test_a_part_that_does_not_do_its_job_is_named_with_its_reason(settings: Settings) -> None:
    ingest = Board(settings.system_path, "ingest", now_ms)
    influx = Board(settings.system_path, "influx", now_ms)
    with served(settings) as client:
        assert client.get("/readyz").json()["ready"] is True
        influx.say("INFLUX_AWAY", "part:influx", on=True)
        of_all = client.get("/readyz")
        assert of_all.status_code == 200  # nobody goes untold for want of a chart
        assert of_all.json()["parts"]["influx"] == {"ready": False, "reasons": ["INFLUX_AWAY"]}
        assert client.get("/readyz/influx").status_code == 503

        ingest.say("SERVER_CLOCK", "server", on=True)
        of_all = client.get("/readyz")
        assert of_all.status_code == 503
        assert of_all.json()["parts"]["ingest"] == {"ready": False, "reasons": ["SERVER_CLOCK"]}
        assert client.get("/readyz/ingest").json()["reasons"] == ["SERVER_CLOCK"]
        ingest.say("SERVER_CLOCK", "server", on=False)
        assert client.get("/readyz").status_code == 200


def test_the_front_page_and_the_pipeline_say_what_to_do_in_both_languages(
    settings: Settings,
) -> None:
    ingest = Board(settings.system_path, "ingest", now_ms)
    ingest.say("DUPLICATE_GATEWAY", "gateway:gw1", on=True, for_ms=HOUR_MS)
    ingest.say("BROKER_AWAY", "server", on=True)
    with served(settings) as client:
        for path in ("/", "/pipeline"):
            zh, en = page(client, path, "zh"), page(client, path, "en")
            assert "网关gw1" in zh
            assert "停掉其中一台" in zh
            assert "gateway gw1" in en
            assert "Stop one of them" in en
            assert "`" not in en.split("<main")[1]
        assert "未在工作" in page(client, "/pipeline", "zh")
        assert "not ready" in page(client, "/pipeline", "en")


def test_programs_get_each_with_its_level_and_since_when(settings: Settings) -> None:
    Board(settings.system_path, "alerts", now_ms).keep("GATEWAY_FULL", {"gateway:gw1": "full"})
    with served(settings) as client:
        said = client.get("/api/v1/pipeline", headers=BEARER).json()["system_alarms"]
        metrics = client.get("/metrics", headers=BEARER).text

    assert [(one["code"], one["level"], one["about"], one["since"]) for one in said] == [
        ("GATEWAY_FULL", "critical", "gateway:gw1", NOW_MS)
    ]
    assert 'coldtrail_system_alarms{level="critical"} 1.0' in metrics


def test_a_follower_that_does_not_move_is_behind_and_one_that_moves_is_not(
    settings: Settings, tmp_path: Path
) -> None:
    cursor = tmp_path / "influx-cursor.json"
    settings = msgspec.structs.replace(settings, influx_cursor_path=str(cursor))
    with closing(open_readings(settings.readings_path, write=True)) as store:
        for seq in range(1, 4):
            id = BatchId(GatewayId("g1"), "e1", seq)
            store.write([AdmittedBatch(id, bytes([seq]) * 32, "seal", [], NOW_MS)], NOW_MS)
    context = create_app(settings, now_ms).state.context
    behind = Behind(Board(settings.system_path, "api", now_ms))

    def stuck(n: int) -> list[str]:
        cursor.write_text(f'{{"n": {n}}}')
        behind.look(context)
        return [
            one.about
            for one in alarms_now(context)
            if one.code == "FOLLOWER_BEHIND" and "influx" in one.about
        ]

    assert stuck(1) == []  # seen for the first time
    assert stuck(2) == []  # it moves
    assert stuck(2) == ["part:influx"]
    assert stuck(3) == []  # level
    context.sources.close()
    context.records.close()


def test_what_influxdb_refused_and_no_longer_keeps_is_told_to_programs_and_people(
    settings: Settings, tmp_path: Path
) -> None:
    cursor = tmp_path / "influx-cursor.json"
    cursor.write_text('{"n": 0, "refused": 3, "outside": 1200}')
    settings = msgspec.structs.replace(settings, influx_cursor_path=str(cursor))
    with served(settings) as client:
        told = client.get("/api/v1/pipeline", headers=BEARER).json()["followers"]["influx"]
        shown = page(client, "/pipeline", "en")

    assert (told["refused"], told["outside"]) == (3, 1200)
    assert "3 lines refused" in shown
    assert "1,200 older than it keeps" in shown
