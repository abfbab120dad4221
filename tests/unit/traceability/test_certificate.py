"""Checking a certificate: it passes as issued, and one changed digit is named."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.exposure import Limits, expose
from tests.support.batches import columns
from traceability.canonical import canonical
from traceability.certificate import Position, Problem, Verified, issue, main, verify
from traceability.lot_record import LotRecord, series_json, summary
from traceability.signing import public_bytes, signed, to_text
from traceability.verdict import verdict

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = public_bytes(KEY.public_key())
NOON_MS = 1_780_315_200_000
HOUR_MS = 3_600_000


def record() -> LotRecord:
    rows = [(NOON_MS + i * 300_000, 200 + 37 * (i % 9), 0) for i in range(25)]
    limits = [Limits(0, 300_000, 400, 0, "m1:r")]
    exposure = expose(columns(*rows), NOON_MS, NOON_MS + 2 * HOUR_MS, limits)
    series = {"probe": "ieee:1", "quantity": "temperature", **series_json(exposure),
              "readings_sha256": "00" * 32}  # fmt: skip
    stay = {
        "room": {"id": "r1", "kind": "chilled", "name_zh": "冷间", "name_en": "R", "site": None},
        "from": "2026-06-01T12:00:00Z",
        "to": "2026-06-01T14:00:00Z",
        "evidence_until": "2026-06-01T14:00:00Z",
        "came_by": "urn:e:1",
        "left_by": "urn:e:2",
        "length_ms": 2 * HOUR_MS,
        "unknown_ms": exposure.unknown_ms,
        "limits": [],
        "series": [series],
        "summary": summary([series], 2 * HOUR_MS, exposure.unknown_ms),
        "facts": [{"id": "f1", "code": "WARN_HIGH", "level": "warning", "rule": "m1:r",
                   "disposition": None}],
    }  # fmt: skip
    body = {
        "lot": {"id": "lot-1", "code": "0123456789ab", "quantity_kg": "120.5"},
        "journey": [{"event_id": "urn:e:1", "at": "2026-06-01T12:00:00Z"}],
        "contradictions": [],
        "evidence_until": "2026-06-01T14:00:00Z",
        "stays": [stay],
        "verdict": verdict([stay], []),
    }
    return LotRecord(body, NOON_MS + 2 * HOUR_MS, False, True)


def issued(key: Ed25519PrivateKey = KEY) -> bytes:
    position = Position("rs", 7, "cs", 9)
    return issue(
        record(), key, position, version=1, previous=None, because="first", now_ms=NOON_MS, url=None
    )


DATA = issued()
Change = Callable[[dict[str, Any]], None]


def changed(change: Change, *, sign_again: bool = False) -> bytes:
    document = json.loads(DATA)
    change(document)
    if sign_again:
        unsigned = {k: v for k, v in document.items() if k != "signature"}
        document["signature"] = to_text(KEY.sign(canonical(unsigned)))
    return canonical(document)


def problems(data: bytes) -> list[str]:
    found = verify(data)
    assert isinstance(found, list)
    return [problem.where for problem in found]


def test_as_issued_it_verifies_with_and_without_a_pinned_key() -> None:
    pinned, unpinned = verify(DATA, public_key=PUBLIC), verify(DATA)

    assert isinstance(pinned, Verified)
    assert isinstance(unpinned, Verified)
    assert (pinned.pinned, unpinned.pinned) == (True, False)
    assert pinned.verdict == "attention"


def test_the_place_of_the_hour_logs_proof_is_kept_free() -> None:
    assert json.loads(DATA)["proof"] is None


def test_printed_with_other_white_space_it_still_verifies() -> None:
    assert isinstance(verify(json.dumps(json.loads(DATA), indent=2).encode()), Verified)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda d: d["stays"][0]["series"][0]["hours"][1].__setitem__(3, 999),
         "stays[0].series[0].hours[1]"),
        (lambda d: d["stays"][0]["series"][0]["hours"][0].__setitem__(3, 999),
         "stays[0].series[0].high"),
        (lambda d: d["stays"][0]["series"][0].__setitem__("n", 25), "stays[0].series[0].n"),
        (lambda d: d["stays"][0]["series"][0].__setitem__("readings_sha256", "11" * 32),
         "stays[0].series[0]"),
        (lambda d: d["stays"][0]["summary"].__setitem__("high_c", "3.98"),
         "stays[0].summary.high_c"),
        (lambda d: d["stays"][0].__setitem__("from", "2026-06-01T12:00:01Z"),
         "stays[0].length_ms"),
        (lambda d: d["stays"][0].__setitem__("unknown_ms", 1), "stays[0].unknown_ms"),
        (lambda d: d["stays"][0]["facts"][0].__setitem__("code", "WARN_LOW"), "stays[0].facts[0]"),
        (lambda d: d["stays"][0]["facts"].clear(), "stays[0].facts[0]"),
        (lambda d: d["stays"][0]["room"].__setitem__("name_zh", "热间"), "stays[0]"),
        (lambda d: d["journey"][0].__setitem__("at", "2026-06-01T12:00:01Z"), "journey"),
        (lambda d: d["lot"].__setitem__("quantity_kg", "120.6"), "lot"),
        (lambda d: d["verdict"].__setitem__("verdict", "pass"), "verdict"),
        (lambda d: d.__setitem__("issued_at", "2026-06-02T12:00:00Z"), "head"),
        (lambda d: d["position"].__setitem__("n", 8), "head"),
        (lambda d: d.__setitem__("extra", 1), "head"),
        (lambda d: d["digests"].__setitem__("lot", "0" * 16), "lot"),
        (lambda d: d["stays"].append(d["stays"][0]), "stays[1]"),
        (lambda d: d["stays"].clear(), "verdict"),
    ],
)  # fmt: skip
def test_what_was_changed_is_named_and_the_signature_does_not_fit(
    change: Change, where: str
) -> None:
    found = problems(changed(change))

    assert where in found
    assert "signature" in found


def test_who_signs_again_after_a_change_is_caught_by_the_pinned_key_or_by_the_sums() -> None:
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    forged = verify(issued(other), public_key=PUBLIC)
    assert isinstance(forged, list)
    assert [problem.where for problem in forged] == ["key"]

    data = changed(
        lambda d: d["stays"][0]["summary"].__setitem__("high_c", "3.00"), sign_again=True
    )
    assert problems(data) == ["stays[0]", "stays[0].summary.high_c"]


def test_the_spare_bits_of_the_signatures_last_letter_are_checked_too() -> None:
    signature = json.loads(DATA)["signature"]
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".index(signature[-1])
    twin = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last ^ 1]

    assert problems(changed(lambda d: d.__setitem__("signature", signature[:-1] + twin)))


DIGITS = [found.start() for found in re.finditer(rb"\d", DATA)]


@settings(max_examples=300)
@given(st.sampled_from(DIGITS), st.integers(0, 9))
def test_one_digit_changed_anywhere_never_verifies(at: int, digit: int) -> None:
    data = DATA[:at] + str(digit).encode() + DATA[at + 1 :]

    found = verify(data)

    assert isinstance(found, list) == (data != DATA)


@pytest.mark.parametrize(
    "data",
    [b"", b"null", b"[]", b"{}", b'{"format":"coldtrail-certificate/1"}', b"\xff\xfe",
     b'{"format":"coldtrail-certificate/1","format":"x"}', b"[" * 100_000, b'{"a":NaN}',
     canonical({**json.loads(DATA), "stays": 1}), canonical({**json.loads(DATA), "digests": None}),
     canonical({**json.loads(DATA), "signature": "!"}), canonical({**json.loads(DATA), "key": {}})],
)  # fmt: skip
def test_rubbish_is_a_problem_and_not_a_crash(data: bytes) -> None:
    found = verify(data)

    assert isinstance(found, list)
    assert found


def test_the_command_says_in_words_what_it_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_bytes(DATA)
    bad.write_bytes(DATA.replace(b'"quantity_kg":"120.5"', b'"quantity_kg":"120.6"'))

    assert main(good) == 0
    assert "verdict: attention" in capsys.readouterr().out
    assert main(bad) == 1
    assert "lot: does not match its digest" in capsys.readouterr().out
    assert main(tmp_path / "missing.json") == 2
    assert "missing.json" in capsys.readouterr().err


def test_the_servers_key_signs_as_rfc_8032_says() -> None:
    # RFC 8032, 7.1, test 2.
    seed = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    public = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    signature = bytes.fromhex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )

    assert Ed25519PrivateKey.from_private_bytes(seed).sign(b"\x72") == signature
    assert signed(public, signature, b"\x72")
    assert not signed(public, signature, b"\x73")


def test_a_problem_reads_as_place_and_reason() -> None:
    assert str(Problem("stays[0].n", "is 2")) == "stays[0].n: is 2"
