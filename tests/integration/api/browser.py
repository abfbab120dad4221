"""The console as a browser without JavaScript meets it."""

import re

import httpx

from tests.support.console_county import TOKEN


def sign_in(client: httpx.Client) -> None:
    answer = client.post("/signin", data={"token": TOKEN})
    assert answer.status_code == 303, answer.text


def page(client: httpx.Client, path: str, status: int = 200) -> str:
    answer = client.get(path, follow_redirects=False)
    assert answer.status_code == status, answer.text
    return answer.text


def send(client: httpx.Client, page_path: str, action: str, fields: dict[str, str]) -> str:
    """As the page's own form would."""
    mark = re.search(r'name="mark" value="([0-9a-f]+)"', page(client, page_path))
    assert mark is not None
    answer = client.post(action, data={"mark": mark[1], **fields})
    assert answer.status_code == 303, answer.text
    return page(client, answer.headers["location"])
