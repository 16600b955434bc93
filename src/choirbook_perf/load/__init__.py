"""Modules that run inside Locust, in a process of its own: gevent patches every process that imports it."""
