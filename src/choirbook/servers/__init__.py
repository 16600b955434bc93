"""Adapters between servers and the exchange: the only modules that know RSGI or ASGI."""
