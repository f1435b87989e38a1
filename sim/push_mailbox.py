"""Passes pushes on a simulated robot from other programs of this user to the simulation, in shared memory.

The memory has no name: other programs open it among the files of the simulating process, of which the kernel
lets only this user's programs do so. It ends with the last process that has it open. A push is complete
before it is counted, and the simulation counts for itself what it has taken: it never waits, and never calls
the kernel.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.sim.scenario import TRUNK, link_names

SLOTS = 64
_HEAD_CELLS, _SLOT_CELLS = 512, 16
_BYTES = 8 * (_HEAD_CELLS + SLOTS * _SLOT_CELLS)
_ADDRESS = re.compile(r"/proc/\d+/fd/\d+")
MOST = 1e5
"""Largest component of an impulse or of a wrench [Ns, N, Nm]."""
LONGEST_S = 10.0


class Shove(NamedTuple):
    """A push or a pull.

    Attributes:
        link: index in `pushable`.
        duration_s: duration of a push [s]; 0 for a pull, which is held until the next one, but not for long.
        values: (6,) impulse of a push [Ns], then zeros; or force [N] and moment [Nm] of a pull; world axes.
    """

    link: int
    duration_s: float
    values: NDArray[np.float64]


def pushable(robot: RobotModel) -> tuple[str, ...]:
    """Returns the names of all that can be pushed: links, `trunk`, and hands."""
    return (*link_names(robot), TRUNK, *robot.hand_names)


class PushMailbox:
    """The simulation's end of the memory; made before the first tick.

    Attributes:
        address: path by which other programs of this user open it while this process lives.
    """

    def __init__(self) -> None:
        fd = os.memfd_create("kilohertz-pushes")
        os.ftruncate(fd, _BYTES)
        self.address = f"/proc/{os.getpid()}/fd/{fd}"
        self._fd = fd
        self._memory = mmap.mmap(fd, 0)
        cells: NDArray[np.float64] = np.frombuffer(self._memory, np.float64)
        # Touch every page here, so that the simulation causes no page fault.
        cells[:] = 0.0
        self._slots = cells[_HEAD_CELLS:].reshape(SLOTS, _SLOT_CELLS)
        self._counts = memoryview(self._memory).cast("q")
        self._taken = 0

    @property
    def waiting(self) -> bool:
        """Whether there is something to take."""
        return self._counts[0] != self._taken

    def take(self) -> Iterator[Shove]:
        """Yields what has come since the last call; what makes no sense is left out."""
        count = self._counts[0]
        first = max(self._taken, count - SLOTS)
        self._taken = count
        for number in range(first, count):
            slot = self._slots[number % SLOTS].copy()
            if not np.isfinite(slot).all() or np.abs(slot[2:8]).max() > MOST:
                continue
            link, duration_s = slot[0], slot[1]
            if 0 <= link < SLOTS * _SLOT_CELLS and 0.0 <= duration_s <= LONGEST_S:
                yield Shove(int(link), float(duration_s), slot[2:8])

    def close(self) -> None:
        """Takes the address away; programs that have the memory open are not disturbed."""
        os.close(self._fd)


class PushSender:
    """Another program's end of the memory.

    Args:
        address: address of the mailbox.

    Raises:
        ConfigError: there is no simulation that takes pushes.
    """

    def __init__(self, address: str) -> None:
        problem = ConfigError("the simulation has ended, or takes no pushes")
        if not _ADDRESS.fullmatch(address):
            raise problem
        try:
            self._fd = os.open(address, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            raise problem from None
        if os.fstat(self._fd).st_size != _BYTES:
            os.close(self._fd)
            raise problem
        self._memory = mmap.mmap(self._fd, 0)
        cells: NDArray[np.float64] = np.frombuffer(self._memory, np.float64)
        self._slots = cells[_HEAD_CELLS:].reshape(SLOTS, _SLOT_CELLS)
        self._counts = memoryview(self._memory).cast("q")

    def push(self, link: int, impulse_Ns: Sequence[float], duration_s: float) -> None:
        """Pushes a link at its centre of mass.

        Args:
            link: index of the link in `pushable`.
            impulse_Ns: (3,) impulse in world axes [Ns].
            duration_s: duration of the push, above 0 [s].
        """
        self._put(link, duration_s, [*impulse_Ns, 0.0, 0.0, 0.0])

    def pull(self, link: int, wrench: Sequence[float]) -> None:
        """Holds a wrench on a link until the next call for it, but for 0.1 s at most.

        Args:
            link: index of the link in `pushable`.
            wrench: (6,) force [N] and moment [Nm] at the centre of mass, in world axes.
        """
        self._put(link, 0.0, wrench)

    def _put(self, link: int, duration_s: float, values: Sequence[float]) -> None:
        # Several programs may push; the simulation itself takes no lock.
        fcntl.flock(self._fd, fcntl.LOCK_EX)
        try:
            count = self._counts[0]
            self._slots[count % SLOTS, :8] = [link, duration_s, *values]
            self._counts[0] = count + 1
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        """Ends the connection."""
        os.close(self._fd)
