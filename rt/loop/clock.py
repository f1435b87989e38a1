"""The period: absolute sleep on the monotonic clock, on a grid that no overrun moves.

Stamps are `time.monotonic_ns`, which on Linux reads the very clock that the sleep waits on; a step of the
wall clock moves neither.
"""

from __future__ import annotations

import ctypes
import errno
import os
import time
from collections.abc import Callable
from pathlib import Path

from kilohertz.robots.model.period import PERIOD_NS

LARGEST_SPIN_FRACTION = 0.1

_CLOCK_MONOTONIC = 1
_TIMER_ABSTIME = 1
_NS_PER_S = 1_000_000_000

Sleeper = Callable[[int], None]


class _Timespec(ctypes.Structure):
    _fields_ = (("tv_sec", ctypes.c_long), ("tv_nsec", ctypes.c_long))


def sleep_by_duration(due_ns: int) -> None:
    """Sleeps until the stamp with `time.sleep`, which lasts no shorter than it is told."""
    remaining_ns = due_ns - time.monotonic_ns()
    if remaining_ns > 0:
        time.sleep(remaining_ns / _NS_PER_S)


def absolute_sleeper() -> Sleeper:
    """A function that sleeps until a stamp of `time.monotonic_ns`.

    It calls clock_nanosleep with an absolute time, so that what happens between reading the clock and
    going to sleep does not add to the period; where the C library has none it is `time.sleep`.
    """
    try:
        nanosleep = ctypes.CDLL(None).clock_nanosleep
    except (AttributeError, OSError, TypeError):
        return sleep_by_duration
    nanosleep.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.POINTER(_Timespec), ctypes.c_void_p)
    nanosleep.restype = ctypes.c_int
    due = _Timespec()
    address = ctypes.pointer(due)

    def sleep_until(due_ns: int) -> None:
        due.tv_sec, due.tv_nsec = divmod(due_ns, _NS_PER_S)
        # A signal interrupts the sleep; its Python handler runs here, and the sleep goes on.
        while (status := nanosleep(_CLOCK_MONOTONIC, _TIMER_ABSTIME, address, None)) == errno.EINTR:
            pass
        if status:
            sleep_by_duration(due_ns)

    return sleep_until


class GridClock:
    """Wakes once a period, on a fixed grid of times.

    A tick that overruns never shifts the grid and is never made up for: the grid points that have passed
    are skipped and counted, and the next wake is on the first one ahead. So the clock always sleeps, and
    a loop at FIFO priority that cannot keep up still leaves the core to others in each period.

    Args:
        period_ns: distance of the grid points [ns].
        spin_us: how long before each grid point to wake and poll the clock instead of sleeping [us]; less
            jitter for a busy core. At most a tenth of the period: a FIFO task that never sleeps is
            stopped by the kernel for 50 ms each second.
        now: the clock, stamps in ns.
        sleep_until: sleeps until a stamp of that clock.

    Attributes:
        due_ns: the grid point of the current tick [ns].
        woken_ns: when it really woke [ns].
        dt_ns: time since the previous wake, as it was [ns].
        missed: grid points skipped right before this tick.
        missed_total: all that were skipped since `start`.
    """

    def __init__(
        self,
        period_ns: int = PERIOD_NS,
        *,
        spin_us: float = 0.0,
        now: Callable[[], int] = time.monotonic_ns,
        sleep_until: Sleeper | None = None,
    ) -> None:
        if period_ns <= 0:
            raise ValueError(f"the period must be positive, not {period_ns} ns")
        if spin_us < 0.0:
            raise ValueError(f"the time to spin must not be negative, not {spin_us} us")
        self.period_ns = period_ns
        self.spin_ns = min(int(spin_us * 1000.0), int(LARGEST_SPIN_FRACTION * period_ns))
        self.now = now
        self._sleep_until = sleep_until if sleep_until is not None else absolute_sleeper()
        self.due_ns = 0
        self.woken_ns = 0
        self.dt_ns = 0
        self.missed = 0
        self.missed_total = 0

    def start(self, phase_ns: int | None = None) -> None:
        """Lays the grid: the first `wait` wakes on the next grid point.

        Args:
            phase_ns: distance of the grid from whole periods of the clock [ns]; None for one from now.
        """
        now_ns = self.now()
        self.due_ns = now_ns if phase_ns is None else now_ns - (now_ns - phase_ns) % self.period_ns
        self.woken_ns = now_ns
        self.dt_ns = self.missed = self.missed_total = 0

    def wait(self) -> int:
        """Sleeps until the next grid point that is ahead. Hot path.

        Returns:
            The stamp of the wake-up [ns].
        """
        due_ns = self.due_ns + self.period_ns
        behind_ns = self.now() - due_ns
        if behind_ns >= 0:
            self.missed = behind_ns // self.period_ns + 1
            self.missed_total += self.missed
            due_ns += self.missed * self.period_ns
        else:
            self.missed = 0
        self._sleep_until(due_ns - self.spin_ns)
        woken_ns = self.now()
        while woken_ns < due_ns:
            woken_ns = self.now()
        self.dt_ns = woken_ns - self.woken_ns
        self.due_ns = due_ns
        self.woken_ns = woken_ns
        return woken_ns


def process_age_s() -> float:
    """How long ago this process started, its interpreter and imports included [s]."""
    # The command's name, in parentheses, may hold spaces; the start is the 20th field after it.
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")
