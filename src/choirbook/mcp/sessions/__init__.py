"""Sessions of the handshake era over HTTP, their streams and their store."""
