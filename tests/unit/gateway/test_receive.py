"""What becomes of one device's message before it reaches the disk."""

import json

from domain.reading import Series
from gateway.outbox import Row, Unfit
from gateway.receive import Admission, Message
from wire.batch_v1 import MAX_PROBE_ID

NOW = 1_780_000_000_000
DAY = 86_400_000


def message(content: object, device: str = "dev-1") -> Message:
    payload = json.dumps(content).encode()
    return Message(f"devices/{device}/readings", payload, 1, 1, False, False, 1)


def test_a_probe_whose_id_no_batch_can_carry_is_quarantined_and_its_neighbours_are_kept() -> None:
    names = ["x" * 140 + ":temperature", "b:temperature"]
    pack = [{"n": name, "u": "Cel", "v": 4} for name in names]

    rows, unfit = Admission("gw-1").admit(message(pack, "a" * 90), NOW, True)

    assert [len(row.series.probe) <= MAX_PROBE_ID for row in rows] == [True]
    assert unfit is not None
    assert unfit.reason == "a probe's id is too long"
