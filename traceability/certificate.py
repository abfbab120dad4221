"""A lot's record that a buyer can check without trusting us; and the checking.

A certificate is one JSON document in canonical form (RFC 8785). Members:

- ``format``, ``version`` (from 1), ``previous`` (SHA-256 of the version before, or null),
  ``because`` (why this version was issued), ``issued_at``, ``url`` of the newest version;
- ``position``: arrival ``n`` and change ``m`` up to which everything was judged, and the
  ids of the two stores that count them;
- ``lot``, ``journey``, ``contradictions``, ``evidence_until``, ``stays``, ``verdict``: see
  ``traceability.lot_record``. Temperatures in counts of 0.01 degC, unless the name ends in
  ``_c``; each series of a stay shows its hours, with the columns of ``hours_columns``;
- ``digests``: of each part, by its place in the document: the first 8 bytes of its SHA-256.
  They tell where something was changed; that nothing was, the signature tells;
- ``proof``: where the proof from the gateway's hour log will stand. Null: the readings are
  vouched for by the server's signature alone;
- ``key`` (Ed25519, base64url), ``signature`` over everything else in canonical form.

``verify`` needs nothing but the bytes. It adds the hours up again, judges again, compares
the digests, checks the signature; and names each place that does not fit.
"""

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from domain.exposure import Hour, total
from domain.instant import instant_ms, rfc3339
from traceability.canonical import canonical
from traceability.lot_record import HOURS_COLUMNS, LotRecord, series_json, summary
from traceability.signing import (
    BadKey,
    from_text,
    key_id,
    load_public,
    public_bytes,
    signed,
    to_text,
)
from traceability.verdict import verdict

FORMAT = "coldtrail-certificate/1"
LARGEST_BYTES = 64 << 20
_BODY = ("lot", "journey", "contradictions", "evidence_until", "stays", "verdict")


@dataclass(frozen=True, slots=True)
class Position:
    """Up to which arrival and change everything was judged."""

    readings_store: str
    n: int
    records_store: str
    m: int


@dataclass(frozen=True, slots=True)
class Verified:
    """Everything fits. ``pinned``: the key is the one that the caller trusts; without it the
    document only proves that it was not changed since somebody with this key signed it."""

    lot: str
    code: str
    version: int
    verdict: str
    issued_at: str
    evidence_until: str
    key_id: str
    pinned: bool


@dataclass(frozen=True, slots=True)
class Problem:
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def content_digest(body: Mapping[str, Any]) -> str:
    """Of what happened: equal for two records that say the same."""
    return hashlib.sha256(canonical({name: body[name] for name in _BODY})).hexdigest()


def issue(
    record: LotRecord,
    key: Ed25519PrivateKey,
    position: Position,
    *,
    version: int,
    previous: bytes | None,
    because: str,
    now_ms: int,
    url: str | None,
) -> bytes:
    """The signed document. ``previous``: the bytes of the version before."""
    document: dict[str, Any] = {
        "format": FORMAT,
        "version": version,
        "previous": None if previous is None else hashlib.sha256(previous).hexdigest(),
        "because": because,
        "issued_at": rfc3339(now_ms),
        "url": url,
        "position": {
            "readings_store": position.readings_store,
            "n": position.n,
            "records_store": position.records_store,
            "m": position.m,
        },
        **{name: record.body[name] for name in _BODY},
        "hours_columns": list(HOURS_COLUMNS),
        "proof": None,
        "key": {"alg": "Ed25519", "public": to_text(public_bytes(key.public_key()))},
    }
    document["digests"] = _digests(document)
    document["signature"] = to_text(key.sign(canonical(document)))
    return canonical(document)


_PARTS = ("lot", "journey", "contradictions", "verdict")
_NOT_HEAD = (*_PARTS, "stays", "digests", "signature")


def _digests(document: Mapping[str, Any]) -> dict[str, str]:
    parts: dict[str, Any] = {
        "head": {name: value for name, value in document.items() if name not in _NOT_HEAD}
    }
    parts |= {name: document[name] for name in _PARTS}
    for i, stay in enumerate(document["stays"]):
        parts[f"stays[{i}]"] = {k: v for k, v in stay.items() if k not in ("series", "facts")}
        for j, series in enumerate(stay["series"]):
            parts[f"stays[{i}].series[{j}]"] = {k: v for k, v in series.items() if k != "hours"}
            for k, hour in enumerate(series["hours"]):
                parts[f"stays[{i}].series[{j}].hours[{k}]"] = hour
        for j, fact in enumerate(stay["facts"]):
            parts[f"stays[{i}].facts[{j}]"] = fact
    return {name: hashlib.sha256(canonical(part)).hexdigest()[:16] for name, part in parts.items()}


