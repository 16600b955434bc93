import pytest
from hypothesis import given
from hypothesis import strategies as st

from choirbook.redis.signatures import SEAL_BYTES, Corrupt, Purpose, Signer, Unverified

SECRET, OTHER = "0123456789abcdef" * 2, "fedcba9876543210" * 2
OURS = Signer([SECRET])


@given(payload=st.binary(), name=st.text(), purpose=st.sampled_from(Purpose))
def test_what_was_sealed_can_be_opened(payload: bytes, name: str, purpose: Purpose) -> None:
    assert OURS.open(purpose, name, OURS.seal(purpose, name, payload)) == payload


@given(value=st.binary(max_size=300))
def test_any_other_bytes_are_refused(value: bytes) -> None:
    with pytest.raises(Corrupt):
        OURS.open(Purpose.VALUE, "key", value)


@given(data=st.data())
def test_flipped_bit_is_noticed_wherever_it_is(data: st.DataObject) -> None:
    value = bytearray(OURS.seal(Purpose.VALUE, "key", b"a body of some length"))
    bit = data.draw(st.integers(0, len(value) * 8 - 1))
    value[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Corrupt):
        OURS.open(Purpose.VALUE, "key", bytes(value))


@given(length=st.integers(0, SEAL_BYTES + 40))
def test_what_was_cut_or_grew_is_refused(length: int) -> None:
    value = OURS.seal(Purpose.VALUE, "key", b"payload")
    with pytest.raises(Corrupt):
        OURS.open(Purpose.VALUE, "key", value[:length] if length < len(value) else value + b"\0")


@pytest.mark.parametrize(
    ("purpose", "name"), [(Purpose.VALUE, "other"), (Purpose.MESSAGE, "key"), (Purpose.STATE, "key")]
)
def test_seal_is_for_one_purpose_and_one_name(purpose: Purpose, name: str) -> None:
    with pytest.raises(Unverified, match="its seal is wrong"):
        OURS.open(purpose, name, OURS.seal(Purpose.VALUE, "key", b"payload"))


def test_bytes_moved_between_name_and_payload_are_noticed() -> None:
    with pytest.raises(Unverified):
        OURS.open(Purpose.VALUE, "ke", OURS.seal(Purpose.VALUE, "key", b"payload")[:SEAL_BYTES] + b"ypayload")


@pytest.mark.parametrize("others", [(OTHER,), ()], ids=["another", "none"])
def test_what_another_secret_sealed_is_refused(others: tuple[str, ...]) -> None:
    for one, two in ((OURS, Signer(others)), (Signer(others), OURS)):
        with pytest.raises(Unverified, match="another secret"):
            two.open(Purpose.VALUE, "key", one.seal(Purpose.VALUE, "key", b"payload"))


def test_previous_secret_opens_and_does_not_seal() -> None:
    both = Signer([OTHER, SECRET])
    assert both.open(Purpose.VALUE, "key", OURS.seal(Purpose.VALUE, "key", b"payload")) == b"payload"
    with pytest.raises(Unverified):
        OURS.open(Purpose.VALUE, "key", both.seal(Purpose.VALUE, "key", b"payload"))


def test_secret_is_nowhere_in_what_is_sealed() -> None:
    value = OURS.seal(Purpose.VALUE, "key", b"payload")
    assert SECRET.encode() not in value
    assert bytes.fromhex(SECRET) not in value


def test_without_a_secret_anybody_can_seal() -> None:
    assert not Signer().is_signed
    assert Signer().open(Purpose.VALUE, "key", Signer().seal(Purpose.VALUE, "key", b"x")) == b"x"
