"""Run Python where the kernel forbids `openat2`, as in an old container sandbox.

A seccomp filter cannot be taken off again, so it is put on in a process of its own.
"""

import subprocess
import sys

_FORBID = """
import ctypes, errno, struct
libc = ctypes.CDLL(None, use_errno=True)
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, ERRNO, OPENAT2 = 0x7FFF0000, 0x00050000, 437
forbid, allow = (RETURN, 0, 0, ERRNO | errno.{error}), (RETURN, 0, 0, ALLOW)
steps = [(LOAD, 0, 0, 0), (EQUAL, 0, 1, OPENAT2), forbid, allow]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
class Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_void_p))
program = Program(len(steps), ctypes.addressof(code))
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(program), 0, 0) == 0
"""


def run_without_openat2(script: str, *arguments: str, error: str) -> str:
    """Run a script in which `openat2` fails with `EPERM` or `ENOSYS`, and return what it prints."""
    command = [sys.executable, "-c", _FORBID.replace("{error}", error) + script, *arguments]
    found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert found.returncode == 0, found.stderr
    return found.stdout


_DENY_FILTERS = """
import ctypes, errno, os, platform, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
SETSOCKOPT = {"x86_64": 54, "aarch64": 208}[platform.machine()]
NUMBER, LEVEL, OPTION = 0, 24, 32  # offsets in struct seccomp_data
SOL_SOCKET, SO_ATTACH_FILTER = 1, 26
steps = [
    (LOAD, 0, 0, NUMBER), (EQUAL, 0, 5, SETSOCKOPT),
    (LOAD, 0, 0, LEVEL), (EQUAL, 0, 3, SOL_SOCKET),
    (LOAD, 0, 0, OPTION), (EQUAL, 0, 1, SO_ATTACH_FILTER),
    (RETURN, 0, 0, ERRNO | errno.EPERM), (RETURN, 0, 0, ALLOW),
]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
class Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_void_p))
program = Program(len(steps), ctypes.addressof(code))
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(program), 0, 0) == 0
os.execvp(sys.argv[1], sys.argv[1:])
"""

WITHOUT_FILTERS = (sys.executable, "-c", _DENY_FILTERS)
"""Runs a command that may attach no filter to a socket, as some kernels have it for ordinary users."""
