"""Entry point of `python -m choirbook`."""

import os
import sys

# Python puts the working directory first on the path. An agent may have an untrusted repository there,
# whose `typer.py` would be imported instead of the installed one. The command `choirbook` does not have
# this problem.
if not sys.flags.safe_path and sys.path[:1] == [os.getcwd()]:  # noqa: PTH109 - pathlib is not loaded yet
    package = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - as above
    if os.path.dirname(package) != sys.path[0]:  # noqa: PTH120 - as above
        del sys.path[0]

from choirbook.cli import main

main()
