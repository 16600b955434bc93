import subprocess
import sys

import pytest

PROBE = "import sys; import {module}; sys.exit('granian' in sys.modules)"


@pytest.mark.parametrize(
    "module", ["choirbook.cli.commands", "choirbook.servers.granian.server", "choirbook.cli.serve"]
)
def test_a_command_line_that_serves_nothing_does_without_granian(module: str) -> None:
    subprocess.run([sys.executable, "-c", PROBE.format(module=module)], check=True, timeout=60)
