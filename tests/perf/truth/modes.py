"""Behaviour of the truth server: one class for each mode, which decides what happens to a request. Pure.

Times are seconds since the first request for a document. Modes with faults serve the first `calm` requests
for each document without one, so that a client which examines the server before a load finds it healthy.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from random import Random
from typing import Any, NamedTuple, Protocol

ANSWERED = "answered"
"""The log's word for a complete and right response."""

OK = 200


class Arrival(NamedTuple):
    """A request for a document."""

    at_s: float
    number: int
    """Number of the request among those for the same document, from 1."""
    connection: int
    """Number of the connection among those that asked for the same document, from 1."""


class Act(NamedTuple):
    """Treatment of a request."""

    what: str
    """`answered`, `held`, `dropped`, `cut`, `wrong`, `longer`, `error`, `redirected` or `killed`."""
    due_s: float
    """When the last byte is to be sent, or the connection closed."""
    status: int = OK
    pieces: int = 1
    """Number of parts in which the body is sent, at equal intervals; the last one when it is due."""
    is_last: bool = False
    """Whether the server closes the connection after the response, and says so in it."""


class Mode(Protocol):
    """A mode."""

    def act(self, arrival: Arrival) -> Act:
        """Decide what happens to a request."""
        ...


@dataclass(slots=True)
class Null:
    """Answers at once."""

    def act(self, arrival: Arrival) -> Act:
        return Act(ANSWERED, arrival.at_s)


@dataclass(slots=True)
class Fixed:
    """Takes the same time for each response."""

    ms: float = 20.0

    def act(self, arrival: Arrival) -> Act:
        return Act(ANSWERED, arrival.at_s + self.ms / 1000)


@dataclass(slots=True)
class Bimodal:
    """Takes a short time for most responses, a long time for some, in a random but repeatable order."""

    ms: float = 5.0
    slow_ms: float = 60.0
    slow_share: float = 0.2
    seed: int = 1
    _random: Random = field(default_factory=Random)

    def __post_init__(self) -> None:
        self._random.seed(self.seed)

    def act(self, arrival: Arrival) -> Act:
        is_slow = self._random.random() < self.slow_share
        return Act(ANSWERED, arrival.at_s + (self.slow_ms if is_slow else self.ms) / 1000)


@dataclass(slots=True)
class Stall:
    """Answers after a short time, except that nothing is answered in the last seconds of each period."""

    for_s: float = 2.0
    every_s: float = 10.0
    ms: float = 2.0

    def act(self, arrival: Arrival) -> Act:
        due_s = arrival.at_s + self.ms / 1000
        period = math.floor(due_s / self.every_s)
        is_stalled = due_s - period * self.every_s >= self.every_s - self.for_s
        return Act(ANSWERED, (period + 1) * self.every_s if is_stalled else due_s)


@dataclass(slots=True)
class Trickle:
    """Sends the body in parts; the response is complete when the last one is sent."""

    ms: float = 60.0
    pieces: int = 4

    def act(self, arrival: Arrival) -> Act:
        return Act(ANSWERED, arrival.at_s + self.ms / 1000, pieces=self.pieces)


@dataclass(slots=True)
class Queue:
    """Serves one request after the other, each in the same time: with Poisson arrivals, an M/D/1 queue."""

    ms: float = 2.0
    _free_s: float = 0.0

    def act(self, arrival: Arrival) -> Act:
        self._free_s = max(arrival.at_s, self._free_s) + self.ms / 1000
        return Act(ANSWERED, self._free_s)


@dataclass(slots=True)
class Hang:
    """Answers nothing any more from a second on, and keeps the connections open."""

    from_s: float = 10.0
    ms: float = 2.0

    def act(self, arrival: Arrival) -> Act:
        is_held = arrival.at_s >= self.from_s
        return Act("held" if is_held else ANSWERED, arrival.at_s + self.ms / 1000)


@dataclass(slots=True)
class Kill:
    """Ends the server itself by SIGKILL at a second; `server` does so."""

    from_s: float = 3.0
    ms: float = 2.0

    def act(self, arrival: Arrival) -> Act:
        return Act(ANSWERED, arrival.at_s + self.ms / 1000)


