"""Proof of speed: load tests, profiles, gates and reports, for Choirbook and for any other resource server."""
