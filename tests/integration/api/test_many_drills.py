"""The page of drills where there are three hundred sites: every one can be reached, in small pages."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from domain.reading import RoomId, SiteId
from store.notices import open_notices
from store.notices.writer import NewNotice
from store.records import open_records
from store.records.ports import Region, Room, Site
from tests.integration.api.browser import page, send, sign_in
from tests.integration.api.county import empty, served
from tests.integration.api.test_wide_county import FIRST_LOAD
from tests.support.console_county import HOUR_MS, MINUTE_MS, NOW_MS

TOWNSHIPS, SITES, TOLD = 5, 300, 12
TEXT = "【演练】第{n}村：这是一次测试报警，走完整条通知链，请回复 1 确认收到。A7K3"


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Of each five sites one was never drilled, one is being drilled, one did not answer."""
    settings = empty(tmp_path_factory.mktemp("drills"))
    records = open_records(Path(settings.records_path))
    said: Mapping[str, Any] = {"by": "init", "now_ms": NOW_MS - 48 * HOUR_MS}
    records.put_region(Region("county", None, "county", "大县", "Wide County"), **said)
    for n in range(TOWNSHIPS):
        records.put_region(Region(f"t{n}", "county", "township", f"{n}镇", f"Town {n}"), **said)
    notices = []
    for n in range(SITES):
        at = f"t{n // 5 % TOWNSHIPS}"
        site = SiteId(f"s{n}")
        records.put_site(Site(site, at, "village-point", f"{n}村", f"Village {n}", "gw1"), **said)
        records.put_room(Room(RoomId(f"r{n}"), site, "chilled", f"{n}号库", f"Room {n}"), **said)
        if not n % 5:
            continue
        at_ms = NOW_MS - (30 * MINUTE_MS if n % 5 == 1 else 30 * HOUR_MS)
        records.start_drill(f"d{n}", site, by="schedule", now_ms=at_ms)
        if n % 5 > 2:
            answer_ms = at_ms + 7 * MINUTE_MS
            records.answer_drill(f"d{n}", answer_ms, "sms", by="li", now_ms=answer_ms)
        notices += [
            NewNotice(
                f"{n}:{told}", at_ms, f"person-{told}", "+8613800000001", "sms", "drill", [],
                f"drill:d{n}", 1, "A7K3", TEXT.format(n=n), [],
            )
            for told in range(TOLD)
        ]  # fmt: skip
    records.close()
    store = open_notices(Path(settings.notices_path))
    store.decide({}, notices)
    store.close()
    with served(settings) as client:
        sign_in(client)
        client.get("/language", params={"to": "en"})
        yield client


def names(text: str) -> set[str]:
    """Of the sites that have a row of their own."""
    return set(re.findall(r'<div class="row"><span class="what"><b>(Village \d+)</b>', text))


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("query", ["", "?start=20", "?region=t2", "?region=t2&start=20&past=10"])
def test_no_page_of_many_drills_is_too_heavy_for_a_phone(
    county: httpx.Client, query: str, lang: str
) -> None:
    county.get("/language", params={"to": lang})
    assert len(page(county, f"/drills{query}").encode()) < FIRST_LOAD
    county.get("/language", params={"to": "en"})


def test_sites_that_wait_or_did_not_answer_stand_first_and_alone(county: httpx.Client) -> None:
    found: list[set[str]] = [names(page(county, f"/drills?start={n}")) for n in range(0, 120, 20)]

    assert set().union(*found[:3]) == {f"Village {n}" for n in range(1, SITES, 5)}
    assert set().union(*found[3:]) == {f"Village {n}" for n in range(2, SITES, 5)}
    assert "/drills?start=120" not in page(county, "/drills?start=100")


def test_every_site_is_reached_by_its_region(county: httpx.Client) -> None:
    front = page(county, "/drills")
    found: set[str] = set()
    for region in range(TOWNSHIPS):
        path = f"/drills?region=t{region}"
        assert f'href="{path}"' in front
        found |= set().union(*(names(page(county, f"{path}&start={n}")) for n in (0, 20, 40)))

    assert found == {f"Village {n}" for n in range(SITES)}
    assert "Its sites lie in the regions below." in page(county, "/drills?region=county")
    assert county.get("/drills?region=nowhere").status_code == 404


def test_every_drill_so_far_can_be_seen(county: httpx.Client) -> None:
    found: set[str] = set()
    path = "/drills"
    while path:
        text = page(county, path)
        found |= set(re.findall(r"</span> (Village \d+) <span", text))
        older = re.search(r'href="(/drills\?past=\d+)"', text)
        path = older[1] if older else ""

    assert found == {f"Village {n}" for n in range(SITES) if n % 5}


def test_who_starts_a_drill_stays_in_the_region(county: httpx.Client) -> None:
    path = "/drills?region=t3"
    fields = {"do": "start", "key": "0123456789abcdef", "site": "s15", "back": path}
    text = send(county, path, "/drills", fields)

    assert names(text) == names(page(county, path))
    (row,) = [row for row in text.split('<div class="row">') if "<b>Village 15</b>" in row]
    assert "Waiting for an answer" in row
