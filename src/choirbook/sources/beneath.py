"""Safe opening of paths beneath a directory: nothing outside can be reached, whatever changes meanwhile.

Linux 5.6 has `openat2(2)`, which does it in one call: a check by name before the open has a race with anyone
who swaps a link between the two. If the call is missing or forbidden (old kernels, some sandboxes), the
components are opened one descriptor at a time without following any link.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from pathlib import Path

_SYS_OPENAT2 = 437
_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_NO_SYMLINKS = 0x04
_RESOLVE_BENEATH = 0x08
# O_NONBLOCK so that a FIFO cannot block the open, O_NOCTTY so that a terminal cannot become ours.
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_RETRIES = 3

_NOT_FOUND = frozenset(
    {errno.EXDEV, errno.ELOOP, errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EINVAL}
)


_CLOSED = -1


_libc = ctypes.CDLL(None, use_errno=True)
"""Loaded once: each further one is a class of its own, which only the garbage collector removes."""


def _open_root(path: str) -> int:
    return os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


class Directory:
    """A root directory that is held open.

    Args:
        path: Path of the directory.
        follow_links: Follow symbolic links that stay beneath the root (Kubernetes mounts need it).
        use_openat2: False opens components one by one instead; None detects support.

    Raises:
        OSError: The directory cannot be opened.
    """

    _descriptor = _CLOSED

    def __init__(self, path: str, *, follow_links: bool = False, use_openat2: bool | None = None) -> None:
        self._path = path
        self._follow_links = follow_links
        self._descriptor = _open_root(path)
        self._use_openat2 = self._has_openat2() if use_openat2 is None else use_openat2

    def open(self, path: str) -> int:
        """Open a file or directory for reading.

        Args:
            path: Relative, with `/`; "" is the root itself.

        Returns:
            A descriptor, which the caller closes.

        Raises:
            FileNotFoundError: There is no such file beneath the root, or only outside of it.
            OSError: It exists and cannot be opened.
        """
        if self._descriptor == _CLOSED:
            self._descriptor = _open_root(self._path)
        try:
            return self._openat2(path) if self._use_openat2 else self._walk(path)
        except OSError as error:
            if error.errno in _NOT_FOUND:
                raise FileNotFoundError(errno.ENOENT, "no such document", path) from error
            raise

    def path_of(self, descriptor: int, path: str) -> str:
        """Return the path of an open file, relative to the root and without links.

        Args:
            descriptor: Descriptor that `open` returned.
            path: Path that was opened.
        """
        try:
            root, real = (os.readlink(f"/proc/self/fd/{each}") for each in (self._descriptor, descriptor))  # noqa: PTH115
        except OSError:
            # Without /proc the path is resolved again.
            root, real = os.path.realpath(self._path), os.path.realpath(f"{self._path}/{path}")
        return "" if real == root else real.removeprefix(root.rstrip("/") + "/")

    def reopen_if_swapped(self) -> bool:
        """Open the root again if its path leads to another directory now.

        Returns:
            Whether it did.

        Raises:
            OSError: The path does not exist.
        """
        if self._descriptor == _CLOSED:
            return False
        there, held = Path(self._path).stat(), os.fstat(self._descriptor)
        if (there.st_dev, there.st_ino) == (held.st_dev, held.st_ino):
            return False
        fresh = _open_root(self._path)
        # dup2 swaps in one step: a read on another thread sees the old root or the new one, never none.
        os.dup2(fresh, self._descriptor, inheritable=False)
        os.close(fresh)
        return True

    def close(self) -> None:
        """Close the root; the next `open` opens it again."""
        if self._descriptor != _CLOSED:
            os.close(self._descriptor)
            self._descriptor = _CLOSED

    def __del__(self) -> None:
        """Close the root with the last reference: an unclosed source must not leak a descriptor."""
        self.close()

    def _has_openat2(self) -> bool:
        try:
            os.close(self._openat2(""))
        except OSError as error:
            if error.errno in {errno.ENOSYS, errno.EPERM}:
                return False
        return True

    def _openat2(self, path: str) -> int:
        resolve = _RESOLVE_BENEATH | _RESOLVE_NO_MAGICLINKS
        if not self._follow_links:
            resolve |= _RESOLVE_NO_SYMLINKS
        how = _OpenHow(_FLAGS, 0, resolve)
        name = os.fsencode(path) or b"."
        for attempt in range(_RETRIES + 1):
            descriptor: int = _libc.syscall(
                _SYS_OPENAT2, self._descriptor, name, ctypes.byref(how), ctypes.sizeof(how)
            )
            if descriptor >= 0:
                return descriptor
            number = ctypes.get_errno()
            # EAGAIN: a rename somewhere in the tree raced with the check of "..".
            if number != errno.EAGAIN or attempt == _RETRIES:
                raise OSError(number, os.strerror(number), path)
        raise AssertionError("unreachable")

    def _walk(self, path: str) -> int:
        parts = [part for part in path.split("/") if part]
        if any(part in {".", ".."} for part in parts):
            raise OSError(errno.EXDEV, "leaves the root", path)
        current = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._descriptor)
        try:
            for part in parts:
                below = os.open(part, _FLAGS | os.O_NOFOLLOW, dir_fd=current)
                os.close(current)
                current = below
        except OSError:
            os.close(current)
            raise
        return current


def is_regular(status: os.stat_result) -> bool:
    """Return whether a status belongs to a regular file."""
    return stat.S_ISREG(status.st_mode)
