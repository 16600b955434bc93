"""The protocol over stdin and stdout."""
