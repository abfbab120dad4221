"""Probes with their papers, and what a room's page advises, by forms and by programs."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from domain.reading import GatewayId, ProbeId, Series
from store.connect import open_readings
from store.ports import AdmittedBatch, BatchId
from tests.integration.api.browser import sign_in
from tests.integration.api.county import BEARER, served
from tests.support.batches import columns
from tests.support.console_county import DAY_MS, HOUR_MS, NOW_MS, settings_of

AIR = "ieee:00158d000berry0"
PULP = "ieee:00158d000berry1"
PAPERS = {
    "probe": AIR,
    "from": NOW_MS - 10 * DAY_MS,
    "serial": "SN-1",
    "certificate": "CAL-7",
    "due_on": "2026-06-20",
    "offset_c": "-0.2",
    "lag_s": 600,
}


@pytest.fixture
def doer(own_county: httpx.Client) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=own_county.base_url, timeout=20) as client:
        sign_in(client)
        yield client


def post(client: httpx.Client, path: str, **said: object) -> httpx.Response:
    return client.post(f"/api/v1{path}", json=said, headers=BEARER)


def get(client: httpx.Client, path: str, **asked: str) -> dict[str, object]:
    answer = client.get(f"/api/v1{path}", params=asked, headers=BEARER)
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


def codes(client: httpx.Client, room: str) -> list[str]:
    said = get(client, f"/rooms/{room}/advice")["advice"]
    assert isinstance(said, list)
    assert all(one["zh"] and one["en"] and "{" not in one["zh"] + one["en"] for one in said)
    return [f"{one['code']} {one['how']}" for one in said]


def test_papers_say_when_a_probe_is_due_and_then_overdue(own_county: httpx.Client) -> None:
    assert post(own_county, "/probes/papers", **PAPERS).status_code == 201
    said = get(own_county, "/probes/papers", probe=AIR)
    assert said["calibration"] == {
        "state": "due",
        "papers": {
            "from": PAPERS["from"],
            "serial": "SN-1",
            "certificate": "CAL-7",
            "due_on": "2026-06-20",
            "offset_c": -0.2,
            "lag_s": 600,
        },
        "drift": None,
    }
    assert "CAL_DUE due" in codes(own_county, "berry")

    post(own_county, "/probes/papers", **PAPERS | {"from": NOW_MS, "due_on": "2026-06-01"})

    assert "CAL_DUE overdue" in codes(own_county, "berry")


def test_a_check_that_finds_a_probe_off_is_advice_until_a_later_one_does_not(
    own_county: httpx.Client,
) -> None:
    check = {"probe": PULP, "shown": 4.6, "reference": 4.0}
    assert post(own_county, "/probes/checks", id="k1", at=NOW_MS - HOUR_MS, **check).is_success
    assert "SENSOR_DRIFT off" in codes(own_county, "berry")

    again = {**check, "shown": 4.2}
    assert post(own_county, "/probes/checks", id="k2", at=NOW_MS, **again).is_success

    assert "SENSOR_DRIFT off" not in codes(own_county, "berry")


def test_a_dead_probe_is_swapped_by_naming_the_new_one(own_county: httpx.Client) -> None:
    new = "mqtt:gw-east:shed"

    assert post(own_county, "/probes/swap", old=AIR, new=new, at=NOW_MS).status_code == 201

    rooms = {one["probe"]: one["room"] for one in get(own_county, "/probes")["probes"]}  # type: ignore[attr-defined]  # a list in JSON
    assert rooms[new] == "berry"
    assert rooms[AIR] is None


def test_a_later_swap_of_a_probe_without_a_room_is_refused(own_county: httpx.Client) -> None:
    answer = post(own_county, "/probes/swap", old="mqtt:gw-east:shed", new=AIR, at=NOW_MS)

    assert answer.status_code == 422
    assert answer.json()["field"] == "old"


@pytest.mark.parametrize(("lang", "overdue"), [("zh", "校准过期"), ("en", "Calibration overdue")])
def test_a_probes_page_takes_papers_and_every_page_of_it_shows_that_they_ran_out(
    doer: httpx.Client, lang: str, overdue: str
) -> None:
    doer.get("/language", params={"to": lang})
    page = doer.get("/probes/one", params={"probe": AIR})
    assert page.status_code == 200
    mark = page.text.split('name="mark" value="')[1].split('"')[0]
    form = {
        "mark": mark,
        "probe": AIR,
        "serial": "SN-9",
        "certificate": "CAL-9",
        "due_on": "2026-06-01",
        "offset_c": "−0,3",
        "lag_s": "0",
    }

    answer = doer.post("/probes/papers", data=form, follow_redirects=True)

    assert "CAL-9" in answer.text
    assert "−0.3" in answer.text
    for path in (f"/probes/one?probe={AIR}", "/probes", "/rooms/berry", "/"):
        assert overdue in doer.get(path).text


def test_a_room_of_cucumber_with_broccoli_is_refused_with_the_reason(
    own_county: httpx.Client,
) -> None:
    answer = post(
        own_county, "/rooms/cuke/rules", profile="CU", commodities=["cucumber", "broccoli"],
        **{"from": NOW_MS},
    )  # fmt: skip

    assert answer.status_code == 422
    assert answer.json()["field"] == "commodities"
    assert "do not meet" in answer.text


def test_apples_beside_broccoli_are_advised_against_in_one_room_and_next_door(
    own_county: httpx.Client,
) -> None:
    said = {"profile": "SB", "from": NOW_MS}
    assert post(own_county, "/rooms/leaf/rules", commodities=["apple_fuji"], **said).is_success
    assert "ETHYLENE site" not in codes(own_county, "berry")  # strawberry bears it

    assert post(own_county, "/rooms/berry/rules", commodities=["broccoli"], **said).is_success
    assert "ETHYLENE site" in codes(own_county, "berry")

    both = ["apple_fuji", "broccoli"]
    assert post(own_county, "/rooms/peach/rules", commodities=both, **said).is_success
    assert "ETHYLENE room" in codes(own_county, "peach")


def test_without_power_a_room_says_how_long_its_goods_have_by_how_it_warms(
    built: Path, tmp_path: Path
) -> None:
    """2.0 at the outage's start an hour ago, 3.0 now: about an hour until 4."""
    folder = tmp_path / "dark"
    shutil.copytree(built, folder)
    with closing(open_readings(folder / "readings.db", write=True)) as readings:
        peach = ProbeId("ieee:00158d000peach0")
        outage = [(NOW_MS - HOUR_MS, 0)]
        warming = [(NOW_MS - HOUR_MS + m * 60_000, 200 + m * 100 // 60) for m in range(0, 60, 2)]
        rows = {"mains": outage, "temperature": [*warming, (NOW_MS, 300)]}
        batch = AdmittedBatch(
            BatchId(GatewayId("gw-dark"), "e1", 1),
            b"0123456789abcdef",
            "readings",
            [
                (Series(peach, q), columns(*((t, v, 0) for t, v in said)))
                for q, said in rows.items()
            ],
            NOW_MS,
        )
        readings.write([batch], NOW_MS)

    with served(settings_of(folder)) as client:
        said = get(client, "/rooms/peach/advice")["advice"]

    assert isinstance(said, list)
    warm = next(one for one in said if one["code"] == "WARM_UP")
    assert warm["detail"] == {"hours": 1, "limit": 4.0, "rate": 1.0}
    assert "about 1 h until 4 °C" in warm["en"]
