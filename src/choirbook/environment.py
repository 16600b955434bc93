"""Environment variables as settings: environment files, and checks for unknown names.

Called by `settings.load` only. Knows no settings; reads a file only if it was named on the command line.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path

from choirbook.errors import InvalidSettings
from choirbook.text.former_name import former
from choirbook.text.suggestions import similar_name

PREFIX = "CHOIRBOOK_"
"""Prefix of this product's variables; an unknown name with it is a mistake."""

_SERVICE_LINK = re.compile(rf"{PREFIX}(\w+_)?(SERVICE_(HOST|PORT\w*)|PORT(_\d+_(TCP|UDP|SCTP)\w*)?)\Z")
"""Variables that Kubernetes and `docker --link` set for a service called `choirbook` or `choirbook-x`."""

_LINKED_ADDRESS = re.compile(r"(tcp|udp|sctp)://")
"""Value of those variables that end with `_PORT`."""


def read_env_file(path: Path) -> dict[str, str]:
    """Read a file of `NAME=value` lines.

    Quotes, comments and `export` are handled as by python-dotenv. `${NAME}` is not replaced: the author
    of the file must not be able to read the environment of the user who starts the server.

    Args:
        path: The file.

    Raises:
        InvalidSettings: It cannot be read, or a line is not of this form; the message names the line.
    """
    # Most starts have no such file.
    from dotenv.parser import parse_stream

    try:
        with path.open(encoding="utf-8-sig") as stream:
            bindings = list(parse_stream(stream))
    except OSError as error:
        raise InvalidSettings(f"The environment file {path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InvalidSettings(f"The environment file {path} is not UTF-8: {error}.") from error
    values: dict[str, str] = {}
    for binding in bindings:
        if binding.error or (binding.key is not None and binding.value is None):
            # The line is not quoted in the message: it may hold a secret.
            raise InvalidSettings(
                f"Line {binding.original.line} of the environment file {path} is not NAME=value. Correct it."
            )
        if binding.key is not None and binding.value is not None:
            values[binding.key] = binding.value
    return values


def refuse_unknown(variables: Mapping[str, str], known: Collection[str], where: str) -> None:
    """Reject variables that have the prefix of this product but set nothing.

    Args:
        variables: Variables that are set.
        known: Names of the known variables.
        where: Source of the variables, for the message.

    Raises:
        InvalidSettings: One of them is unknown; the message suggests the nearest known name.
    """
    for name in sorted(variables):
        if name.startswith(PREFIX) and name not in known and not _is_service_link(name, variables[name]):
            raise InvalidSettings(
                f"{name} in {where} is not a setting. {_suggestion(name, known)}Every variable that begins "
                f"with {PREFIX} must be a setting: correct its name, or unset it."
            )


def refuse_former(variables: Mapping[str, str], known: Collection[str], where: str) -> None:
    """Refuse settings under the product's former name, see `former_name`.

    Args:
        variables: Variables that are set.
        known: The names that set something.
        where: Source of the variables, for the message.

    Raises:
        InvalidSettings: Some are set; the message names them and their present names, and no value.
    """
    renames = [
        f"{former(name)} to {name}"
        for name in sorted(known)
        if name.startswith(PREFIX)
        and former(name) in variables
        and name not in variables
        and not _is_service_link(name, variables[former(name)])
    ]
    if renames:
        raise InvalidSettings(
            f"Variables in {where} have the former name of this product. Rename {', '.join(renames)}."
        )


def explain(name: str, value: str) -> str:
    """Return advice on an invalid value, with a leading space; empty if there is none."""
    if _is_service_link(name, value):
        return (
            " Kubernetes sets this variable for a service of that name: "
            "set 'enableServiceLinks: false' in the pod, or give the service another name."
        )
    return ""


def _is_service_link(name: str, value: str) -> bool:
    if _SERVICE_LINK.match(name) is None:
        return False
    return not name.endswith("_PORT") or "_SERVICE_" in name or _LINKED_ADDRESS.match(value) is not None


def _suggestion(name: str, known: Collection[str]) -> str:
    # Compared without the prefix, which would make any two names similar.
    whole = {each.removeprefix(PREFIX): each for each in sorted(known)}
    found = similar_name(name.removeprefix(PREFIX), whole)
    return "" if found is None else f"Did you mean {whole[found]}? "
