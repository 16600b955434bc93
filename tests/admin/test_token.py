"""Permissions of the file with the admin token."""

from __future__ import annotations

from pathlib import Path

import pytest

from choirbook.admin.token import with_token
from choirbook.errors import InvalidSettings
from choirbook.settings import Settings
from tests.support.admin import TOKEN
from tests.support.cli import choirbook


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    return path


def settings(file: Path) -> Settings:
    return Settings(admin="unix:/x", admin_token_file=file)


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o440, 0o640, 0o660])
def test_a_token_file_may_be_open_to_its_owner_and_its_group(file: Path, mode: int) -> None:
    file.chmod(mode)
    assert with_token(settings(file)).admin_token == TOKEN


@pytest.mark.parametrize("mode", [0o644, 0o444, 0o604, 0o602, 0o666])
def test_a_token_file_that_others_can_open_is_refused(file: Path, mode: int) -> None:
    file.chmod(mode)
    with pytest.raises(InvalidSettings, match=f"mode {mode:04o}") as caught:
        with_token(settings(file))
    assert TOKEN not in caught.value.message
    assert "defaultMode: 0440" in caught.value.message


def test_the_mode_that_counts_is_of_the_file_that_a_link_leads_to(file: Path, tmp_path: Path) -> None:
    # As Kubernetes mounts a secret: a link to a link to the file.
    link = tmp_path / "link"
    link.symlink_to(file)
    file.chmod(0o440)
    assert with_token(settings(link)).admin_token == TOKEN
    file.chmod(0o444)
    with pytest.raises(InvalidSettings, match="every user of this machine"):
        with_token(settings(link))


@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("cache", "stats")], ids=["serve", "cache"])
def test_server_and_client_refuse_it_alike(file: Path, command: tuple[str, ...]) -> None:
    file.chmod(0o644)
    done = choirbook(*command, "--admin", "127.0.0.1:0", "--admin-token-file", file)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert f"chmod o= {file}" in done.stderr
