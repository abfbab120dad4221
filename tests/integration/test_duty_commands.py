"""``coldtrail drill`` and ``coldtrail silence``: the same words, whoever holds the records."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from api.service import run
from coldtrail import settings
from coldtrail.duty_commands import drill, silence
from coldtrail.init import init_data
from domain.reading import RoomId, SiteId
from store.records import open_records, open_records_reader
from store.records.ports import Region, Room, Site
from tests.support.servers import free_port_base, wait_until


def folder(tmp_path: Path) -> Path:
    installation = init_data(tmp_path / "data", port_base=free_port_base())
    said: dict[str, Any] = {"by": "init", "now_ms": 0}
    with closing(open_records(installation.server / "records.db")) as records:
        records.put_region(Region("c", None, "county", "县", "County"), **said)
        records.put_site(Site(SiteId("east"), "c", "village-point", "东村", "East"), **said)
        records.put_room(Room(RoomId("berry"), SiteId("east"), "chilled", "一", "One"), **said)
    return tmp_path / "data"


@contextmanager
def api_runs(data: Path) -> Iterator[None]:
    installation, stop = settings.load(data), threading.Event()
    thread = threading.Thread(
        target=run,
        args=(installation.api_settings(),),
        kwargs={"now_ms": installation.now_ms(), "stop": stop},
    )
    thread.start()
    try:
        wait_until(lambda: answers(installation.api_url), 60, "the api answers")
        yield
    finally:
        stop.set()
        thread.join(20)


def answers(url: str) -> bool:
    import httpx

    try:
        return httpx.get(f"{url}/healthz").status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.parametrize("holder", [nullcontext, api_runs], ids=["nobody-runs", "the-api-runs"])
def test_a_drill_and_a_silence_are_recorded(
    tmp_path: Path, holder: Callable[[Path], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    data = folder(tmp_path)
    here = ["--data", str(data)]
    with holder(data):
        drill(["start", "east", *here], result_action="return_value")
        drill(["plan", "5", "--at", "09:30", *here], result_action="return_value")
        words = ["berry", "WARN_HIGH", "--reason", "探头在修", "--hours", "2"]
        silence(["add", *words, *here], result_action="return_value")
        words[1] = "POWER_LOSS_CRIT"
        with pytest.raises(settings.Wrong, match="code"):
            silence(["add", *words, *here], result_action="return_value")
        with pytest.raises(settings.Wrong, match="site"):
            drill(["start", "nowhere", *here], result_action="return_value")
        capsys.readouterr()
        drill(["list", "--json", *here], result_action="return_value")
        shown = json.loads(capsys.readouterr().out)
        silence(["list", "--json", *here], result_action="return_value")
        (quiet,) = json.loads(capsys.readouterr().out)
        silence(["end", quiet["id"], *here], result_action="return_value")

    assert shown["plan"] == {"day": 5, "minute": 9 * 60 + 30}
    assert [(one["site"], one["state"]) for one in shown["drills"]] == [("east", "running")]
    assert (quiet["room"], quiet["code"], quiet["reason"]) == ("berry", "WARN_HIGH", "探头在修")
    with closing(open_records_reader(settings.load(data).server / "records.db")) as records:
        assert len(records.drills()) == 1
        (silenced,) = records.silences()
        assert silenced.to_ms - silenced.from_ms < 3_600_000, "ended before its time"
