"""The clock of the control loop: absolute sleep to a fixed grid of times, which overruns do not shift.

Time stamps are those of `time.monotonic_ns`, which on Linux reads the same clock that the sleep waits on. A
step of the wall clock changes neither.
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
"""Largest time of polling before each grid point, as a fraction of the period."""

_CLOCK_MONOTONIC = 1
_TIMER_ABSTIME = 1
_NS_PER_S = 1_000_000_000

Sleeper = Callable[[int], None]


class _Timespec(ctypes.Structure):
    _fields_ = (("tv_sec", ctypes.c_long), ("tv_nsec", ctypes.c_long))


def sleep_by_duration(due_ns: int) -> None:
    """Sleeps until a time stamp [ns] with `time.sleep`, which never returns early."""
    remaining_ns = due_ns - time.monotonic_ns()
    if remaining_ns > 0:
        time.sleep(remaining_ns / _NS_PER_S)


def absolute_sleeper() -> Sleeper:
    """Returns a function that sleeps until a time stamp of `time.monotonic_ns`.

    The function calls clock_nanosleep with an absolute time, so that a delay between reading the clock and
    sleeping does not add to the period. If the C library has no clock_nanosleep, it uses `time.sleep`.
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
        # A signal interrupts the sleep: its Python handler runs here, then the sleep continues.
        while (status := nanosleep(_CLOCK_MONOTONIC, _TIMER_ABSTIME, address, None)) == errno.EINTR:
            pass
        if status:
            sleep_by_duration(due_ns)

    return sleep_until


class GridClock:
    """Wakes up once per period, on a fixed grid of times.

    A tick that overruns neither shifts the grid nor is repeated: the grid points that have passed are skipped
    and counted, and the next wake-up is at the first grid point in the future. The clock therefore always
    sleeps, and a loop at FIFO priority that is too slow still leaves the core to other tasks in each period.

    Args:
        period_ns: distance between grid points [ns].
        spin_us: time before each grid point at which the clock wakes up and polls instead of sleeping [us];
            it reduces jitter and keeps the core busy. At most a tenth of the period is used: the kernel stops
            a FIFO task that never sleeps for 50 ms in each second.
        now: function that returns the current time stamp [ns].
        sleep_until: function that sleeps until a time stamp of that clock [ns].

    Attributes:
        due_ns: grid point of the current tick [ns].
        woken_ns: time of the wake-up of the current tick [ns].
        dt_ns: measured time since the previous wake-up [ns].
        missed: number of grid points skipped right before this tick.
        missed_total: number of grid points skipped since `start`.
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
        """Defines the grid of times; the first `wait` wakes up at the next grid point.

        Args:
            phase_ns: offset of the grid from whole periods of the clock [ns]; None to start the grid now.
        """
        now_ns = self.now()
        self.due_ns = now_ns if phase_ns is None else now_ns - (now_ns - phase_ns) % self.period_ns
        self.woken_ns = now_ns
        self.dt_ns = self.missed = self.missed_total = 0

    def wait(self) -> int:
        """Sleeps until the next grid point in the future. Hot path.

        Returns:
            The time stamp of the wake-up [ns].
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
    """Returns the time since this process started, including that of the interpreter and of imports [s]."""
    # The command name in parentheses may contain spaces; the start time is the 20th field after it.
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")
