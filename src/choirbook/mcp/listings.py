"""Pages of listings that are kept ready."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

from choirbook.mcp.results import Result

MAX_READY_PAGES = 64
"""Of one listing: its first page in both eras, and walks through a large one."""


class ReadyPages:
    """The most recently asked pages of one listing.

    A key holds the catalog's generation, so a page of an older one is never found, and falls out in time.
    """

    def __init__(self) -> None:
        self._pages: OrderedDict[Hashable, Result] = OrderedDict()

    def get(self, key: Hashable) -> Result | None:
        """Return a page that is ready."""
        page = self._pages.get(key)
        if page is not None:
            self._pages.move_to_end(key)
        return page

    def put(self, key: Hashable, page: Result) -> Result:
        """Keep a page, and return it."""
        self._pages[key] = page
        if len(self._pages) > MAX_READY_PAGES:
            self._pages.popitem(last=False)
        return page
