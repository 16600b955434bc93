"""Make docs/settings.md from the fields of `Settings` and the text below each: `task docs:settings`."""

import ast
import types
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, get_args, get_origin

import msgspec
import typer

from choirbook import settings
from choirbook.cli.commands import app
from choirbook.settings import STARTER_LIBRARY, Settings, variables_of

PAGE = Path(__file__).resolve().parent.parent / "docs" / "settings.md"

HEAD = """\
<!-- Made by `task docs:settings` from src/choirbook/settings.py. -->

# Settings

A setting can be given by a flag of `choirbook serve`, a variable, or a settings file. Precedence, highest
first:

1. flags;
2. environment variables;
3. an environment file, `--env-file FILE`, with lines `NAME=value`;
4. a settings file in TOML, `--config FILE`, whose keys are the names in the first column.

Choirbook reads the two files only if you name them; it never loads a `.env` or other file from the working
directory by itself. `${NAME}` in an environment file is not expanded. `choirbook stdio` takes no environment
file, because agents start it in directories that others wrote. In variables and environment files, lists are
separated by commas, and `on` and `off` mean `true` and `false`.

An unknown key, an unknown variable that begins with `CHOIRBOOK_`, or an invalid value stops the start with a
message. [Tracing](tracing.md) also uses the standard variables `OTEL_*`, from the environment only.
"""

GROUPS = {
    "root": "Library, address and access",
    "cache_ttl_s": "Cache",
    "max_body_bytes": "Size limits",
    "watch": "Change detection",
    "max_waiting_reads": "Concurrency, streams and sessions",
    "metrics": "Metrics and logs",
    "usage": "Usage",
    "server_timing": "Timing",
    "preload": "Features",
    "redis_url": "Redis",
    "admin": "Administration",
}
"""The headings, each by the first field below it."""

FIELD_OF_PARAMETER = {
    "directory": "root",
    "allowed_host": "allowed_hosts",
    "allowed_origin": "allowed_origins",
    "trusted_proxy": "trusted_proxies",
    "redis": "redis_url",
}
"""Fields whose name differs from that of their parameter of `choirbook serve`."""

_TABLE = """\
| setting | flag | variable | default | unit or values | description |
| --- | --- | --- | --- | --- | --- |"""
_UNITS = {"_s": "seconds", "_bytes": "bytes"}
_NO_DEFAULT: tuple[object, ...] = (None, "", ())


def page() -> str:
    """Return the page."""
    return HEAD + "\n".join(_sections()) + "\n"


def descriptions() -> dict[str, str]:
    """Return the text below each field of `Settings`, on one line; fields without a text are left out."""
    (declared,) = (
        node
        for node in ast.parse(Path(settings.__file__).read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and node.name == Settings.__name__
    )
    found = {}
    for field, below in zip(declared.body, declared.body[1:], strict=False):
        match field, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                found[name] = " ".join(text.split())
    return found


def flags() -> dict[str, str]:
    """Return the flags of `choirbook serve` by the fields that they set."""
    commands: Any = typer.main.get_command(app)
    return {
        FIELD_OF_PARAMETER.get(parameter.name, parameter.name): _flag(parameter)
        for parameter in commands.commands["serve"].params
    }


def _flag(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return "`DIR`"
    # A switch that is on by default is named by the flag that turns it off.
    return f"`{(parameter.secondary_opts or parameter.opts)[0]}`"


def _sections() -> Iterator[str]:
    described, flag_of = descriptions(), flags()
    for field in msgspec.structs.fields(Settings):
        if field.name in GROUPS:
            yield f"\n## {GROUPS[field.name]}\n\n{_TABLE}"
        cells = (
            f"`{field.name}`",
            flag_of.get(field.name, ""),
            ", ".join(f"`{name}`" for name in reversed(variables_of(field.name))),
            _default(field.default),
            _unit(field.name, field.type),
            described[field.name],
        )
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(value: object) -> str:
    if value in _NO_DEFAULT:
        return ""
    if value == STARTER_LIBRARY:
        return "the starter library"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _unit(name: str, kind: Any) -> str:
    """Return the unit that the name ends with, or else the values that the type allows."""
    for suffix, unit in _UNITS.items():
        if name.endswith(suffix):
            return unit
    if isinstance(kind, types.UnionType):
        (kind,) = (each for each in get_args(kind) if each is not types.NoneType)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return ", ".join(f"`{value}`" for value in kind)
    if get_origin(kind) is tuple:
        return "list"
    return {bool: "`true`, `false`", int: "number", float: "fraction", Path: "path", str: "text"}[kind]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
