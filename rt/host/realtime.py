"""Requests real-time conditions from the host for the control loop, and reverts them after the run."""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kilohertz.rt.host import huge_pages
from kilohertz.rt.host.threads import math_thread_limit

DEFAULT_PRIORITY = 80
LIMITS_REMEDY = (
    "put '@realtime - rtprio 95' and '@realtime - memlock unlimited' into "
    "/etc/security/limits.d/99-realtime.conf, join the group realtime and log in again"
)
DMA_LATENCY_REMEDY = (
    'put \'KERNEL=="cpu_dma_latency", MODE="0660", GROUP="realtime"\' into '
    "/etc/udev/rules.d/99-realtime.rules and join the group realtime"
)

_HEAP_RESERVE_BYTES = 32 << 20
_MCL_CURRENT, _MCL_FUTURE = 1, 2
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
_MALLOC_FOR_TICKS = {_M_TRIM_THRESHOLD: -1, _M_MMAP_MAX: 0}
_MALLOC_DEFAULTS = {_M_TRIM_THRESHOLD: 128 * 1024, _M_MMAP_MAX: 65536}
_CAP_IPC_LOCK = 14

Undo = Callable[[], object]


@dataclass(frozen=True)
class Measure:
    """One request to the host and its result.

    Attributes:
        name: the request.
        granted: whether the host granted it.
        detail: what was granted, or the reason for the refusal.
        remedy: what the user can change after a refusal.
    """

    name: str
    granted: bool
    detail: str
    remedy: str = ""

    @property
    def banner(self) -> str:
        """Returns one line for a refused request: its name, the reason and the remedy."""
        return f"not granted: {self.name} ({self.detail}); {self.remedy}"


@dataclass(frozen=True)
class HostState:
    """The requests to the host and their results.

    Attributes:
        core: number of the core that was requested for the loop.
        measures: all requests, in the order in which they were made.
    """

    core: int
    measures: tuple[Measure, ...]

    @property
    def refused(self) -> tuple[Measure, ...]:
        """The requests that were refused."""
        return tuple(measure for measure in self.measures if not measure.granted)

    @property
    def banners(self) -> list[str]:
        """One line for each refused request."""
        return [measure.banner for measure in self.refused]

    def granted(self, name: str) -> bool:
        """Returns whether the request of this name was made and granted."""
        return any(measure.name == name and measure.granted for measure in self.measures)


class Kernel(Protocol):
    """System calls that change how the host runs this process; each raises OSError if it is refused."""

    def set_malloc(self, options: Mapping[int, int]) -> None:
        """Sets options of the C library's allocator."""

    def gather_memory(self) -> int:
        """Moves the memory of the process into huge pages; returns how much is there [bytes]."""

    def lock_memory(self) -> None:
        """Keeps all present and future memory of the process resident."""

    def unlock_memory(self) -> None:
        """Reverts `lock_memory`."""

    def hold_awake(self) -> Undo:
        """Keeps the processors out of idle states with a long wake-up latency; returns the undo call."""

    def affinity(self) -> set[int]:
        """Returns the cores that this thread may run on."""

    def set_affinity(self, cores: set[int]) -> None:
        """Binds this thread to cores."""

    def scheduler(self) -> tuple[int, int]:
        """Returns scheduling policy and priority of this thread."""

    def set_scheduler(self, policy: int, priority: int) -> None:
        """Sets scheduling policy and priority of this thread."""


