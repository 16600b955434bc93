"""Performance tests: load tests, profiles, gates and reports, for Choirbook and other resource servers."""
