"""Cache of listing pages."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

from choirbook.mcp.results import Result

MAX_READY_PAGES = 64
"""Maximum number of cached pages of one listing: its first page in both eras, and scans of a large one."""


class ListingPages:
    """Cached pages of one listing, the most recently requested.

    A key contains the catalog's generation, so a page of an older one is never found, and is evicted in time.
    """

    def __init__(self) -> None:
        self._pages: OrderedDict[Hashable, Result] = OrderedDict()

    def get(self, key: Hashable) -> Result | None:
        """Return a cached page."""
        page = self._pages.get(key)
        if page is not None:
            self._pages.move_to_end(key)
        return page

    def put(self, key: Hashable, page: Result) -> Result:
        """Cache a page, and return it."""
        self._pages[key] = page
        if len(self._pages) > MAX_READY_PAGES:
            self._pages.popitem(last=False)
        return page
