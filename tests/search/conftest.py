from pathlib import Path

import pytest

from tests.support.searching import GUIDE
from tests.support.trees import plant


@pytest.fixture
def guide(library: Path) -> Path:
    return plant(library, {"patterns/python/patterns-guide.md": GUIDE})
