"""Choose mutants: areas, samples that are the same for the same seed, and accepted survivors. Pure."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import chain, islice, zip_longest

import msgspec

from tests.mutants.operators import Mutant


class Area(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Modules that belong together, and the test files or directories that may notice a bug in them."""

    modules: list[str]
    tests: list[str]


class Accepted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A survivor that stays, because nobody could notice it or a test would cost more than it tells."""

    module: str
    function: str
    operator: str
    before: str
    after: str
    reason: str
    nth: int = 0

    @property
    def name(self) -> str:
        """Return the name of the mutant that is meant."""
        return "\0".join((self.module, self.function, self.operator, self.before, self.after, str(self.nth)))


class _AcceptedFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    mutant: list[Accepted] = []


def read_areas(text: bytes) -> dict[str, Area]:
    """Read the areas by their names.

    Raises:
        msgspec.ValidationError: The file does not have the shape of `areas.toml`.
    """
    return msgspec.toml.decode(text, type=dict[str, Area])


def read_accepted(text: bytes) -> dict[str, Accepted]:
    """Read the accepted survivors by the names of their mutants.

    Raises:
        ValueError: The file has another shape, an entry without a reason, or one twice.
    """
    entries = msgspec.toml.decode(text, type=_AcceptedFile).mutant
    by_name: dict[str, Accepted] = {}
    for entry in entries:
        where = f"{entry.module}, {entry.function}: {entry.operator} {entry.before!r}"
        if not entry.reason.strip():
            raise ValueError(f"accepted survivor without a reason: {where}. Say why no test can notice it.")
        if entry.name in by_name:
            raise ValueError(f"accepted survivor twice: {where}. Remove one, or tell them apart by `nth`.")
        by_name[entry.name] = entry
    return by_name


def stale(accepted: Iterable[Accepted], mutants: Iterable[Mutant]) -> list[Accepted]:
    """Return the accepted survivors that are no longer among the mutants, because their code has changed."""
    names = {mutant.name for mutant in mutants}
    return [entry for entry in accepted if entry.name not in names]


def sample(mutants: Sequence[Mutant], count: int, seed: int) -> list[Mutant]:
    """Choose `count` mutants of one module, in the order of their lines.

    Operators take turns, so that a rare one, such as a dropped `finally`, is not lost among negations. Which
    mutants of an operator are chosen depends on the seed and on their names, not on lines.
    """
    by_operator: dict[str, list[Mutant]] = defaultdict(list)
    for mutant in sorted(mutants, key=lambda each: _rank(seed, each.name)):
        by_operator[mutant.operator].append(mutant)
    operators = sorted(by_operator, key=lambda operator: _rank(seed, operator))
    rounds = zip_longest(*(by_operator[operator] for operator in operators))
    turns = (mutant for mutant in chain.from_iterable(rounds) if mutant is not None)
    return sorted(islice(turns, count), key=lambda mutant: mutant.start)


def _rank(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}\0{name}".encode()).digest()
