"""Reads of a library in this process, as surfaces do them."""

from choirbook.library.library import Library
from choirbook.model import Form, Reading
from tests.support.trees import CORE_URI


async def read(library: Library, uri: str = CORE_URI, form: Form = Form.RAW) -> Reading:
    """Read one form of a resource."""
    answer = library.read(library.find(uri), form)
    return answer if isinstance(answer, Reading) else await answer


async def body(library: Library, uri: str = CORE_URI) -> bytes:
    """Return a resource's own bytes."""
    return (await read(library, uri)).representation.body
