import pytest

from choirbook.model import Invalidation
from choirbook.redis.feed_state import FeedProgress
from choirbook.redis.messages import (
    FRESH_S,
    MAX_EPOCHS,
    MAX_MESSAGE_BYTES,
    MAX_SENDERS,
    MAX_STATE_BYTES,
    MAX_TYPE_CHARACTERS,
    CacheInvalidated,
    DocumentsChanged,
    FeedMessage,
    FeedState,
    Hello,
    MessageCodec,
    SeenMessages,
    fitting,
    joined,
    seconds_of,
)
from choirbook.redis.rejections import Rejections
from choirbook.redis.signatures import Corrupt, Signer

SECRET = "0123456789abcdef" * 2
WIRE = MessageCodec(Signer([SECRET]), "key", "channel")
OTHERS = MessageCodec(Signer(), "key", "channel")
NOW_S = 1_800_000_000


def uncounted(sender: str, sequence: int, sent_s: int = NOW_S) -> FeedMessage:
    return FeedMessage(sender, 0, sequence, sent_s, Hello())


def test_uncounted_message_is_heard_once() -> None:
    on_news = SeenMessages()
    assert [on_news.is_new(uncounted("a", number), NOW_S) for number in (1, 1, 3, 2, 4)] == [
        *(True, False, True, False, True)
    ]
    assert on_news.is_new(uncounted("b", 1), NOW_S)


@pytest.mark.parametrize("late_s", [FRESH_S + 1, -FRESH_S - 1])
def test_uncounted_message_that_is_old_is_not_heard(late_s: int) -> None:
    assert not SeenMessages().is_new(uncounted("a", 1, NOW_S - late_s), NOW_S)


def test_senders_that_are_remembered_are_bounded() -> None:
    on_news = SeenMessages()
    for number in range(3 * MAX_SENDERS):
        on_news.is_new(uncounted(f"sender-{number}", 1), NOW_S)
        # One that goes on telling is never forgotten.
        assert on_news.is_new(uncounted("steady", number + 1), NOW_S)
    assert len(on_news) == MAX_SENDERS
    assert not on_news.is_new(uncounted("steady", 1), NOW_S)


def test_types_with_an_epoch_of_their_own_are_bounded() -> None:
    progress = FeedProgress(WIRE, Rejections())
    for number in range(1, 1000):
        progress.record(
            number, CacheInvalidated(Invalidation(type=f"{number}".zfill(MAX_TYPE_CHARACTERS))), NOW_S
        )
        assert progress.epoch(f"{number}".zfill(MAX_TYPE_CHARACTERS)) == number
    assert progress.state is not None
    assert len(progress.state.epochs) <= MAX_EPOCHS
    assert len(WIRE.write_state(progress.state)) < MAX_STATE_BYTES
    assert WIRE.read_state(WIRE.write_state(progress.state)) == progress.state


def test_epochs_never_go_back_when_they_are_put_together() -> None:
    assert joined({"a": 5, "": 2}, {"a": 3, "b": 1}) == {"a": 5, "": 2, "b": 1}
    assert joined({}, {"a": 3}) == {"a": 3}


def test_epoch_does_not_go_back_when_a_message_overtakes_the_look_at_the_state() -> None:
    progress = FeedProgress(WIRE, Rejections())
    before = FeedState(7, NOW_S, {"": 3})
    progress.see(WIRE.write_state(before))
    progress.record(8, CacheInvalidated(Invalidation(type="sdlc")), NOW_S)
    progress.record(9, CacheInvalidated(Invalidation()), NOW_S)
    # The answer to a look that was asked for before the messages came.
    assert progress.see(WIRE.write_state(before)) == before
    assert (progress.epoch("sdlc"), progress.epoch("pattern")) == (9, 9)
    assert progress.state is not None
    assert progress.state.number == 9
    progress.see(b"")
    assert progress.epoch("sdlc") == 9


def test_a_state_that_does_not_verify_is_none_and_counted() -> None:
    rejections = Rejections()
    progress = FeedProgress(WIRE, rejections)
    assert progress.see(OTHERS.write_state(FeedState(7, NOW_S, {"": 2**52}))) is None
    assert (progress.state, rejections.counts) == (None, {"state": 1})


def test_feed_that_is_lost_goes_on_above_its_old_numbers() -> None:
    progress = FeedProgress(WIRE, Rejections())
    first = progress.after(DocumentsChanged(None), NOW_S)
    assert first.number == NOW_S * 1000 + 1
    # What was shared before is out of reach, as nobody knows what was invalidated.
    assert first.epochs == {"": NOW_S * 1000}


@pytest.mark.parametrize(
    "message",
    [
        FeedMessage("a", -1, 0, NOW_S, Hello()),
        FeedMessage("a", 2**60, 0, NOW_S, Hello()),
        FeedMessage("a", 0, -1, NOW_S, Hello()),
        FeedMessage("a", 1, 0, NOW_S, CacheInvalidated(Invalidation(type="x" * (MAX_TYPE_CHARACTERS + 1)))),
        FeedMessage("a", 1, 0, NOW_S, DocumentsChanged({"u": "x" * MAX_MESSAGE_BYTES})),
    ],
)
def test_message_out_of_bounds_is_refused_though_it_is_signed(message: FeedMessage) -> None:
    with pytest.raises(Corrupt):
        WIRE.read(WIRE.write(message))


@pytest.mark.parametrize(
    "state", [FeedState(0, 0, {}), FeedState(2**53, 0, {}), FeedState(1, 0, dict.fromkeys("x", 1))]
)
def test_state_out_of_bounds_is_refused(state: FeedState) -> None:
    epochs = {f"{number}": 1 for number in range(MAX_EPOCHS + 1)} if state.epochs else {}
    with pytest.raises(Corrupt):
        WIRE.read_state(WIRE.write_state(FeedState(state.number, 0, epochs)))


def test_edit_too_long_to_tell_is_told_as_of_anything() -> None:
    many = DocumentsChanged({f"mcp://resources/{'x' * 2000}/{number}": "1.2.3" for number in range(100)})
    assert fitting(many) == DocumentsChanged(None)
    few = DocumentsChanged({"mcp://resources/a": "1.2.3"})
    assert fitting(few) == few


@pytest.mark.parametrize(
    "reply", [None, b"1", [b"1"], [b"x", b"1"], [b"1" * 20, b"1"], [1, 2], [b"-1", b"1"]]
)
def test_reply_that_is_no_time_is_refused(reply: object) -> None:
    with pytest.raises(Corrupt):
        seconds_of(reply)
