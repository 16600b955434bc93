from collections.abc import Sequence

import pytest

from choirbook.dashboard.viewers import MAX_VIEWERS, Viewer, Viewers
from choirbook.errors import Overloaded
from choirbook.http.exchange import LossReason


class Tap:
    """A client that takes `room` messages, and more after it was emptied."""

    def __init__(self, room: int = 1000) -> None:
        self.room = room
        self.taken: list[bytes] = []
        self.has_ended = False

    def send(self, messages: Sequence[bytes]) -> bool:
        self.taken += messages
        self.room -= len(messages)
        return self.room > 0

    def keep_alive(self) -> None:
        self.taken.append(b"")

    def end(self) -> None:
        self.has_ended = True


def made() -> tuple[Viewers, list[Viewer]]:
    arrived: list[Viewer] = []
    return Viewers(arrived.append), arrived


def test_all_pages_get_the_very_same_message() -> None:
    viewers, arrived = made()
    taps = [Tap(), Tap()]
    for tap in taps:
        viewers.admit().open(tap)
    assert len(arrived) == len(viewers) == 2
    message = b"one"
    viewers.broadcast(message)
    assert all(tap.taken == [message] and tap.taken[0] is message for tap in taps)


def test_a_page_that_does_not_keep_up_misses_messages_and_holds_nobody_up() -> None:
    viewers, _ = made()
    slow, quick = Tap(room=1), Tap()
    viewer = viewers.admit()
    viewer.open(slow)
    viewers.admit().open(quick)
    for number in range(3):
        viewers.broadcast(b"%d" % number)
    assert (slow.taken, quick.taken) == ([b"0"], [b"0", b"1", b"2"])
    viewer.resume()
    viewers.broadcast(b"3")
    assert slow.taken == [b"0", b"3"]


@pytest.mark.parametrize("loss", LossReason)
def test_a_page_that_is_closed_is_let_go(loss: LossReason) -> None:
    viewers, _ = made()
    viewer, tap = viewers.admit(), Tap()
    viewer.open(tap)
    viewer.lost(loss)
    viewer.lost(loss)
    viewers.broadcast(b"x")
    assert (len(viewers), tap.taken) == (0, [])


def test_pages_are_bounded_in_number() -> None:
    viewers, _ = made()
    for _ in range(MAX_VIEWERS):
        viewers.admit().open(Tap())
    with pytest.raises(Overloaded, match="limit of open dashboards"):
        viewers.admit()


def test_pages_that_come_at_once_are_bounded_too() -> None:
    viewers, _ = made()
    admitted = [viewers.admit() for _ in range(MAX_VIEWERS + 1)]
    taps = [Tap() for _ in admitted]
    for viewer, tap in zip(admitted, taps, strict=True):
        viewer.open(tap)
    assert len(viewers) == MAX_VIEWERS
    assert [tap.has_ended for tap in taps].count(True) == 1


def test_all_pages_end_with_the_server() -> None:
    viewers, _ = made()
    taps = [Tap(), Tap()]
    for tap in taps:
        viewers.admit().open(tap)
    late = viewers.admit()
    viewers.close()
    late_tap = Tap()
    late.open(late_tap)
    assert all(tap.has_ended for tap in [*taps, late_tap])
    assert len(viewers) == 0
    with pytest.raises(Overloaded):
        viewers.admit()
    viewers.start()
    viewers.admit().open(Tap())
    assert len(viewers) == 1
