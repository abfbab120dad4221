"""``POST /devices/{name}/readings``: for a device that speaks HTTP and no MQTT.

204 only after the commit, as a broker's acknowledgement would be; 4xx with the reason, and
then the device must not send the same again; 503 when nothing was kept, and then it must.
"""

import base64
import binascii
import json
from collections.abc import Callable, Container, Sequence

from gateway import devices
from gateway.edge_broker import User
from gateway.lan import Answer, Request
from gateway.receive import Outcome

_ASK = {"WWW-Authenticate": 'Basic realm="coldtrail devices", charset="UTF-8"'}


class Readings:
    """``for_any``: users that may hand in for any device; the others for their own name."""

    def __init__(
        self,
        users: Callable[[], Sequence[User]],
        for_any: Container[str],
        hand_in: Callable[[str, bytes], Outcome | None],
    ) -> None:
        self._users = users
        self._for_any = for_any
        self._hand_in = hand_in

    def post(self, request: Request) -> Answer:
        levels = request.path.strip("/").split("/")
        if len(levels) < 3 or levels[-1] != "readings":
            return _said(404, "POST /devices/NAME/readings")
        name = "/".join(levels[1:-1])
        user = self._user(request.header("Authorization"))
        if user is None:
            return Answer(401, b"user and password of the device\n", headers=_ASK)
        if user.username != levels[1] and user.username not in self._for_any:
            return _said(403, f"{user.username} may hand in its own readings alone")
        if not name.isprintable() or any(c in name for c in "#+"):
            return _said(422, "a name of printable characters, without # and +")
        outcome = self._hand_in(f"devices/{name}/readings", request.body)
        if outcome is None:
            return Answer(503, b"nothing was kept: send it again\n", headers={"Retry-After": "10"})
        if not outcome.reason:
            return Answer(204)
        if not outcome.stored:
            return _said(422, outcome.reason)
        body = json.dumps({"stored": outcome.stored, "not stored": outcome.reason})
        return Answer(200, body.encode() + b"\n", "application/json")

    def _user(self, authorization: str) -> User | None:
        kind, _, credentials = authorization.partition(" ")
        users = self._users()
        if kind.lower() == "bearer":  # a device's password alone says which one it is
            token = credentials.strip()
            found = (devices.named_by([u], u.username, token) for u in users)
            return next((user for user in found if user is not None), None)
        if kind.lower() != "basic":
            return None
        try:
            username, _, password = (
                base64.b64decode(credentials, validate=True).decode().partition(":")
            )
        except (binascii.Error, UnicodeDecodeError):
            return None
        return devices.named_by(users, username, password)


def _said(status: int, reason: str) -> Answer:
    return Answer(status, reason.encode("utf-8", "replace") + b"\n")
