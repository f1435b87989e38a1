"""Passes rows from the tick to other processes through a ring buffer in shared memory, without locks.

The recorder takes every row and reports what it has stored; any number of passive readers look at the rows
without writing to the memory. The tick overwrites the oldest row. Each slot begins with the number of its
row, which is cleared before the row is written and set after it. A reader that finds an unexpected number was
overtaken by the writer, and counts the row as lost. The memory has no name: the kernel frees it when the last
process that has it open ends, for whatever reason, so nothing needs to be cleaned up.
"""

from __future__ import annotations

import mmap
import os
import time

import numpy as np
from numpy.typing import NDArray

Cells = NDArray[np.int64]

RING_ROWS = 4096
"""About 4 s of ticks at 1 kHz: the longest delay of the recorder without lost rows."""
_PUSHED, _SEEN, _LOST, _WRITTEN, _ENDED, _ERRNO = range(6)
_HEAD_CELLS = 512
_NO_ROW = -1
_LOOK_AGAIN_S = 0.001


class Ring:
    """A ring buffer of rows in shared memory; writer and reader each have an instance.

    Args:
        cells: length of a row, in cells of 8 bytes.
        fd: file descriptor of memory made by `Ring(cells)` in another process; None makes new memory.
        rows: number of rows that new memory holds.

    Attributes:
        fd: file descriptor of the memory, to be passed to a child process.
        rows: number of rows in the ring.
        row: (cells,) int64 row that `push` copies; fill it, or views of it, in place.
    """

    def __init__(self, cells: int, fd: int | None = None, rows: int = RING_ROWS) -> None:
        self._place = place = cells + 1
        made = fd is None
        if fd is None:
            fd = os.memfd_create("kilohertz-ring")
            os.ftruncate(fd, 8 * (_HEAD_CELLS + rows * place))
        self.fd = fd
        self._memory = mmap.mmap(fd, 0)
        self.rows = rows = (len(self._memory) // 8 - _HEAD_CELLS) // place
        everything: Cells = np.frombuffer(self._memory, np.int64)
        self._places = everything[_HEAD_CELLS:].reshape(rows, place)
        if made:
            # Touch every page here, so that the tick causes no page fault.
            self._places[:] = 0
            self._places[:, 0] = _NO_ROW
        # For single cells and short copies a memoryview is much faster than NumPy.
        self._cells = everything.data.cast("B").cast("q")
        self.row: Cells = np.zeros(cells, dtype=np.int64)
        self._row = self.row.data.cast("B").cast("q")
        self._patience_s = 2.0

    @property
    def pushed(self) -> int:
        """Number of rows that were pushed so far."""
        return self._cells[_PUSHED]

    @property
    def lost(self) -> int:
        """Number of rows that were overwritten before the reader took them."""
        return self._cells[_LOST]

    @property
    def behind(self) -> int:
        """Number of rows that the reader has not reached yet."""
        return self._cells[_PUSHED] - self._cells[_SEEN]

    @property
    def written(self) -> int:
        """Number of rows that the reader has stored, as set by `report`."""
        return self._cells[_WRITTEN]

    @property
    def errno(self) -> int:
        """Error number for which the reader stopped storing rows, as set by `report`; 0 if there is none."""
        return self._cells[_ERRNO]

    def report(self, written: int, errno: int) -> None:
        """Sets `written` and `errno`; only the reader calls this."""
        self._cells[_WRITTEN], self._cells[_ERRNO] = written, errno

    @property
    def ended(self) -> bool:
        """Whether the writer has called `end`, so that no more rows follow."""
        return bool(self._cells[_ENDED])

    def end(self) -> None:
        """Declares that no more rows follow; only the writer calls this."""
        self._cells[_ENDED] = 1

    def push(self) -> None:
        """Copies `row` into the ring; overwrites the oldest row if the ring is full. Hot path."""
        cells = self._cells
        number = cells[_PUSHED]
        at = _HEAD_CELLS + number % self.rows * self._place
        cells[at] = _NO_ROW
        cells[at + 1 : at + self._place] = self._row
        cells[at] = number
        cells[_PUSHED] = number + 1

    def wait_for_room(self) -> None:
        """Waits for the reader if the ring is nearly full; only for a writer without a deadline (lockstep).

        A reader that takes no row for 2 s in total is not waited for again.
        """
        while self.behind > self.rows - 2 and self._patience_s > 0.0:
            before = self._cells[_SEEN]
            time.sleep(_LOOK_AGAIN_S)
            if self._cells[_SEEN] == before:
                self._patience_s -= _LOOK_AGAIN_S

    def take(self, most: int, *, last: bool = False) -> tuple[Cells, Cells]:
        """Takes new rows out of the ring; only the one reader calls this.

        Args:
            most: largest number of rows to take.
            last: whether the writer has ended. While it may still write, its newest row is left for the next
                call: another core may see the row's number before its content.

        Returns:
            Numbers (n,) and rows (n, cells) of complete rows in order; missing numbers are lost rows.
        """
        cells = self._cells
        pushed, first = cells[_PUSHED], cells[_SEEN]
        end = min(pushed if last or self.ended else pushed - 1, first + most)
        # Skip rows that the writer may be overwriting already.
        first = max(first, min(end, pushed - self.rows + 1))
        numbers = np.arange(first, max(end, first))
        at = numbers % self.rows
        rows = self._places[at, 1:]
        whole = self._places[at, 0] == numbers
        numbers, rows = numbers[whole], rows[whole]
        cells[_LOST] += max(end, first) - cells[_SEEN] - len(numbers)
        cells[_SEEN] = max(end, first)
        return numbers, rows


class PassiveReader:
    """Looks at the rows of a ring buffer without writing to its memory, beside the recorder or without it.

    Args:
        cells: length of a row, in cells of 8 bytes.
        fd: file descriptor of the memory of a `Ring`.

    Attributes:
        dropped: number of rows that were overwritten before this reader has seen them.
    """

    def __init__(self, cells: int, fd: int) -> None:
        self._place = cells + 1
        # Read-only: whatever fails here, it cannot change a row or a count.
        self._memory = mmap.mmap(fd, 0, prot=mmap.PROT_READ)
        everything: Cells = np.frombuffer(self._memory, np.int64)
        self._head = everything[:_HEAD_CELLS]
        self._rows = (everything.size - _HEAD_CELLS) // self._place
        self._places = everything[_HEAD_CELLS:].reshape(self._rows, self._place)
        self._next = 0
        self.dropped = 0

    @property
    def ended(self) -> bool:
        """Whether no more rows follow."""
        return bool(self._head[_ENDED])

    def since(self, most: int = RING_ROWS) -> tuple[Cells, Cells]:
        """Returns copies of the rows that were pushed since the last call; the newest ones if there are many.

        The writer's newest row is left for the next call until the writer has ended, as in `Ring.take`.

        Args:
            most: largest number of rows to return, >= 1; rows before them count as dropped.

        Returns:
            Numbers (n,) and rows (n, cells) of complete rows in order.
        """
        # In this order: after `ended`, the count is final.
        ended = self.ended
        pushed = int(self._head[_PUSHED])
        end = pushed if ended else pushed - 1
        first = max(self._next, end - most, pushed - self._rows + 1)
        numbers = np.arange(first, max(end, first))
        at = numbers % self._rows
        whole = self._places[at, 0] == numbers
        rows = self._places[at, 1:]
        # Checked again after the copy: the writer may have come round the ring meanwhile.
        whole &= self._places[at, 0] == numbers
        numbers, rows = numbers[whole], rows[whole]
        end = max(end, self._next)
        self.dropped += end - self._next - len(numbers)
        self._next = end
        return numbers, rows
