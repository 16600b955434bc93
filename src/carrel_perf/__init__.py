"""Proof of speed: load tests, profiles, gates and reports, for Carrel and for any other resource server."""
