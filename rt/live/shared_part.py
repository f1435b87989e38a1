"""A part of a shared memory that one process writes and another one reads, without locks.

The writer writes the content, then a checksum, then a number. The reader takes content whose checksum is
right, and otherwise tries again later.
"""

from __future__ import annotations

import mmap
import zlib

import numpy as np
from numpy.typing import NDArray


class SharedPart:
    """A part of a shared memory that only one side writes.

    Args:
        memory: the shared memory.
        at: offset of the part [bytes].
        size: size of its content [bytes].

    Attributes:
        body: (size,) bytes of the content.
    """

    HEAD_BYTES = 16

    def __init__(self, memory: mmap.mmap, at: int, size: int) -> None:
        head: NDArray[np.int64] = np.frombuffer(memory, np.int64, 2, at)
        self._head = head
        self.body: NDArray[np.uint8] = np.frombuffer(memory, np.uint8, size, at + self.HEAD_BYTES)

    @property
    def number(self) -> int:
        """Number of the newest complete content; 0 before the first."""
        return int(self._head[0])

    def publish(self, number: int) -> None:
        """Declares the content complete and gives it a number."""
        self._head[1] = zlib.crc32(self.body.data)
        self._head[0] = number

    def take(self) -> bytes | None:
        """Returns a copy of the content; None while it is being written."""
        content = self.body.tobytes()
        return content if zlib.crc32(content) == self._head[1] else None
