"""Code shared by the drivers in Python: the plan that they get, and the lines that they print.

A driver is a program that uses one client as the client's documentation says. It gets a plan on stdin, a JSON
object (see `tests.clients.matrix.conversations`), connects, does all operations in their order, and prints a
JSON line for each:

    {"operation": "read", "seen": ...}         what the client returned, spelt as on the wire
    {"operation": "read", "absent": "..."}     the client cannot do it, and how one sees that
    {"operation": "read", "error": "..."}      it went wrong
    {"operation": "subscribe", "ready": true}  before its result: now the document may be edited

Only the standard library is imported here, since not all drivers have the same packages.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any


class Absent(Exception):
    """The client cannot do it."""


def run(main: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
    """Run a driver.

    Args:
        main: Takes the plan, connects, and performs what there is to do.
    """

    async def whole() -> None:
        await main(json.load(sys.stdin))

    asyncio.run(whole())


def tell(operation: str, **said: Any) -> None:
    """Print a line."""
    print(json.dumps({"operation": operation, **said}), flush=True)


def tell_absent(plan: dict[str, Any], reason: str) -> None:
    """Say of all operations that the client cannot do them."""
    for operation in plan["operations"]:
        tell(operation, absent=reason)


async def perform(driver: object, plan: dict[str, Any]) -> None:
    """Do all operations; when one goes wrong, the others are done all the same.

    Args:
        driver: Has a method for each.
        plan: Says which, and how long each may take.
    """
    for operation in plan["operations"]:
        try:
            async with asyncio.timeout(plan["deadline_s"]):
                tell(operation, seen=await getattr(driver, operation)())
        except Absent as absent:
            tell(operation, absent=str(absent))
        except Exception as error:  # noqa: BLE001 - whatever it is, the line says it
            tell(operation, error=f"{type(error).__name__}: {error}")
