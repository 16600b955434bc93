"""The MCP surface: one protocol, two eras, over HTTP and stdio."""
