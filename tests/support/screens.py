"""The pictures in ``docs/screens``, made anew: ``python -m tests.support.screens``.

Pages of the small county (``tests.support.console_county``) in the system's chromium; with a
folder as argument the desk's width of every page as well, to be looked at. The demo's phone is
not among them: that one is taken while the demo runs.
"""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, sync_playwright

from domain.reading import RoomId, SiteId
from store.records import open_records
from tests.integration.api import test_proposals
from tests.integration.api.county import BEARER, served
from tests.support.console_county import (
    CODE,
    HOUR_MS,
    MINUTE_MS,
    NOW_MS,
    TOKEN,
    build,
    settings_of,
)
from tests.support.servers import require

HERE = Path(__file__).parents[2] / "docs" / "screens"
SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update",
            "--disable-sync", "--hide-scrollbars"]  # fmt: skip
PHONE, DESK = (360, 740), (1280, 800)
How = dict[str, Any]  # of Playwright's ``screenshot``


@dataclass(frozen=True, slots=True)
class Shot:
    name: str
    path: str
    scale: float
    how: How


def happenings(folder: Path) -> None:
    """What people did in the days before, right and wrong."""
    records = open_records(folder / "records.db")
    for n, (site, answered) in enumerate((("liu", True), ("he", False), ("hub", True))):
        at_ms = NOW_MS - 26 * HOUR_MS + n * MINUTE_MS
        records.start_drill(f"d-{n}", SiteId(site), by="schedule", now_ms=at_ms)
        if answered:
            answer_ms = at_ms + (4 + n) * MINUTE_MS
            records.answer_drill(f"d-{n}", answer_ms, "sms", by="li", now_ms=answer_ms)
    for id, room, kind, hours, detail in (
        ("m1", "frozen", "maintenance_started", 27, {"reason": "换风机 / fan replaced"}),
        ("m2", "frozen", "maintenance_ended", 25.5, {}),
        ("m3", "peach", "maintenance_started", 30, {"reason": "除冰 / de-icing"}),
    ):
        at_ms = NOW_MS - int(hours * HOUR_MS)
        records.add_action(id, RoomId(room), kind, at_ms, "li", detail, now_ms=at_ms)
    at_ms = NOW_MS - HOUR_MS
    records.silence("s-1", RoomId("cuke"), "WARN_CHILL", "换门帘 / new curtain", 6,
                    by="wang", now_ms=at_ms)  # fmt: skip
    records.close()


def named(client: httpx.Client) -> str:
    """Causes of what rang before; the alarm to show."""
    found = client.get("/api/v1/alarms", params={"limit": 1000}, headers=BEARER).json()["alarms"]
    for fact in found:
        if fact["room"] in ("meat", "leaf") and fact["cleared_at_ms"] is not None:
            said = {"cause": "false" if fact["room"] == "meat" else "equipment"}
            client.post(f"/api/v1/cases/{fact['id']}", json=said, headers=BEARER)
    shown: str = next(
        f["id"] for f in found if (f["room"], f["code"], f["cleared_at_ms"]) == ("berry", "CRIT_HIGH", None)
    )  # fmt: skip
    return shown


@contextmanager
def county() -> Iterator[httpx.Client]:
    with tempfile.TemporaryDirectory() as scratch:
        settings = build(Path(scratch))
        happenings(Path(scratch))
        with served(settings) as client:
            yield client


@contextmanager
def tuned() -> Iterator[httpx.Client]:
    """A room whose ceiling rang three times for an open door."""
    with tempfile.TemporaryDirectory() as scratch:
        test_proposals.build(Path(scratch))
        with served(settings_of(Path(scratch))) as client:
            for fact in test_proposals.ceilings(client):
                said = {"cause": "door"}
                client.post(f"/api/v1/cases/{fact['id']}", json=said, headers=BEARER)
            yield client


def shots(alarm: str) -> list[Shot]:
    explained: How = {"clip": {"x": 0, "y": 0, "width": 360, "height": 740}}
    tall: How = {"full_page": True}
    return [
        Shot("console-phone", "/", 1.2, {}),
        Shot("room-phone", "/rooms/berry", 1.2, {}),
        Shot("buyer-phone", f"/t/{CODE}", 1.2, {}),
        Shot("explain-phone", "/rooms/berry/explain", 1.5, explained),
        Shot("alarms", "/alarms", 1, tall),
        Shot("alarm", f"/alarms/{alarm}", 1, tall),
        Shot("ladder", "/rooms/berry/ladder", 1, tall),
        Shot("drills", "/drills", 1, tall),
        Shot("week", "/reports/week?week=2026-W23", 1, tall),
    ]


def at_desk(pages: Sequence[Shot]) -> list[Shot]:
    return [Shot(f"{one.name.removesuffix('-phone')}-desktop", one.path, 1, {}) for one in pages]


def take(
    browser: Browser, url: str, pages: Sequence[Shot], size: tuple[int, int], into: Path
) -> None:
    for one in pages:
        for lang in ("zh", "en"):
            context = browser.new_context(
                viewport={"width": size[0], "height": size[1]},
                device_scale_factor=one.scale,
                locale="zh-CN" if lang == "zh" else "en-GB",
                timezone_id="Asia/Shanghai",
            )
            page = context.new_page()
            if not one.path.startswith("/t/"):
                page.goto(f"{url}/signin")
                page.fill("input[name=token]", TOKEN)
                page.click("main form button")
            page.goto(f"{url}{one.path}{'&' if '?' in one.path else '?'}lang={lang}")
            page.wait_for_load_state("load")
            wide = page.evaluate("document.documentElement.scrollWidth")
            if wide > size[0]:
                raise SystemExit(f"{one.name}-{lang} is {wide} wide")
            page.screenshot(path=into / f"{one.name}-{lang}.png", **one.how)
            context.close()


def main() -> None:
    into = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    into.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        chromium = str(require("chromium"))
        browser = playwright.chromium.launch(executable_path=chromium, args=SWITCHES)
        with county() as client:
            pages, url = shots(named(client)), str(client.base_url)
            take(browser, url, pages, PHONE, into)
            take(browser, url, at_desk(pages if into != HERE else pages[:3]), DESK, into)
        with tuned() as client:
            proposal = Shot("proposal", "/rooms/cold/proposal", 1, {"full_page": True})
            take(browser, str(client.base_url), [proposal], PHONE, into)
        browser.close()


if __name__ == "__main__":
    main()
