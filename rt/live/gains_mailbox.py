"""Exchanges gains and their results between the loop and the watcher process through shared memory.

The watcher sends gains; the loop answers whether they were accepted, rolled back or refused. Each side writes
a part of its own, see `SharedPart`. There are no locks and no waiting.
"""

from __future__ import annotations

import mmap
import os
from dataclasses import dataclass

import numpy as np

from kilohertz.controller.gains.comparison import SIZE
from kilohertz.controller.gains.live import GainsRow, live_paths
from kilohertz.controller.gains.tuning import Tuning
from kilohertz.robots.model.rows import Vector
from kilohertz.rt.live.shared_part import SharedPart

_REASON_BYTES, _FIGURES_BYTES = 240, 2 * SIZE * 8


@dataclass(frozen=True)
class Answer:
    """The loop's answer to the newest gains.

    Attributes:
        generation: number of the newest gains that reached the controller.
        in_force: number of the gains that are in force, or being faded in.
        state: result for the newest gains, as in `Tuning.state`.
        reason: why they were rolled back or refused, in words; else "".
        figures: figures before and with them, as in `Tuning.figures`; NaN without a verdict.
    """

    generation: int
    in_force: int
    state: int
    reason: str
    figures: tuple[tuple[float, ...], ...]

    @classmethod
    def of(cls, tuning: Tuning) -> Answer:
        """Returns the present answer of the loop's tuning supervisor."""
        before, after = tuning.figures.tolist()
        figures = (tuple(before), tuple(after))
        return cls(tuning.generation, tuning.in_force, tuning.state, tuning.reason, figures)


class GainsMailbox:
    """Shared memory for gains and answers; loop and watcher each have an instance.

    Args:
        fd: file descriptor of memory made by `GainsMailbox()` in another process; None makes new memory.

    Attributes:
        fd: file descriptor of the memory, to be passed to a child process; the kernel frees the memory when
            the last process has closed it.
        address: path by which other programs of this user open the memory while this process lives.
    """

    def __init__(self, fd: int | None = None) -> None:
        n = len(live_paths())
        gains_bytes, answer_bytes = 8 * n, 24 + _FIGURES_BYTES + _REASON_BYTES
        size = 32 + gains_bytes + answer_bytes
        if fd is None:
            fd = os.memfd_create("kilohertz-gains")
            os.ftruncate(fd, size)
        self.fd = fd
        self.address = f"/proc/{os.getpid()}/fd/{fd}"
        self._memory = mmap.mmap(fd, size)
        self._gains = SharedPart(self._memory, 0, gains_bytes)
        self._answer = SharedPart(self._memory, 16 + gains_bytes, answer_bytes)
        self._numbers = self._gains.body.view(np.float64)
        self._answer_numbers = self._answer.body[:24].view(np.int64)
        self._figures = self._answer.body[24 : 24 + _FIGURES_BYTES].view(np.float64)
        self._reason = self._answer.body[24 + _FIGURES_BYTES :]

    def post(self, generation: int, numbers: Vector) -> None:
        """Sends new gains to the loop.

        Args:
            generation: number of the gains, rising from 1.
            numbers: (n,) values of the live gains, in the order of `live_paths`.
        """
        self._numbers[:] = numbers
        self._gains.publish(generation)

    def collect(self, row: GainsRow) -> None:
        """Copies new gains into the loop's row; called between two ticks, 0.3 us when there are none."""
        generation = self._gains.number
        if generation != row.generation:
            content = self._gains.take()
            if content is not None:
                row.numbers[:] = np.frombuffer(content)
                row.generation = generation

    def answer(self, tuning: Tuning) -> None:
        """Sends the result for the newest gains to the watcher."""
        self._answer_numbers[:] = tuning.generation, tuning.in_force, tuning.state
        self._figures[:] = tuning.figures.ravel()
        text = tuning.reason.encode()[:_REASON_BYTES]
        self._reason[:] = 0
        self._reason[: len(text)] = np.frombuffer(text, np.uint8)
        self._answer.publish(self._answer.number + 1)

    def read_answer(self, known: int) -> tuple[int, Answer | None]:
        """Reads the newest answer of the loop.

        Args:
            known: number of the last answer that was read; 0 before the first.

        Returns:
            Number of the newest answer, and the answer; the answer is None if there is no new one.
        """
        number = self._answer.number
        content = self._answer.take() if number != known else None
        if content is None:
            return known, None
        generation, in_force, state = np.frombuffer(content[:24], np.int64).tolist()
        numbers = np.frombuffer(content, np.float64, 2 * SIZE, 24).reshape(2, SIZE).tolist()
        reason = content[24 + _FIGURES_BYTES :].rstrip(b"\0").decode(errors="replace")
        return number, Answer(generation, in_force, state, reason, tuple(map(tuple, numbers)))
