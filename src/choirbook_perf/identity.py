"""Identity of a machine, for "were these two runs made on the same one?"; contains no name and no path.

Two machines of one model differ in speed, and so does one machine whose quota of processor time was changed.
"""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Mapping
from pathlib import Path

_SALT = "choirbook perf"
"""The id of a machine is confidential (machine-id(5)), so only a digest of it with a salt leaves this
module."""

_DMI = ("sys_vendor", "product_name", "board_name")
_DMI_ROOT = Path("/sys/class/dmi/id")
_CPU_ROOT = Path("/sys/devices/system/cpu")
_CGROUP_ROOT = Path("/sys/fs/cgroup")


def parts() -> dict[str, str]:
    """Return all that tells this machine from another one; "" for what the system does not say."""
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "machine id": hashlib.sha256(f"{_SALT}|{_text(Path('/etc/machine-id'))}".encode()).hexdigest(),
        "product": " ".join(filter(None, (_text(_DMI_ROOT / name) for name in _DMI))),
        "hypervisor": _text(Path("/sys/hypervisor/type")),
        "CPU": cpu_model(),
        "cores": str(os.cpu_count() or 1),
        # Differs by a few pages between boots of one machine.
        "memory": f"{round(memory_bytes / 2**30)} GiB",
        "caches": " ".join(_text(each) for each in sorted(_CPU_ROOT.glob("cpu0/cache/index*/size"))),
        "fastest clock": _text(_CPU_ROOT / "cpu0/cpufreq/cpuinfo_max_freq"),
        "governor": _text(_CPU_ROOT / "cpu0/cpufreq/scaling_governor"),
        "SMT": _text(_CPU_ROOT / "smt/active"),
        "CPU quota": _quota(),
    }


def digest(machine: Mapping[str, str]) -> str:
    """Return a short digest of the parts, equal for runs that may be compared."""
    seed = "|".join(f"{name}={value}" for name, value in sorted(machine.items()))
    return hashlib.sha256(seed.encode()).hexdigest()[:12]


def cpu_model() -> str:
    """Return the model of the CPU."""
    lines = _text(Path("/proc/cpuinfo")).splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor()


def _quota() -> str:
    """Return the limit of this process's control group, such as `200000 100000`."""
    groups = [line.removeprefix("0::") for line in _text(Path("/proc/self/cgroup")).splitlines()]
    return next(
        (_text(_CGROUP_ROOT / f".{group}" / "cpu.max") for group in groups if group.startswith("/")), ""
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
