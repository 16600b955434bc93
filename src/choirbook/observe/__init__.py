"""Metrics, access log, operator log: they observe the layers below, which never call them."""
