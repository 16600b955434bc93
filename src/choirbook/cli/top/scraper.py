"""Scraper of a server's metrics."""

from __future__ import annotations

import http.client
import ssl
from time import monotonic
from typing import NamedTuple
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families

from choirbook.errors import InvalidSettings, NotChoirbook, ServerUnreachable
from choirbook.observe.metrics import CATALOG_SIZE
from choirbook.text.escapes import escaped

PATIENCE_S = 5.0
"""Timeout in seconds for a server that accepts the connection and does not answer."""

MAX_PAGE_BYTES = 8 * 1024 * 1024
"""Maximum size of a page in bytes; Choirbook's has some hundred kilobytes."""

_OK, _NOT_FOUND = 200, 404

Labels = tuple[tuple[str, str], ...]


class Snapshot(NamedTuple):
    """Samples of one moment."""

    at_s: float
    """Time of the monotonic clock, in seconds."""
    values: dict[str, dict[Labels, float]]
    """Values by name, and by labels in the order of their names."""

    def value(self, name: str, **labels: str) -> float | None:
        """Return one sample; None if there is none."""
        return self.values.get(name, {}).get(tuple(sorted(labels.items())))

    def total(self, name: str) -> float:
        """Return the sum of all samples of a name."""
        return sum(self.values.get(name, {}).values())


class Scraper:
    """Scraper of one server.

    Args:
        url: Address of the server, such as `http://127.0.0.1:8000`; its path is put before `/metrics`.

    Raises:
        InvalidSettings: It is not such a URL.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        try:
            parts = urlsplit(self.url)
            self._port = parts.port
        except ValueError as error:
            raise _no_url(url) from error
        if parts.scheme not in {"http", "https"} or not parts.hostname or not url.isprintable() or " " in url:
            raise _no_url(url)
        self._host, self._is_secure = parts.hostname, parts.scheme == "https"
        self._path = f"{parts.path}/metrics"

    def scrape(self) -> Snapshot:
        """Return the present metrics.

        Raises:
            ServerUnreachable: No server answers.
            NotChoirbook: The answer has no metrics of Choirbook.
        """
        at_s = monotonic()
        return Snapshot(at_s, self._parse(self._fetch()))

    def _fetch(self) -> str:
        connection = self._connect()
        try:
            connection.request("GET", self._path, headers={"accept": "text/plain"})
            response = connection.getresponse()
            body = response.read(MAX_PAGE_BYTES + 1)
        except http.client.HTTPException as error:
            raise NotChoirbook(
                f"What is at {self.url} does not speak HTTP. Give Choirbook's --url."
            ) from error
        except OSError as error:
            reason = error.strerror or str(error) or type(error).__name__
            raise ServerUnreachable(
                f"Nobody answers at {self.url}: {reason}. Start the server, or give its --url."
            ) from error
        finally:
            connection.close()
        if response.status == _NOT_FOUND:
            raise NotChoirbook(
                f"There is no /metrics at {self.url}. Give the URL of a Choirbook that is not told to show none."
            )
        if response.status != _OK or len(body) > MAX_PAGE_BYTES:
            raise NotChoirbook(
                f"{self.url} answers {response.status}, not with metrics. Give Choirbook's --url."
            )
        return body.decode("utf-8", "replace")

    def _connect(self) -> http.client.HTTPConnection:
        if self._is_secure:
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(self._host, self._port, timeout=PATIENCE_S, context=context)
        return http.client.HTTPConnection(self._host, self._port, timeout=PATIENCE_S)

    def _parse(self, page: str) -> dict[str, dict[Labels, float]]:
        values: dict[str, dict[Labels, float]] = {}
        try:
            for family in text_string_to_metric_families(page):
                for sample in family.samples:
                    labels = tuple(sorted((name, escaped(value)) for name, value in sample.labels.items()))
                    values.setdefault(sample.name, {})[labels] = sample.value
        except (ValueError, KeyError, IndexError) as error:
            raise NotChoirbook(f"What {self.url} shows are no metrics. Give Choirbook's --url.") from error
        if CATALOG_SIZE not in values:
            raise NotChoirbook(f"The metrics at {self.url} are not Choirbook's. Give Choirbook's --url.")
        return values


def _no_url(url: str) -> InvalidSettings:
    return InvalidSettings(
        f"{escaped(url[:100])!r} is no URL of a server. Give one such as http://127.0.0.1:8000."
    )
