"""Scraper of a server's metrics."""

from __future__ import annotations

import http.client
import ssl
from math import inf
from time import monotonic
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families

from choirbook.errors import InvalidSettings, NotChoirbook, ServerUnreachable
from choirbook.observe.figures import Labels, Sample, sample_of
from choirbook.observe.metrics import BUCKETS_S, CATALOG_SIZE, LOADING
from choirbook.text.escapes import escaped

PATIENCE_S = 5.0
"""Timeout in seconds for a server that accepts the connection and does not answer."""

MAX_PAGE_BYTES = 8 * 1024 * 1024
"""Maximum size of a page in bytes; Choirbook's has some hundred kilobytes."""

_OK, _NOT_FOUND = 200, 404

_BUCKET = f"{LOADING}_bucket"
_BOUNDS_S = (*BUCKETS_S, inf)
_KIND_LABELS = {"cache_result", "resource_type"}


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

    def scrape(self) -> Sample:
        """Return the metrics as they are now, by the monotonic clock.

        Raises:
            ServerUnreachable: There is no answer.
            NotChoirbook: The program at the address has no metrics of Choirbook.
        """
        at_s = monotonic()
        return sample_of(self._totals(self._fetch()), at_s)

    def _fetch(self) -> str:
        connection = self._connect()
        try:
            connection.request("GET", self._path, headers={"accept": "text/plain"})
            response = connection.getresponse()
            body = response.read(MAX_PAGE_BYTES + 1)
        except http.client.HTTPException as error:
            raise NotChoirbook(
                f"The program at {self.url} does not speak HTTP. Pass the URL of a Choirbook server with "
                "--url."
            ) from error
        except OSError as error:
            reason = error.strerror or str(error) or type(error).__name__
            raise ServerUnreachable(
                f"No server answers at {self.url}: {reason}. Start the server, or pass its URL with --url."
            ) from error
        finally:
            connection.close()
        if response.status == _NOT_FOUND:
            raise NotChoirbook(
                f"The server at {self.url} has no /metrics. Pass the URL of a Choirbook server that runs "
                "without '--metrics off'."
            )
        if response.status != _OK or len(body) > MAX_PAGE_BYTES:
            raise NotChoirbook(
                f"{self.url} answered with status {response.status} instead of metrics. Pass the URL of a "
                "Choirbook server with --url."
            )
        return body.decode("utf-8", "replace")

    def _connect(self) -> http.client.HTTPConnection:
        if self._is_secure:
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(self._host, self._port, timeout=PATIENCE_S, context=context)
        return http.client.HTTPConnection(self._host, self._port, timeout=PATIENCE_S)

    def _totals(self, page: str) -> dict[tuple[str, Labels], list[float]]:
        """Return the cells of each series of a page."""
        totals: dict[tuple[str, Labels], list[float]] = {}
        cumulative: dict[Labels, dict[float, float]] = {}
        try:
            for family in text_string_to_metric_families(page):
                for sample in family.samples:
                    labels = {name: escaped(value) for name, value in sample.labels.items()}
                    if sample.name == _BUCKET:
                        bound_s = float(labels.pop("le"))
                        cumulative.setdefault(_key(labels), {})[bound_s] = sample.value
                    else:
                        totals[sample.name, _key(labels)] = [sample.value]
        except (ValueError, KeyError, IndexError) as error:
            raise NotChoirbook(
                f"The answer from {self.url} is not Prometheus metrics. Pass the URL of a Choirbook "
                "server with --url."
            ) from error
        if not any(name == CATALOG_SIZE for name, _ in totals):
            raise NotChoirbook(
                f"The metrics at {self.url} are not Choirbook's. Pass the URL of a Choirbook server "
                "with --url."
            )
        for key, up_to in cumulative.items():
            if {name for name, _ in key} == _KIND_LABELS:
                totals[LOADING, key] = _by_bucket(up_to)
        return totals


def _key(labels: dict[str, str]) -> Labels:
    return tuple(sorted(labels.items()))


def _by_bucket(up_to: dict[float, float]) -> list[float]:
    """Return the counts by bucket; one that the page does not have counts in the next that it has."""
    counts, below = [], 0.0
    for bound_s in _BOUNDS_S:
        at_most = up_to.get(bound_s, below)
        counts.append(at_most - below)
        below = at_most
    return counts


def _no_url(url: str) -> InvalidSettings:
    return InvalidSettings(
        f"{escaped(url[:100])!r} is not the URL of a server. Pass one such as http://127.0.0.1:8000."
    )
