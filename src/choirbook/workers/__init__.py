"""The worker processes of one server: mailbox, RPC, status, cache control."""