def verify(data: bytes, *, public_key: bytes | None = None) -> Verified | list[Problem]:
    """``public_key``: the issuer's 32 bytes, known from elsewhere. Never raises for bad data."""
    if len(data) > LARGEST_BYTES:
        return [Problem("document", f"larger than {LARGEST_BYTES} bytes")]
    try:
        document = json.loads(data, object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        return [Problem("document", f"not JSON: {error}")]
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        return [Problem("format", f"not a {FORMAT}")]
    try:
        problems = _check(document, public_key)
        if problems:
            return problems
        return Verified(
            lot=document["lot"]["id"],
            code=document["lot"]["code"],
            version=document["version"],
            verdict=document["verdict"]["verdict"],
            issued_at=document["issued_at"],
            evidence_until=document["evidence_until"],
            key_id=key_id(from_text(document["key"]["public"])),
            pinned=public_key is not None,
        )
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError) as error:
        return [Problem("document", f"a part is missing or of another kind: {error!r}")]


def _check(document: dict[str, Any], public_key: bytes | None) -> list[Problem]:
    problems: list[Problem] = []
    stated: Mapping[str, str] = document["digests"]
    found = _digests(document)
    for name in dict.fromkeys((*found, *stated)):
        if name not in found:
            problems.append(Problem(name, "named in the digests, but not there"))
        elif stated.get(name) != found[name]:
            problems.append(Problem(name, "does not match its digest: it was changed"))
    for i, stay in enumerate(document["stays"]):
        problems += _check_stay(stay, f"stays[{i}]")
    if verdict(document["stays"], document["contradictions"]) != document["verdict"]:
        problems.append(Problem("verdict", "does not follow from the stays"))
    public = from_text(document["key"]["public"])
    if public_key is not None and public != public_key:
        problems.append(
            Problem("key", f"signed with {key_id(public)}, not with {key_id(public_key)}")
        )
    unsigned = {name: value for name, value in document.items() if name != "signature"}
    if not signed(public, from_text(document["signature"]), canonical(unsigned)):
        problems.append(Problem("signature", "does not fit the document: something was changed"))
    return problems


def _check_stay(stay: Mapping[str, Any], where: str) -> list[Problem]:
    problems: list[Problem] = []
    from_ms, to_ms = instant_ms(stay["from"]), instant_ms(stay["evidence_until"])
    if stay["length_ms"] != to_ms - from_ms:
        problems.append(Problem(f"{where}.length_ms", "is not from its beginning to its end"))
    unknown = [stay["length_ms"]]
    for j, series in enumerate(stay["series"]):
        again = series_json(total(from_ms, to_ms, [Hour(*row) for row in series["hours"]]))
        problems += [
            Problem(f"{where}.series[{j}].{name}", f"is {series[name]}, its hours give {value}")
            for name, value in again.items()
            if name != "hours" and series[name] != value
        ]
        unknown.append(stay["length_ms"] - series["known_ms"])
    if stay["unknown_ms"] != min(unknown):
        problems.append(Problem(f"{where}.unknown_ms", "does not follow from its series"))
    again = summary(stay["series"], stay["length_ms"], stay["unknown_ms"])
    problems += [
        Problem(
            f"{where}.summary.{name}", f"is {stay['summary'].get(name)}, its series give {value}"
        )
        for name, value in again.items()
        if stay["summary"].get(name) != value
    ]
    return problems


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


def main(path: Path | str, public_key_file: Path | str | None = None) -> int:
    """Prints what ``verify`` found. 0: everything fits; 1: it does not; 2: cannot be read."""
    try:
        data = Path(path).read_bytes()
        pinned = None if public_key_file is None else load_public(public_key_file)
    except (OSError, BadKey) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    result = verify(data, public_key=pinned)
    if isinstance(result, list):
        lines = [f"DOES NOT FIT: {path}", *(f"  {problem}" for problem in result)]
        sys.stdout.write("\n".join(lines) + "\n")
        return 1
    trust = "the key you gave" if result.pinned else "compare it with the issuer's"
    sys.stdout.write(
        f"OK: {path}\n"
        f"  lot {result.lot}, certificate v{result.version}, issued {result.issued_at}\n"
        f"  verdict: {result.verdict}\n"
        f"  recorded until {result.evidence_until}; nothing known after\n"
        f"  signed with key {result.key_id} ({trust})\n"
    )
    return 0
