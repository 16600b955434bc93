"""Type of the file system that a directory is on, from `/proc/self/mountinfo`."""

from __future__ import annotations

import os
import re
from pathlib import Path

MOUNTINFO = Path("/proc/self/mountinfo")

# A read on these may be a round trip to another machine. FUSE is a network file system more often than not
# (sshfs, s3fs, gcsfuse, rclone), and slow otherwise.
_REMOTE = re.compile(
    r"nfs4?|cifs|smb[23]?|smbfs|ncpfs|afs|ceph|glusterfs|lustre|gpfs|beegfs|orangefs|9p|virtiofs|davfs2?"
    r"|fuse(blk|\..+)?"
)
_ESCAPE = re.compile(r"\\([0-7]{3})")


def is_on_local_disk(directory: Path, mountinfo: Path = MOUNTINFO) -> bool:
    """Return whether a directory is on this machine, which is assumed if unknown.

    Args:
        directory: Any path.
        mountinfo: The table of mounts (proc_pid_mountinfo(5)).
    """
    try:
        table = mountinfo.read_text("utf-8", "surrogateescape")
    except OSError:
        return True
    kind = file_system_of(os.path.realpath(directory), table)
    return kind is None or _REMOTE.fullmatch(kind) is None


def file_system_of(path: str, table: str) -> str | None:
    """Return the type of a path's file system, or None if no mount contains it. Pure.

    Args:
        path: Absolute, without links.
        table: Lines of a mountinfo file. Of two mounts on one point, the later one hides the other.
    """
    found, longest = None, -1
    for line in table.splitlines():
        before, separator, after = line.partition(" - ")
        fields = before.split(" ")
        if not separator or len(fields) <= _POINT:
            continue
        point = _ESCAPE.sub(lambda match: chr(int(match[1], 8)), fields[_POINT])
        is_above = point in {"/", path} or path.startswith(f"{point}/")
        if is_above and len(point) >= longest:
            found, longest = after.split(" ", 1)[0], len(point)
    return found


_POINT = 4
"""Index of the field with the mount point."""
