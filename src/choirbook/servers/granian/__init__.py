"""Granian, the production runtime: its processes, sockets and scheduler.

`servers/rsgi` handles its requests, and clients that read slowly.
"""