class LinuxKernel:
    """Implements `Kernel` with Linux system calls."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)

    def set_malloc(self, options: Mapping[int, int]) -> None:
        """Calls mallopt for each option."""
        try:
            mallopt = self._libc.mallopt
        except AttributeError as error:
            raise OSError("this C library has no mallopt") from error
        if not all(mallopt(option, value) for option, value in options.items()):
            raise OSError("mallopt refused")

    def gather_memory(self) -> int:
        """Calls `kilohertz.rt.host.huge_pages.gather`."""
        return huge_pages.gather()

    def lock_memory(self) -> None:
        """Calls mlockall, unless RLIMIT_MEMLOCK would let this call pass and a later allocation fail."""
        limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
        if limit != resource.RLIM_INFINITY and not _has_capability(_CAP_IPC_LOCK):
            raise PermissionError(f"at most {limit // 1024} kB may be locked")
        if self._libc.mlockall(_MCL_CURRENT | _MCL_FUTURE):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    def unlock_memory(self) -> None:
        """Calls munlockall."""
        self._libc.munlockall()

    def hold_awake(self) -> Undo:
        """Requests a wake-up latency of 0 us; the request holds as long as the file is open."""
        file = os.open("/dev/cpu_dma_latency", os.O_WRONLY)
        os.write(file, struct.pack("i", 0))
        return lambda: os.close(file)

    def affinity(self) -> set[int]:
        """Calls sched_getaffinity."""
        return os.sched_getaffinity(0)

    def set_affinity(self, cores: set[int]) -> None:
        """Calls sched_setaffinity."""
        os.sched_setaffinity(0, cores)

    def scheduler(self) -> tuple[int, int]:
        """Calls sched_getscheduler and sched_getparam."""
        return os.sched_getscheduler(0), os.sched_getparam(0).sched_priority

    def set_scheduler(self, policy: int, priority: int) -> None:
        """Calls sched_setscheduler."""
        os.sched_setscheduler(0, policy, os.sched_param(priority))


def _has_capability(number: int) -> bool:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> number & 1)
    return False


def parse_cpu_list(text: str) -> set[int]:
    """Returns the cores of a kernel list such as `0,2-3`; empty for no list, `(null)` or invalid text."""
    cores: set[int] = set()
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        if first.isdigit() and (not last or last.isdigit()):
            cores.update(range(int(first), int(last or first) + 1))
    return cores


def choose_core(isolated: set[int], allowed: set[int]) -> int:
    """Returns the core for the loop: the first isolated one, else the last allowed one, to avoid core 0."""
    return min(isolated) if isolated else max(allowed)


def default_core() -> int:
    """Returns the core that `choose_core` selects on this host."""
    try:
        isolated = parse_cpu_list(Path("/sys/devices/system/cpu/isolated").read_text())
    except OSError:
        isolated = set()
    return choose_core(isolated, os.sched_getaffinity(0))


@contextmanager
def prepare_realtime(
    core: int | None = None,
    priority: int = DEFAULT_PRIORITY,
    *,
    paced: bool = True,
    kernel: Kernel | None = None,
) -> Iterator[HostState]:
    """Gives the calling thread all real-time conditions that the host grants, and reverts them on exit.

    Call it after all imports and allocations. A refused request is not an error: it is listed in the result.

    Args:
        core: core to run on; None for `default_core`.
        priority: FIFO priority; interrupt threads have 50, so use a higher one.
        paced: whether the loop sleeps in each period. A loop that never sleeps (lockstep) keeps its ordinary
            priority, memory and core: at FIFO priority it would block everything else on its core.
        kernel: system calls; tests pass other ones.

    Yields:
        The requests, granted and refused.
    """
    kernel = kernel if kernel is not None else LinuxKernel()
    core = core if core is not None else default_core()
    with ExitStack() as stack:
        measures = [_one_math_thread(stack)]
        if paced:
            gathered = kernel.gather_memory() >> 20
            measures.append(
                Measure("memory in huge pages", True, f"{gathered} MB" if gathered else "not supported here")
            )
            for name, ask, remedy in (
                ("heap trimming disabled", _keep_heap, "use a Python built on the GNU C library"),
                ("locked memory", _lock_memory, LIMITS_REMEDY),
                ("core idle states disabled", _hold_awake, DMA_LATENCY_REMEDY),
                (f"core affinity {core}", _bind, "choose a core that exists and that the cpuset allows"),
                (f"FIFO priority {priority}", _raise_priority, LIMITS_REMEDY),
            ):
                measures.append(_try(name, remedy, ask, kernel, core, priority, stack))
        measures.append(_quiet_collector(stack))
        yield HostState(core, tuple(measures))


_Ask = Callable[[Kernel, int, int], Undo]


def _try(
    name: str, remedy: str, ask: _Ask, kernel: Kernel, core: int, priority: int, stack: ExitStack
) -> Measure:
    try:
        stack.callback(ask(kernel, core, priority))
    except OSError as error:
        return Measure(name, False, error.strerror or str(error), remedy)
    return Measure(name, True, "granted")


def _one_math_thread(stack: ExitStack) -> Measure:
    """A worker of BLAS is not real-time, and the tick would wait for it."""
    stack.enter_context(math_thread_limit()())
    return Measure("single-threaded BLAS", True, "granted")


def _keep_heap(kernel: Kernel, core: int, priority: int) -> Undo:
    """Keeps freed memory in the process, so that reusing it is no page fault; touches a reserve now."""
    kernel.set_malloc(_MALLOC_FOR_TICKS)
    bytearray(_HEAP_RESERVE_BYTES)
    return lambda: kernel.set_malloc(_MALLOC_DEFAULTS)


def _lock_memory(kernel: Kernel, core: int, priority: int) -> Undo:
    kernel.lock_memory()
    return kernel.unlock_memory


def _hold_awake(kernel: Kernel, core: int, priority: int) -> Undo:
    return kernel.hold_awake()


def _bind(kernel: Kernel, core: int, priority: int) -> Undo:
    before = kernel.affinity()
    kernel.set_affinity({core})
    return lambda: kernel.set_affinity(before)


def _raise_priority(kernel: Kernel, core: int, priority: int) -> Undo:
    policy, previous_priority = kernel.scheduler()
    kernel.set_scheduler(os.SCHED_FIFO, priority)
    return lambda: kernel.set_scheduler(policy, previous_priority)


def _quiet_collector(stack: ExitStack) -> Measure:
    """Freezes all objects and disables the collector: a full collection of all imports takes 10 ms."""
    was_enabled = gc.isenabled()
    gc.collect()
    gc.freeze()
    gc.disable()
    stack.callback(gc.unfreeze)
    if was_enabled:
        stack.callback(gc.enable)
    return Measure("garbage collector disabled", True, f"{gc.get_freeze_count()} objects frozen")
