"""The admin surface: what an operator may tell a running server, over a listener of its own."""
