"""Granian, the production runtime: its processes, sockets and scheduler."""
