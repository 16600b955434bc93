"""The load of `carrel perf test` for plain Locust: `locust --host http://127.0.0.1:8000`."""

from carrel_perf.load.users import ResourceUser

__all__ = ["ResourceUser"]
