"""Users and access list for a mosquitto in the middle: the same rights that the embedded
broker gives, from the same credentials.

Passwords stand as PBKDF2-HMAC-SHA512 with 101 rounds, the form that mosquitto 2.0 writes itself
(``$7$``). They are 192 random bits, so rounds add nothing that a guesser would notice.
"""

import base64
import hashlib
import secrets
from pathlib import Path

from coldtrail.settings import Installation
from disk.whole import PRIVATE, write_whole
from wire import topics

ROUNDS = 101


def write_files(installation: Installation) -> Path:
    """``passwd`` and ``acl``, replaced as wholes; the folder that holds them."""
    folder = installation.server / "mosquitto"
    folder.mkdir(mode=0o700, exist_ok=True)
    users = {"ingest": installation.keys / "ingest.password"}
    for edge in installation.known_edges():
        id = edge.gateway.id
        users[f"gw-{id}"] = installation.keys / f"uplink-{id}.password"
    hashed = [f"{user}:{_hash(path.read_text().strip())}" for user, path in users.items()]
    write_whole(folder / "passwd", "\n".join(hashed) + "\n", mode=PRIVATE)
    write_whole(folder / "acl", access_list(installation), mode=PRIVATE)
    return folder


def access_list(installation: Installation) -> str:
    rows = [
        "user ingest",
        *(f"topic read {topic}" for topic in (topics.STATUSES, "ct/v1/+/+/batch/+")),
        *(f"topic write {topic}" for topic in ("ct/v1/+/+/receipt", "ct/v1/+/+/config")),
        f"topic write {topics.HELLO}",
    ]
    for edge in installation.known_edges():
        g = edge.gateway
        rows += [
            "",
            f"user gw-{g.id}",
            *(
                f"topic write {topics.batch(g.partition, g.id, lane)}"
                for lane in ("live", "backlog")
            ),
            f"topic write {topics.status(g.partition, g.id)}",
            f"topic read {topics.receipt(g.partition, g.id)}",
            f"topic read {topics.config(g.partition, g.id)}",
            f"topic read {topics.HELLO}",
        ]
    return "\n".join(rows) + "\n"


def _hash(password: str) -> str:
    salt = secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ROUNDS)
    return f"$7${ROUNDS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"
