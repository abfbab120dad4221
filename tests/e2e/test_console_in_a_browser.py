"""The pages in a real browser, at the width of a small phone: nothing sticks out, little is sent."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Response, sync_playwright

from tests.integration.api.county import served
from tests.support.console_county import CODE, HOUR_MS, NOW_MS, TOKEN, build
from tests.support.servers import require

SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update",
            "--disable-sync"]  # fmt: skip
AIR = "ieee:00158d000berry0"
CONSOLE = ("/", "/rooms/berry", "/rooms/leaf?span=14d", "/sites/liu", "/alarms", "/cases",
           "/silences", "/drills", "/people", "/rooms/berry/ladder", "/lots",
           "/lots/lot-berry", "/probes", f"/probes/one?probe={AIR}", "/pipeline", "/rooms/berry/explain",
           "/rooms/meat/try?days=30&profile=MT&limit_c:WARN_HIGH=3&interval_s=300", "/tuning",
           "/reports/week?week=2026-W23")  # fmt: skip
WIDTHS = {"phone": (360, 740), "desk": (1280, 900)}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(require("chromium")), args=SWITCHES
        )
        with contextlib.closing(browser):
            yield browser


@pytest.fixture(scope="module")
def url(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(build(tmp_path_factory.mktemp("county"))) as client:
        yield str(client.base_url)


class Visit:
    """A page in its own context; counts what the browser received and complained of."""

    def __init__(self, browser: Browser, size: tuple[int, int], lang: str, *, js: bool) -> None:
        width, height = size
        self._context = browser.new_context(
            viewport={"width": width, "height": height},
            locale="zh-CN" if lang == "zh" else "en-GB",
            java_script_enabled=js,
        )
        self.page: Page = self._context.new_page()
        self.complaints: list[str] = []
        self.received: dict[str, int] = {}
        self.page.on("console", self._said)
        self.page.on("response", self._came)

    def _said(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _came(self, response: Response) -> None:
        if "/events" not in response.url and response.status == 200:
            self.received[response.url] = len(response.body())

    def close(self) -> None:
        self._context.close()

    def overflow_px(self) -> int:
        root = "document.documentElement"
        return int(self.page.evaluate(f"{root}.scrollWidth - {root}.clientWidth"))


@pytest.mark.server
@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("size", WIDTHS.values(), ids=WIDTHS)
def test_no_page_of_the_console_sticks_out(
    browser: Browser, url: str, size: tuple[int, int], lang: str
) -> None:
    with contextlib.closing(Visit(browser, size, lang, js=True)) as visit:
        visit.page.goto(f"{url}/signin?token={TOKEN}")
        for path in CONSOLE:
            visit.page.goto(url + path)
            assert visit.overflow_px() <= 0, path

        assert visit.complaints == []


@pytest.mark.server
def test_the_first_load_of_the_console_is_small_and_from_here_alone(
    browser: Browser, url: str
) -> None:
    with contextlib.closing(Visit(browser, WIDTHS["phone"], "zh", js=True)) as visit:
        visit.page.goto(f"{url}/signin?token={TOKEN}", wait_until="load")

        assert sum(visit.received.values()) < 80_000  # before compression
        assert all(one.startswith((url, "data:")) for one in visit.received)


@pytest.mark.server
@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("size", WIDTHS.values(), ids=WIDTHS)
def test_a_buyer_reads_the_page_without_javascript(
    browser: Browser, url: str, size: tuple[int, int], lang: str
) -> None:
    with contextlib.closing(Visit(browser, size, lang, js=False)) as visit:
        visit.page.goto(f"{url}/t/{CODE}")

        assert visit.page.locator(".verdict-box svg").is_visible()
        assert visit.page.locator("svg.chart").is_visible()
        # Without scripts the page cannot be asked how wide it is: a picture of it can.
        box = visit.page.locator("body").bounding_box()
        assert box is not None
        assert box["width"] <= size[0]
        assert sum(visit.received.values()) < 100_000
        assert visit.complaints == []


@pytest.mark.server
def test_an_open_page_shows_what_another_person_records(browser: Browser, url: str) -> None:
    with contextlib.closing(Visit(browser, WIDTHS["phone"], "en", js=True)) as visit:
        visit.page.goto(f"{url}/signin?token={TOKEN}")
        visit.page.goto(f"{url}/rooms/peach")
        other = visit.page.context.new_page()
        other.goto(f"{url}/rooms/peach")
        visit.page.bring_to_front()

        other.get_by_role("button", name="Loading started").click()

        visit.page.get_by_role("button", name="Loading ended").wait_for(timeout=15_000)


@pytest.mark.server
def test_a_tap_on_the_chart_asks_why_at_that_moment(browser: Browser, url: str) -> None:
    with contextlib.closing(Visit(browser, WIDTHS["phone"], "en", js=True)) as visit:
        visit.page.goto(f"{url}/signin?token={TOKEN}")
        visit.page.goto(f"{url}/rooms/berry")
        box = visit.page.locator(".tap").bounding_box()
        assert box is not None

        visit.page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + 60)
        visit.page.wait_for_url("**/explain?at=*")

        asked_ms = int(visit.page.url.partition("?at=")[2])
        assert abs(asked_ms - (NOW_MS - 12 * HOUR_MS)) < HOUR_MS
        assert visit.page.get_by_role("heading", name="Readings that counted").is_visible()


READS_A_CODE = """window.BarcodeDetector = class {
  detect() { return Promise.resolve([{ rawValue: "Z:GW-EAST shed $I:4711" }]); }
};"""  # chromium on Linux has none; a phone's has


@pytest.mark.server
def test_the_code_on_a_new_device_finds_the_probe_that_already_sends(
    browser: Browser, url: str
) -> None:
    with contextlib.closing(Visit(browser, WIDTHS["phone"], "zh", js=True)) as visit:
        visit.page.add_init_script(READS_A_CODE)
        visit.page.goto(f"{url}/signin?token={TOKEN}")
        visit.page.goto(f"{url}/probes/one?probe={AIR}")
        photo = visit.page.screenshot(clip={"x": 0, "y": 0, "width": 8, "height": 8})

        visit.page.set_input_files(
            "input[data-into=new]", {"name": "a.png", "mimeType": "image/png", "buffer": photo}
        )

        visit.page.wait_for_function(
            "document.querySelector('input[name=new]').value === 'mqtt:gw-east:shed'"
        )
