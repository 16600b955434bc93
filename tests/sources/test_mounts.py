from pathlib import Path

import pytest

from choirbook.sources.filesystem import FilesystemSource
from choirbook.sources.mounts import file_system_of, is_on_local_disk

TABLE = """\
22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
40 22 0:37 / /srv rw,relatime - tmpfs tmpfs rw
41 40 0:38 / /srv/shared rw,relatime shared:5 - nfs4 server:/export rw,vers=4.2
42 40 0:39 / /srv/with\\040blank rw - fuse.sshfs host:/dir rw
43 22 0:40 / /mnt/a rw - xfs /dev/vdb rw
44 22 0:41 / /mnt/a rw - cifs //server/share rw
not a line of the table
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "ext4"),
        ("/etc", "ext4"),
        ("/srv", "tmpfs"),
        ("/srvother", "ext4"),
        ("/srv/shared", "nfs4"),
        ("/srv/shared/library", "nfs4"),
        ("/srv/sharedother", "tmpfs"),
        ("/srv/with blank/library", "fuse.sshfs"),
        ("/mnt/a/library", "cifs"),
    ],
)
def test_the_deepest_and_latest_mount_above_a_path_counts(path: str, kind: str) -> None:
    assert file_system_of(path, TABLE) == kind


def test_a_path_that_no_mount_holds_is_of_no_kind() -> None:
    assert file_system_of("/etc", "41 40 0:38 / /srv rw - nfs4 server:/export rw\n") is None


LOCAL = ("ext4", "overlay", "tmpfs", "btrfs", "fusectl")
REMOTE = ("nfs", "nfs4", "cifs", "smb3", "fuse", "fuse.s3fs", "ceph", "9p", "virtiofs", "davfs")


@pytest.mark.parametrize("kind", LOCAL + REMOTE)
def test_network_file_systems_are_not_local(tmp_path: Path, kind: str) -> None:
    mountinfo = tmp_path / "mountinfo"
    mountinfo.write_text(f"22 1 254:1 / / rw - {kind} somewhere rw\n")
    assert is_on_local_disk(tmp_path, mountinfo) is (kind in LOCAL)


def test_without_a_table_of_mounts_a_directory_is_taken_for_local(tmp_path: Path) -> None:
    assert is_on_local_disk(tmp_path, tmp_path / "none")


def test_a_source_can_be_told_what_it_is(tmp_path: Path) -> None:
    assert not FilesystemSource(tmp_path, max_document_bytes=1, is_near=False).is_near
