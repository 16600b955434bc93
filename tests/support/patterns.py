"""Find regular expressions whose time may grow faster than their text.

An over-estimate, of the trees that Python's own parser makes of patterns: what it finds may be harmless.
Sets of characters are sets of samples.
"""

from __future__ import annotations

import re
import re._constants as constants  # type: ignore[import-not-found]
import re._parser as parser  # type: ignore[import-not-found]
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple

SAMPLES = frozenset([*map(chr, range(256)), "\u0394", "\u202e", "\u4e00", "\u0660", "\U0001f600"])
MANY = 255
"""Repetitions from which a quantifier counts as one without a bound."""

Node = tuple[Any, Any]
Characters = frozenset[str]

_CATEGORIES = {
    constants.CATEGORY_DIGIT: r"\d",
    constants.CATEGORY_NOT_DIGIT: r"\D",
    constants.CATEGORY_SPACE: r"\s",
    constants.CATEGORY_NOT_SPACE: r"\S",
    constants.CATEGORY_WORD: r"\w",
    constants.CATEGORY_NOT_WORD: r"\W",
}
_REPEATS = (constants.MAX_REPEAT, constants.MIN_REPEAT, constants.POSSESSIVE_REPEAT)


class Step(NamedTuple):
    """One character that is asked for, or a run of them."""

    characters: Characters
    is_run: bool = False
    is_optional: bool = False


def risks(pattern: str | bytes, flags: int = 0, *, is_anchored: bool = False) -> list[str]:
    """Say why a pattern may take long.

    Args:
        pattern: As it is compiled.
        flags: The same.
        is_anchored: Whether it is tried at one place of a text only (`match`, `fullmatch`).
    """
    tree = parser.parse(pattern, flags)
    found: set[str] = set()
    for steps in _ways(list(tree), tree.state.flags | flags, found):
        found |= set(_ambiguous(steps))
        if not is_anchored:
            found |= set(_restarting(steps))
    return sorted(found)


def _ambiguous(steps: Sequence[Step]) -> Iterator[str]:
    """Yield pairs of runs between which a text can be divided in many ways."""
    for first, run in enumerate(steps):
        if not run.is_run:
            continue
        between: list[Characters] = []
        for step in steps[first + 1 :]:
            is_alike = step.is_run and run.characters & step.characters
            if is_alike and all(each & step.characters for each in between):
                yield "two runs of the same characters"
                break
            if not step.is_optional:
                if not step.characters & run.characters:
                    break
                between.append(step.characters)


def _restarting(steps: Sequence[Step]) -> Iterator[str]:
    """Yield runs in which the pattern's own beginning may occur, each of which reads the same run again."""
    before: list[Characters] = []
    for place, step in enumerate(steps):
        can_fail = any(not each.is_optional for each in steps[place + 1 :])
        if step.is_run and can_fail and all(each & step.characters for each in before):
            yield "a run that may hold the beginning of the pattern"
            return
        if not step.is_optional:
            before.append(step.characters)


def _ways(nodes: Sequence[Node], flags: int, found: set[str]) -> list[list[Step]]:
    """Return the sequences of steps that a pattern can be read as."""
    ways: list[list[Step]] = [[]]
    for node in nodes:
        ways = [before + after for before, after in product(ways, _ways_of(node, flags, found))]
        assert len(ways) < 5000, "too many alternatives to look at"
    return ways


def _ways_of(  # noqa: C901, PLR0911 - one line for each kind of node
    node: Node, flags: int, found: set[str]
) -> list[list[Step]]:
    kind, argument = node
    if kind in _REPEATS:
        return _ways_of_repeat(argument, flags, found)
    if kind is constants.SUBPATTERN:
        return _ways(argument[3], flags, found)
    if kind is constants.ATOMIC_GROUP:
        return _ways(argument, flags, found)
    if kind is constants.BRANCH:
        return [way for branch in argument[1] for way in _ways(branch, flags, found)]
    if kind is constants.ASSERT_NOT and argument[0] < 0:
        # The character before is another one, so that a match cannot begin within these.
        inner = list(argument[1])
        return [[Step(SAMPLES - _characters(inner[0], flags))]] if len(inner) == 1 else [[]]
    if kind is constants.AT:
        if argument is constants.AT_BEGINNING and flags & re.MULTILINE:
            return [[Step(frozenset("\n"))]]
        if argument in {constants.AT_BEGINNING, constants.AT_BEGINNING_STRING}:
            return [[Step(frozenset())]]
        if argument in {constants.AT_END, constants.AT_END_STRING}:
            # It can fail, and takes nothing.
            return [[Step(frozenset())]]
        return [[]]
    if kind in {constants.ASSERT, constants.ASSERT_NOT}:
        return [[Step(frozenset(), is_optional=True)]]
    if kind is constants.GROUPREF:
        return [[Step(SAMPLES, is_run=True)]]
    return [[Step(_characters(node, flags))]]


def _ways_of_repeat(
    argument: tuple[int, int, Sequence[Node]], flags: int, found: set[str]
) -> list[list[Step]]:
    least, most, body = argument
    inner = _ways(body, flags, found)
    if most < MANY:
        # A bound is a factor; twice shows what stands side by side.
        none: list[list[Step]] = [] if least else [[]]
        twice = [] if most == 1 else [a + b for a, b in product(inner, inner)]
        return none + inner + twice
    if all(len(way) == 1 for way in inner):
        characters = [way[0].characters for way in inner]
        if len(frozenset().union(*characters)) < sum(map(len, characters)):
            found.add("alternatives of one character under a quantifier")
        if any(way[0].is_run for way in inner):
            found.add("a run under a quantifier")
        return [[Step(frozenset().union(*characters), is_run=True, is_optional=least == 0)]]
    for first, second in product(inner, inner):
        if first is not second and _first(first) & _first(second):
            found.add("alternatives of one character under a quantifier")
        # It goes round: what ends one round stands beside what begins the next.
        if any(_ambiguous([*first, *second])):
            found.add("runs under a quantifier")
    every = frozenset().union(*(step.characters for way in inner for step in way))
    starts = frozenset().union(*map(_first, inner))
    # As a run it matters only behind its first character.
    return [[Step(starts, is_optional=least == 0), Step(every, is_run=True, is_optional=True)]]


def _first(way: Sequence[Step]) -> Characters:
    found: set[str] = set()
    for step in way:
        found |= step.characters
        if not step.is_optional:
            break
    return frozenset(found)


def _characters(node: Node, flags: int) -> Characters:
    kind, argument = node
    if kind is constants.LITERAL:
        return _both_cases({chr(argument)}, flags)
    if kind is constants.NOT_LITERAL:
        return SAMPLES - {chr(argument)}
    if kind is constants.ANY:
        return SAMPLES if flags & re.DOTALL else SAMPLES - {"\n"}
    if kind is constants.IN:
        members: set[str] = set()
        is_negated = False
        for inner, value in argument:
            if inner is constants.NEGATE:
                is_negated = True
            elif inner is constants.RANGE:
                members |= {each for each in SAMPLES if value[0] <= ord(each) <= value[1]}
            elif inner is constants.CATEGORY:
                members |= {each for each in SAMPLES if re.match(_CATEGORIES[value], each)}
            else:
                members.add(chr(value))
        characters = _both_cases(members, flags)
        return SAMPLES - characters if is_negated else characters
    raise NotImplementedError(f"the kind of node {kind}")


def _both_cases(characters: set[str], flags: int) -> Characters:
    if flags & re.IGNORECASE:
        return frozenset(each for one in characters for each in (one.lower(), one.upper()))
    return frozenset(characters)
