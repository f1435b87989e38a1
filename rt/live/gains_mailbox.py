"""Memory that a running loop and the watcher of its gains share: gains one way, what became of them back.

Either side writes its part, then its check sum, then its number; the other takes a part whose number is new
and whose check sum is right, and tries again in the next tick where it is not. Nobody waits for anybody.
"""

from __future__ import annotations

import mmap
import os
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kilohertz.controller.gains.live import GainsRow, live_paths
from kilohertz.controller.gains.tuning import Tuning
from kilohertz.robots.model.rows import Vector

_REASON_BYTES = 240


@dataclass(frozen=True)
class Answer:
    """What became of the newest gains.

    Attributes:
        generation: which were the newest.
        in_force: those in force, or on their way.
        state: as `Tuning.state`.
        reason: why they were rolled back or refused.
    """

    generation: int
    in_force: int
    state: int
    reason: str


class _Part:
    """A part of the memory that one side writes.

    Args:
        memory: all of it.
        at: where the part begins.
        size: of what it carries, in bytes.
    """

    def __init__(self, memory: mmap.mmap, at: int, size: int) -> None:
        head: NDArray[np.int64] = np.frombuffer(memory, np.int64, 2, at)
        self._head = head
        self.body: NDArray[np.uint8] = np.frombuffer(memory, np.uint8, size, at + 16)

    @property
    def number(self) -> int:
        """Of the newest content."""
        return int(self._head[0])

    def sign(self, number: int) -> None:
        """Declares that the body is complete."""
        self._head[1] = zlib.crc32(self.body.tobytes())
        self._head[0] = number

    def take(self) -> bytes | None:
        """A copy of the body; None while it is being written."""
        content = self.body.tobytes()
        return content if zlib.crc32(content) == self._head[1] else None


class GainsMailbox:
    """The memory, seen from either side.

    Args:
        fd: of memory that `GainsMailbox()` has made, in another process; None makes it.

    Attributes:
        fd: of the memory, for a child process; gone when nobody has it open any more.
    """

    def __init__(self, fd: int | None = None) -> None:
        n = len(live_paths())
        gains_bytes, answer_bytes = 8 * n, 24 + _REASON_BYTES
        size = 32 + gains_bytes + answer_bytes
        if fd is None:
            fd = os.memfd_create("kilohertz-gains")
            os.ftruncate(fd, size)
        self.fd = fd
        self._memory = mmap.mmap(fd, size)
        self._gains = _Part(self._memory, 0, gains_bytes)
        self._answer = _Part(self._memory, 16 + gains_bytes, answer_bytes)
        self._numbers = self._gains.body.view(np.float64)
        self._said = self._answer.body[:24].view(np.int64)
        self._reason = self._answer.body[24:]

    def post(self, generation: int, numbers: Vector) -> None:
        """Hands over new gains; generations rise from 1."""
        self._numbers[:] = numbers
        self._gains.sign(generation)

    def collect(self, row: GainsRow) -> None:
        """Puts gains that are new into the row; between two ticks, 0.3 us where there are none."""
        generation = self._gains.number
        if generation != row.generation:
            content = self._gains.take()
            if content is not None:
                row.numbers[:] = np.frombuffer(content)
                row.generation = generation

    def answer(self, tuning: Tuning) -> None:
        """Tells what became of them."""
        self._said[:] = tuning.generation, tuning.in_force, tuning.state
        text = tuning.reason.encode()[:_REASON_BYTES]
        self._reason[:] = 0
        self._reason[: len(text)] = np.frombuffer(text, np.uint8)
        self._answer.sign(self._answer.number + 1)

    def hear(self, known: int) -> tuple[int, Answer | None]:
        """The number of the newest answer, and the answer if that is not the known one."""
        number = self._answer.number
        content = self._answer.take() if number != known else None
        if content is None:
            return known, None
        generation, in_force, state = np.frombuffer(content[:24], np.int64).tolist()
        reason = content[24:].rstrip(b"\0").decode(errors="replace")
        return number, Answer(generation, in_force, state, reason)
