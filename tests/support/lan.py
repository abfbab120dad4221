"""Readings by HTTP, to a gateway's port on the LAN."""

import base64
import urllib.error
import urllib.request


def basic(user: str, password: str) -> str:
    """An ``Authorization``."""
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def post(url: str, device: str, body: bytes, authorization: str) -> tuple[int, str]:
    """The status of the answer, and what it said."""
    request = urllib.request.Request(  # noqa: S310  # loopback
        f"{url}/devices/{device}/readings", body, {"Authorization": authorization}, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  # loopback
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
