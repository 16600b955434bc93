"""Choirbook beside the routes of a FastAPI app, in one process and behind one port.

Run it from the root of a checkout:

    uvicorn examples.fastapi_app:app

Then a page reads http://127.0.0.1:8000/standards/mcp/resources/sdlc/core, and an agent connects to
http://127.0.0.1:8000/standards/mcp.
"""
# ruff: noqa: INP001 - a file to copy from, not a package

from fastapi import FastAPI

from choirbook import Settings, create_app

standards = create_app(Settings(page_size=100))
"""The starter library; `Settings(root=Path("..."))` serves a directory of your own."""

# A mounted app is told nothing of the start and the end, so the outer app hands them on. One with a
# lifespan of its own enters `standards.lifespan(app)` inside it.
app = FastAPI(title="Team portal", lifespan=standards.lifespan)


@app.get("/team")
def team() -> dict[str, str]:
    """Answer as any route of the outer app does."""
    return {"name": "Platform", "standards": "/standards/mcp/resources"}


app.mount("/standards", standards)
