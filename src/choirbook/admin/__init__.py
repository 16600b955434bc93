"""Admin surface: calls by which an operator controls a running server, over a listener of its own."""
