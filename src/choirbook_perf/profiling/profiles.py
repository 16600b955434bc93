"""Result of `choirbook perf profile`."""

from __future__ import annotations

import msgspec

from choirbook_perf.profiling.stacks import FunctionShare
from choirbook_perf.results import Environment

FORMAT = 2
SLOWEST = 10


class Stage(msgspec.Struct, frozen=True):
    """One stage of a read, from `choirbook stages --json`."""

    stage: str
    path: str
    """`hit`, `miss` or `whole`."""
    us: float
    low_us: float
    high_us: float
    measures: str


class Counted(msgspec.Struct, frozen=True):
    """One function, from `choirbook stages --calls N --json`."""

    function: str
    calls: int
    calls_per_request: float
    own_us: float
    cumulative_us: float


class CountedDrive(msgspec.Struct, frozen=True):
    """Functions of one kind of request."""

    request: str
    requests: int
    functions: list[Counted]


class CpuUse(msgspec.Struct, frozen=True, kw_only=True):
    """CPU time of the server's processes during a recording, from `/proc`."""

    window_s: float
    """Length of the recording."""
    user_s: float
    system_s: float
    waited_s: float
    """Time in which threads of the server could run, but waited for a core."""

    @property
    def total_s(self) -> float:
        """User and system time."""
        return self.user_s + self.system_s


class LockShare(msgspec.Struct, frozen=True):
    """How long one process held the interpreter's lock."""

    process: str
    held: float
    """Share of the recording, from 0 to 1."""


class Sampling(msgspec.Struct, frozen=True, kw_only=True):
    """Result of py-spy: one recording, of which flame graph and table are made."""

    duration_s: float
    rate_hz: int
    all_threads: bool
    """Whether threads without the interpreter's lock were sampled too: native ones, and some that wait."""
    samples: int
    errors: int
    """Number of stacks that py-spy could not read."""
    fell_behind: bool
    """Whether py-spy could not keep up with the rate."""
    load: str
    """Load that kept the server busy, "" if the run generated none."""
    requests: int
    """Number of requests answered while the load lasted."""
    cpu: CpuUse
    cpu_us_per_request: float | None
    """CPU time of the server for one request of the load; None without a load."""
    explained: float
    """Share of the CPU time that samples with Python frames explain. They are taken by the clock, so it is
    their share of the time in which threads ran or waited for a core. Over 1 if others were sampled."""
    locks: list[LockShare]
    """Processes that held the interpreter's lock; empty if all threads were sampled."""
    slowest: list[FunctionShare]

    @property
    def residual(self) -> float:
        """Share of the CPU time that was not spent in Python frames: in the kernel and in native code."""
        return max(0.0, 1.0 - self.explained)


class Component(msgspec.Struct, frozen=True):
    """One component of a native profile, such as the kernel."""

    component: str
    own: float
    """Share of the samples, from 0 to 1."""


class Native(msgspec.Struct, frozen=True, kw_only=True):
    """Result of perf: one recording, of which flame graph and tables are made."""

    problem: str = ""
    """Reason why perf recorded nothing, and what to do; "" if it did."""
    note: str = ""
    """Parts that the samples lack, with the reason."""
    samples: int = 0
    has_kernel: bool = False
    requests: int = 0
    cpu: CpuUse | None = None
    explained: float = 0.0
    """CPU time of the samples, as a share of the server's CPU time."""
    components: list[Component] = []
    slowest: list[FunctionShare] = []


class Allocating(msgspec.Struct, frozen=True):
    """One function of a memory profile."""

    function: str
    peak_bytes: int
    """Bytes that it had allocated, itself, when the process had most."""
    allocated_bytes: int
    """Bytes that it allocated in all; most were freed again."""
    allocations: int


class ProcessMemory(msgspec.Struct, frozen=True, kw_only=True):
    """Allocations of one process."""

    process: str
    """`server`, or `worker 1` and so on for its children."""
    peak_bytes: int
    allocated_bytes: int
    allocations: int
    functions: list[Allocating]
    """Functions with the most bytes at the peak."""


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """Result of memray."""

    since: str
    """`start`, or `attach` if what had been allocated before is not included."""
    load: str
    requests: int
    processes: list[ProcessMemory]


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """One run of `choirbook perf profile`."""

    format: int = FORMAT
    kind: str = "profile"
    started: str
    """Start of the run, RFC 3339, UTC."""
    environment: Environment
    server: str = ""
    """Name and version of the profiled server, as far as it reports them."""
    sampling: Sampling | None = None
    native: Native | None = None
    """None unless asked for."""
    memory: Memory | None = None
    """None unless asked for."""
    stages: list[Stage] = []
    """Stages of a read; empty for a server that is no Choirbook."""
    document_bytes: int = 0
    """Size of the document that the stages were measured with."""
    calls: list[CountedDrive] = []
