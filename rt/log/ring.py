"""Rows from the tick to the recorder, through memory that both share: nobody waits for anybody.

The tick writes row after row over the oldest one. Each place begins with the number of its row, which is
wiped before the row is written and set after it; a reader that finds another number than it expected has been
overtaken, and counts the row as lost. The memory has no name: it is gone with the last process that has it
open, however that ended, and nothing is left to be cleaned.
"""

from __future__ import annotations

import mmap
import os
import time

import numpy as np
from numpy.typing import NDArray

Cells = NDArray[np.int64]

RING_ROWS = 4096
"""Four seconds of ticks: how long a recorder may be held up before anything is lost."""
_PUSHED, _SEEN, _LOST, _WRITTEN, _ENDED, _ERRNO = range(6)
_HEAD_CELLS = 512
_NO_ROW = -1
_LOOK_AGAIN_S = 0.001


class Ring:
    """The memory, seen from either side.

    Args:
        cells: length of a row, in cells of 8 bytes.
        fd: of memory that `Ring(cells)` has made, in another process; None makes it.
        rows: how many it is to hold.

    Attributes:
        fd: of the memory, for a child process.
        rows: how many it holds.
        row: the row that `push` takes, as 8-byte integers; fill it, or views of it, in place.
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
            # Every page is met here, and not by the tick.
            self._places[:] = 0
            self._places[:, 0] = _NO_ROW
        # For single cells and short copies a memoryview takes a fraction of NumPy's time.
        self._cells = everything.data.cast("B").cast("q")
        self.row: Cells = np.zeros(cells, dtype=np.int64)
        self._row = self.row.data.cast("B").cast("q")
        self._patience_s = 2.0

    @property
    def pushed(self) -> int:
        """How many rows were pushed so far."""
        return self._cells[_PUSHED]

    @property
    def lost(self) -> int:
        """How many of them the reader missed, as far as it has come."""
        return self._cells[_LOST]

    @property
    def behind(self) -> int:
        """How many the reader has not come to."""
        return self._cells[_PUSHED] - self._cells[_SEEN]

    @property
    def written(self) -> int:
        """How many rows the reader has in safety."""
        return self._cells[_WRITTEN]

    @property
    def errno(self) -> int:
        """Why the reader has given up; 0 if it has not."""
        return self._cells[_ERRNO]

    def report(self, written: int, errno: int) -> None:
        """For the reader: sets `written` and `errno`."""
        self._cells[_WRITTEN], self._cells[_ERRNO] = written, errno

    @property
    def ended(self) -> bool:
        """Whether the writer has said that there is no row to come."""
        return bool(self._cells[_ENDED])

    def end(self) -> None:
        """For the writer: there is no row to come."""
        self._cells[_ENDED] = 1

    def push(self) -> None:
        """Adds `row`, over the oldest one if the ring is full. Hot path."""
        cells = self._cells
        number = cells[_PUSHED]
        at = _HEAD_CELLS + number % self.rows * self._place
        cells[at] = _NO_ROW
        cells[at + 1 : at + self._place] = self._row
        cells[at] = number
        cells[_PUSHED] = number + 1

    def wait_for_room(self) -> None:
        """Lets the reader catch up if the ring is nearly full: for a writer that has no deadline.

        A reader that makes no way for two seconds is not waited for again.
        """
        while self.behind > self.rows - 2 and self._patience_s > 0.0:
            before = self._cells[_SEEN]
            time.sleep(_LOOK_AGAIN_S)
            if self._cells[_SEEN] == before:
                self._patience_s -= _LOOK_AGAIN_S

    def take(self, most: int, *, last: bool = False) -> tuple[Cells, Cells]:
        """Takes rows that are new; for the reader, of which there is one.

        Args:
            most: how many at once.
            last: whether the writer is no more, or has ended. As long as it may go on, its newest row is left
                for the next time: a processor may show its number to others before its content.

        Returns:
            Numbers (n,) and rows (n, cells), whole ones only, in order; gaps between the numbers are lost.
        """
        cells = self._cells
        pushed, first = cells[_PUSHED], cells[_SEEN]
        end = min(pushed if last or self.ended else pushed - 1, first + most)
        # Those that the writer may be over already are not even tried.
        first = max(first, min(end, pushed - self.rows + 1))
        numbers = np.arange(first, max(end, first))
        at = numbers % self.rows
        rows = self._places[at, 1:]
        whole = self._places[at, 0] == numbers
        numbers, rows = numbers[whole], rows[whole]
        cells[_LOST] += max(end, first) - cells[_SEEN] - len(numbers)
        cells[_SEEN] = max(end, first)
        return numbers, rows
