"""Silences, drills, shifts and the calendar by the console's forms, without JavaScript."""

from collections.abc import Iterator

import httpx
import pytest

from tests.integration.api.browser import page, send, sign_in
from tests.integration.api.test_duty import get, operators, say
from tests.integration.api.test_setup import done, refused
from tests.support.console_county import HOUR_MS, NOW_MS

SILENCE = {"do": "silence", "key": "k1", "room": "berry", "code": "WARN_HIGH",
           "reason": "door is being mended", "hours": "2"}  # fmt: skip


@pytest.fixture
def doer(own_county: httpx.Client) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=own_county.base_url, timeout=20) as client:
        sign_in(client)
        client.get("/language", params={"to": "en"})
        yield client


def test_a_silence_made_by_the_form_stands_on_the_front_page_until_it_is_ended(
    doer: httpx.Client,
) -> None:
    done(doer, "/silences", SILENCE)
    done(doer, "/silences", SILENCE)  # sent twice, it is one

    front = page(doer, "/")
    assert "Silenced now" in front
    assert front.count("door is being mended") == 1
    (one,) = get(doer, "silences")["silences"]
    assert "is silenced until" in page(doer, "/rooms/berry/ladder")
    done(doer, "/silences", {"do": "end", "id": one["id"]})
    assert "door is being mended" not in page(doer, "/")
    assert "door is being mended" in page(doer, "/silences")  # among those that are over


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"code": "CEILING"}, "this rule cannot be silenced", id="ceiling"),
        pytest.param({"reason": ""}, "say why", id="no-reason"),
        pytest.param({"hours": "48"}, "1 to 12 hours", id="too-long"),
    ],
)
def test_a_refused_silence_says_why_on_the_page(
    doer: httpx.Client, change: dict[str, str], words: str
) -> None:
    assert words in refused(doer, "/silences", SILENCE | change)


def test_a_drill_is_started_and_answered_by_the_page(doer: httpx.Client) -> None:
    text = done(doer, "/drills", {"do": "start", "key": "0123456789abcdef", "site": "liu"})
    assert "Waiting for an answer" in text
    (drill,) = get(doer, "drills")["drills"]
    text = done(doer, "/drills", {"do": "answer", "id": drill["id"], "by": "li"})

    assert "Answered" in text
    assert "李卫" in text
    done(doer, "/drills", {"do": "plan", "day": "15", "at": "09:30"})
    assert get(doer, "drills")["plan"] == {"day": 15, "minute": 570}
    done(doer, "/drills", {"do": "plan", "day": "0"})
    assert get(doer, "drills")["plan"] is None


def test_shifts_given_one_after_the_other_stand_beside_each_other(doer: httpx.Client) -> None:
    give = {"do": "give", "person": "li", "role": "operator", "scope": "region:qing"}
    done(doer, "/people", {**give, "days": list("12345"), "from": "20:00", "to": "08:00"})
    text = done(doer, "/people", {**give, "days": ["7", "H"], "from": "", "to": ""})

    assert "Mon, Tue, Wed, Thu, Fri 20:00–08:00 (next day)" in text
    assert "Sun, Holiday" in text
    assert operators(doer, NOW_MS) == [("li", True, "off_duty")]
    assert operators(doer, NOW_MS + 8 * HOUR_MS) == [("li", True, "")]
    assert "Rooms with nobody on duty now: 7" in page(doer, "/")
    done(doer, "/people", {"do": "day", "day": "2026-06-02", "counts_as": "H", "name": "x"})
    assert operators(doer, NOW_MS) == [("li", True, "")]
    done(doer, "/people", {"do": "no_day", "day": "2026-06-02"})
    done(doer, "/people", give)  # without days: always
    assert operators(doer, NOW_MS) == [("li", True, "")]


def test_whoever_stopped_the_texts_is_shown_until_they_agree_again(doer: httpx.Client) -> None:
    say(doer, "people/wang/stopped", {"at": NOW_MS - HOUR_MS})

    assert "stopped our texts" in page(doer, "/")
    done(doer, "/people", {"do": "allow", "person": "wang"})
    assert "stopped our texts" not in page(doer, "/")


def test_an_alarms_page_shows_who_was_told_and_what_comes_next(doer: httpx.Client) -> None:
    facts = get(doer, "alarms", room="berry", active=True)["alarms"]
    fact = next(f["id"] for f in facts if f["code"] == "CRIT_HIGH")
    text = page(doer, f"/alarms/{fact}")

    assert text.index("Next, if nobody acknowledges") < text.index("Timeline")
    told = text[text.index("Timeline") :]
    assert told.index("Fired") < told.index("李卫")
    assert "K2X3" in told or "回1确认" in told
    say(doer, f"alarms/{fact}/ack", {"id": "a", "by": "li"})
    assert "Acknowledged" in page(doer, f"/alarms/{fact}")


def test_a_case_is_open_until_it_is_closed_and_its_fact_stays(doer: httpx.Client) -> None:
    facts = get(doer, "alarms")
    case = next(c for c in get(doer, "cases", open="true")["cases"] if c["room"] == "berry")
    path = f"/alarms/{case['id']}"
    assert path in page(doer, "/cases")
    said = {"cause": "door", "person": "wang", "action": "closed it", "lot:lot-berry": "sort"}
    text = send(doer, path, f"{path}/case", {**said, "close": "1"})
    assert "closed it" in text

    assert path not in page(doer, "/cases")
    closed = page(doer, "/cases?which=closed")
    assert "Responsible: 王芳" in closed
    assert "Sort" in closed
    assert get(doer, "alarms") == facts