@dataclass(slots=True)
class Drop:
    """Closes every `every`-th connection when it asks, and the others after one response."""

    every: int = 2
    calm: int = 20
    ms: float = 2.0

    def act(self, arrival: Arrival) -> Act:
        due_s = arrival.at_s + self.ms / 1000
        is_dropped = arrival.number > self.calm and arrival.connection % self.every == 0
        return Act("dropped" if is_dropped else ANSWERED, due_s, is_last=True)


@dataclass(slots=True)
class DropKept:
    """Closes the connection instead of answering every `every`-th request; connections are kept otherwise."""

    every: int = 10
    calm: int = 20
    ms: float = 2.0

    def act(self, arrival: Arrival) -> Act:
        is_dropped = arrival.number > self.calm and arrival.number % self.every == 0
        return Act("dropped" if is_dropped else ANSWERED, arrival.at_s + self.ms / 1000)


@dataclass(slots=True)
class Cut:
    """Resets the connection in the middle of the body of every `every`-th response."""

    every: int = 10
    calm: int = 20
    ms: float = 2.0

    def act(self, arrival: Arrival) -> Act:
        is_cut = arrival.number > self.calm and arrival.number % self.every == 0
        return Act("cut" if is_cut else ANSWERED, arrival.at_s + self.ms / 1000)


@dataclass(slots=True)
class Wrong:
    """Sends another body of the same length in every `every`-th response."""

    every: int = 100
    calm: int = 20
    ms: float = 2.0

    def act(self, arrival: Arrival) -> Act:
        is_wrong = arrival.number > self.calm and arrival.number % self.every == 0
        return Act("wrong" if is_wrong else ANSWERED, arrival.at_s + self.ms / 1000)


@dataclass(slots=True)
class Longer:
    """Sends a body of another length in every `every`-th response."""

    every: int = 100
    calm: int = 20
    ms: float = 2.0

    def act(self, arrival: Arrival) -> Act:
        is_longer = arrival.number > self.calm and arrival.number % self.every == 0
        return Act("longer" if is_longer else ANSWERED, arrival.at_s + self.ms / 1000)


@dataclass(slots=True)
class Error:
    """Answers every `every`-th request with an error; a status of 3xx redirects to the document itself."""

    status: int = 500
    every: int = 10
    calm: int = 20
    ms: float = 2.0

    def act(self, arrival: Arrival) -> Act:
        due_s = arrival.at_s + self.ms / 1000
        if arrival.number <= self.calm or arrival.number % self.every:
            return Act(ANSWERED, due_s)
        is_redirect = 300 <= self.status < 400
        return Act("redirected" if is_redirect else "error", due_s, self.status)


@dataclass(slots=True)
class Mixed:
    """Treats every tenth request in one of seven wrong ways, in turns."""

    every: int = 10
    calm: int = 20
    ms: float = 2.0

    def act(self, arrival: Arrival) -> Act:
        due_s = arrival.at_s + self.ms / 1000
        turn, rest = divmod(arrival.number, self.every)
        if arrival.number <= self.calm or rest:
            return Act(ANSWERED, due_s)
        what, status = _WRONGS[turn % len(_WRONGS)]
        return Act(what, due_s, status)


_WRONGS = (
    ("wrong", OK),
    ("longer", OK),
    ("dropped", OK),
    ("cut", OK),
    ("error", 500),
    ("error", 401),
    ("redirected", 302),
)

MODES: dict[str, type[Any]] = {
    "null": Null,
    "fixed": Fixed,
    "bimodal": Bimodal,
    "stall": Stall,
    "trickle": Trickle,
    "queue": Queue,
    "hang": Hang,
    "kill": Kill,
    "drop": Drop,
    "drop-kept": DropKept,
    "cut": Cut,
    "wrong": Wrong,
    "longer": Longer,
    "error": Error,
    "mixed": Mixed,
}


def make_mode(name: str, options: Iterable[str] = ()) -> Mode:
    """Make a mode.

    Args:
        name: Key of `MODES`.
        options: Such as `ms=5`, by the names of the fields of the class.

    Raises:
        KeyError: There is no such mode, or it has no such option.
    """
    kind = MODES[name]
    types = {each.name: {"int": int, "float": float}.get(str(each.type)) for each in fields(kind)}
    asked: dict[str, Any] = {}
    for option in options:
        key, _, value = option.partition("=")
        convert = types[key]
        if convert is None:
            raise KeyError(key)
        asked[key] = convert(value)
    mode: Mode = kind(**asked)
    return mode
