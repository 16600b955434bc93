"""The ASGI server side: requests and streams."""
