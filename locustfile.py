"""The load of `choirbook perf test` for plain Locust: `locust --host http://127.0.0.1:8000`."""

from choirbook_perf.load.users import ResourceUser

__all__ = ["ResourceUser"]
