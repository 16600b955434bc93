"""Real libraries for tests.

The starter library is always there. Others are used where there are any: in the directory that
`TESTS_LIBRARIES` names, or in `shared/libraries` beside the checkout.
"""

import os
from pathlib import Path

from choirbook.settings import STARTER_LIBRARY
from tests.support.servers import REPOSITORY


def libraries() -> dict[str, Path]:
    """Return the libraries of this machine by their names."""
    elsewhere = Path(os.environ.get("TESTS_LIBRARIES", REPOSITORY.parent / "shared" / "libraries"))
    known = (elsewhere / name for name in ("gds-way", "uber-go-guide"))
    return {"starter": STARTER_LIBRARY} | {root.name: root for root in known if root.is_dir()}
