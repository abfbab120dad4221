"""Pages for whoever looks after hundreds of rooms: small enough for a phone that fetches them often."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from domain.reading import ProbeId, RoomId, SiteId
from store.connect import open_readings
from store.records import open_records
from store.records.ports import Region, Room, Site
from tests.integration.api.browser import page, sign_in
from tests.integration.api.county import empty, served
from tests.support.console_county import NOW_MS

FIRST_LOAD = 80_000  # bytes: what a phone on a slow link loads at first
TOWNSHIPS, SITES, ROOMS = 10, 60, 180


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("wide")
    settings = empty(folder)
    records = open_records(Path(settings.records_path))
    said: Mapping[str, Any] = {"by": "init", "now_ms": NOW_MS - 1}
    records.put_region(Region("county", None, "county", "大县", "Wide County"), **said)
    for n in range(TOWNSHIPS):
        records.put_region(Region(f"t{n}", "county", "township", f"{n}镇", f"Town {n}"), **said)
    for n in range(SITES):
        at = f"t{n % TOWNSHIPS}"
        site = Site(SiteId(f"s{n}"), at, "village-point", f"{n}村", f"Village {n}", "gw1")
        records.put_site(site, **said)
    for n in range(ROOMS):
        room = RoomId(f"r{n}")
        at_site = SiteId(f"s{n % SITES}")
        records.put_room(Room(room, at_site, "chilled", f"{n}号库", f"Room {n}"), **said)
        records.assign(ProbeId(f"mqtt:gw1:p{n}"), room, NOW_MS - 1, **said)
    records.close()
    open_readings(Path(settings.readings_path), write=True).close()
    with served(settings) as client:
        sign_in(client)
        client.get("/language", params={"to": "en"})
        yield client


@pytest.mark.parametrize("path", ["/", "/regions/county", "/regions/t3", "/probes", "/pipeline"])
def test_no_page_of_a_wide_county_is_too_heavy_for_a_phone(county: httpx.Client, path: str) -> None:
    assert len(page(county, path).encode()) < FIRST_LOAD


def test_the_front_page_leads_to_every_room_by_its_region(county: httpx.Client) -> None:
    front, town = page(county, "/"), page(county, "/regions/t3")

    assert all(f'href="/regions/t{n}"' in front for n in range(TOWNSHIPS))
    assert "sites: 6 · rooms: 18" in front
    assert all(f'href="/rooms/r{n}"' in town for n in range(3, ROOMS, TOWNSHIPS))
    assert 'href="/rooms/r4"' not in town


def test_probes_of_a_wide_county_are_listed_by_site(county: httpx.Client) -> None:
    assert "mqtt:gw1:p7<" not in page(county, "/probes")
    assert "mqtt:gw1:p7<" in page(county, "/probes?site=s7")


def test_a_region_that_nobody_has_recorded_is_not_found(county: httpx.Client) -> None:
    assert county.get("/regions/nowhere").status_code == 404
