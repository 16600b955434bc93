"""When descriptors are few, and which errors say that there is none."""

from __future__ import annotations

import errno

import pytest

from choirbook.runtime.exhaustion import is_exhaustion, is_short
from tests.sources.test_exhaustion import descriptors_left


@pytest.mark.parametrize(("left", "short"), [(0, True), (1, True), (1000, False)])
def test_few_descriptors_are_noticed_before_there_is_none(left: int, *, short: bool) -> None:
    with descriptors_left(left):
        assert is_short() is short


def test_only_what_says_that_there_is_no_descriptor_is_exhaustion() -> None:
    assert is_exhaustion(OSError(errno.EMFILE, "none"))
    assert is_exhaustion(OSError(errno.ENFILE, "none"))
    assert not is_exhaustion(OSError(errno.EACCES, "forbidden"))
    assert not is_exhaustion(ValueError())
