"""Temporary libraries: plant them, edit them."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from choirbook.library.debounce import QUIET_S

AGE_S = 60
"""Planted files look this old, so that the first scan believes them at once."""

CORE = "# The core\n\nWhat every project does.\n"
PYTHON_CORE = "---\ntitle: Python core\ndescription: The daily bread.\n---\n\n# Other\n\nText.\n"
GO_CORE = "# Go core\n\nGo, plainly.\n\n" + "A line that says little. " * 200 + "\n"
PRD = "<prd><title>Product requirements</title><description>What to build.</description></prd>\n"
PIXEL = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8

CORE_URI = "mcp://resources/sdlc/core"
CORE_PATH = "/mcp/resources/sdlc/core"

ALL_MARKDOWN = '[[collection]]\ntype = "note"\nuri = "mcp://resources/notes/{+path}"\nfiles = "{+path}.md"\n'
"""Rules by which no document keeps the URI that it has without any."""


def sdlc_tree() -> dict[str, str | bytes]:
    """Return the files of a library with one resource of each kind, a large and a binary one."""
    return {
        "sdlc-core.md": CORE,
        "patterns/python/patterns-core.md": PYTHON_CORE,
        "patterns/go/patterns-core.md": GO_CORE,
        "templates/prd-template.xml": PRD,
        "images/pixel.png": PIXEL,
    }


def plant(root: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write files beneath a root, make them look old, and return the root."""
    root.mkdir(parents=True, exist_ok=True)
    then_s = time.time() - AGE_S
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        os.utime(path, (then_s, then_s))
    return root


def replace(path: Path, content: str | bytes) -> None:
    """Put new content in the place of a file in one step, as careful editors do."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_bytes(content.encode() if isinstance(content, str) else content)
    fresh.replace(path)


@contextmanager
def again_and_again(act: Callable[[int], object]) -> Iterator[None]:
    """Repeat an action a few times in each quiet time, on a thread."""
    done = threading.Event()

    def run() -> None:
        number = 0
        while not done.wait(QUIET_S / 10):
            number += 1
            act(number)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
