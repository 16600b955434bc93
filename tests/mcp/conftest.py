"""Both eras for the tests of methods."""

from __future__ import annotations

import pytest

from tests.support.mcp import CALLS


@pytest.fixture(params=list(CALLS))
def era(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name
