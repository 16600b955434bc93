import pytest

from choirbook import errors
from choirbook.errors import TABLE, ChoirbookError, Era, RequestError, http_status, mcp_outcome


def _leaves(kind: type[ChoirbookError]) -> set[type[ChoirbookError]]:
    below = kind.__subclasses__()
    return {kind}.union(*(_leaves(each) for each in below)) if below else {kind}


def test_every_request_error_has_one_row_in_the_table() -> None:
    assert set(TABLE) == _leaves(RequestError) - {RequestError}


def test_the_docstring_shows_the_whole_tree() -> None:
    assert errors.__doc__ is not None
    for kind in _leaves(ChoirbookError):
        assert kind.__name__ in errors.__doc__


@pytest.mark.parametrize("kind", TABLE, ids=lambda kind: kind.__name__)
def test_every_error_has_a_status_and_a_code_in_both_eras(kind: type[RequestError]) -> None:
    error = kind("What was wrong.")
    assert 400 <= http_status(error) <= 503
    for era in Era:
        status, code = mcp_outcome(error, era)
        assert status == 200 or 400 <= status <= 503
        assert -32768 <= code <= -32000


def test_the_modern_era_never_sends_codes_of_the_handshake_era() -> None:
    assert not {row.modern[1] for row in TABLE.values()} & {-32002, -32042}


@pytest.mark.parametrize(
    ("kind", "exit_code"),
    [
        (errors.InvalidSettings, 2),
        (errors.InvalidLibrary, 2),
        (errors.AddressUnavailable, 1),
        (errors.CallRefused, 1),
        (errors.ServerUnreachable, 3),
        (errors.TokenRefused, 4),
        (errors.NotChoirbook, 5),
        (errors.ServerIncomplete, 7),
        (errors.ResourceNotFound, 1),
    ],
)
def test_an_error_that_ends_a_command_has_an_exit_code(kind: type[ChoirbookError], exit_code: int) -> None:
    assert kind("What was wrong.").exit_code == exit_code


def test_an_error_prints_its_message() -> None:
    assert str(RequestError("What was wrong.", {"uri": "x"})) == "What was wrong."
