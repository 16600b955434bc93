"""Documents: bytes to the forms that are sent, metadata, sections, excerpts. Pure."""
