"""From one store to the next only by what the server signed."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from wire.receipt_v1 import Receipt, decode, encode
from wire.restore_v1 import Restored, leads, make

SERVER, STRANGER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
KEY = bytes(range(32))


def genuine(signature: bytes, message: bytes) -> bool:
    try:
        SERVER.public_key().verify(signature, message)
    except InvalidSignature:
        return False
    return True


def restored(old: str, new: str, by: Ed25519PrivateKey = SERVER) -> Restored:
    return make((old, new), ("r" + old, "r" + new), 1_000, by.sign)


def test_a_chain_of_restores_leads_from_any_store_to_the_newest() -> None:
    chain = [restored("a", "b"), restored("b", "c"), restored("c", "d")]

    assert leads(chain, ["a"], "d", genuine)
    assert leads(chain, ["c"], "d", genuine)


def test_a_gap_a_strangers_signature_or_an_altered_word_leads_nowhere() -> None:
    signed = restored("a", "b")
    altered = Restored(("a", "x"), signed.records, signed.at_ms, signed.sig)

    assert not leads([restored("b", "c")], ["a"], "c", genuine)
    assert not leads([restored("a", "b", STRANGER)], ["a"], "b", genuine)
    assert not leads([altered], ["a"], "x", genuine)
    assert not leads([Restored(("a", "b"), ("ra", "rb"), 1_000, "zz")], ["a"], "b", genuine)
    assert not leads([signed], ["b"], "a", genuine)
    assert not leads([], ["a"], "a", genuine)


def test_put_back_twice_from_one_backup_leads_on_but_never_back() -> None:
    once, again = [restored("a", "b")], [restored("a", "c")]

    assert leads(again, ["a", "b"], "c", genuine)  # who went by b as well
    assert not leads(once, ["a", "b", "c"], "b", genuine)  # an old receipt heard again


def test_a_receipt_carries_them() -> None:
    receipt = Receipt("b", 7, {"e": (3, [])}, [], (restored("a", "b"),))

    assert decode(encode(receipt, KEY), KEY) == receipt
    assert b"restored" not in encode(Receipt("b", 7), KEY)
