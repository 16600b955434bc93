from __future__ import annotations

import pytest

from choirbook.http.exchange import Response


@pytest.mark.parametrize("field", Response.__struct_fields__)
def test_response_is_not_changed_once_it_is_made(field: str) -> None:
    response = Response(200, [])
    with pytest.raises(AttributeError):
        setattr(response, field, None)
