import json
import subprocess
from pathlib import Path

import pytest

from tests.support.servers import DEADLINE_S, choirbook, environment, message, post, rsgi_command, running


@pytest.mark.parametrize(("switch", "has_tools"), [("on", True), ("off", False)])
def test_tools_are_switched_over_stdio(library: Path, switch: str, has_tools: bool) -> None:  # noqa: FBT001
    done = subprocess.run(
        choirbook("stdio", library, "--tools", switch),
        env=environment(),
        input=json.dumps(message("handshake", "tools/list")) + "\n",
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=True,
    )
    assert ("result" in json.loads(done.stdout)) is has_tools


def test_tools_are_switched_off_over_http(library: Path, tmp_path: Path) -> None:
    with (
        running(rsgi_command(library, "--tools", "off"), tmp_path / "run") as server,
        server.client() as client,
    ):
        assert post(client, "modern", "tools/list").json()["error"]["code"] == -32601


def test_another_word_is_refused(library: Path) -> None:
    done = subprocess.run(
        choirbook("serve", library, "--tools", "maybe"),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 2
    assert "maybe" in done.stderr
