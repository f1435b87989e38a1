"""Handling of SIGINT, SIGTERM and SIGHUP by a callback, instead of an exception in the middle of a loop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def told_by_signals(told: Callable[[int], None]) -> Iterator[None]:
    """Calls a function for each signal of `NUMBERS` inside the `with` block.

    SIGHUP, which a terminal or a network connection sends when it closes, stays ignored if it is ignored
    before, as by `nohup`. Only the main thread receives signals; in another thread the block runs without
    this handling.

    Args:
        told: called with the number of the signal.
    """

    def on_signal(number: int, frame: FrameType | None) -> None:
        told(number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handled = [number for number in NUMBERS if not _stays_ignored(number)]
    before = [signal.signal(number, on_signal) for number in handled]
    try:
        yield
    finally:
        for number, handler in zip(handled, before, strict=True):
            signal.signal(number, handler)


class UntilStopped:
    """Base class of what runs until a signal, or a call of `stop`, ends it.

    Attributes:
        stopped_by: number of the signal that ended it; None if a call of `stop` ended it.
        stopped: whether it should end.
    """

    def __init__(self) -> None:
        self.stopped_by: int | None = None
        self.stopped = False

    def stop(self) -> None:
        """Ends it after the current cycle."""
        self.stopped = True

    @contextmanager
    def told(self) -> Iterator[None]:
        """Lets signals end it inside the `with` block."""
        with told_by_signals(self._on_signal):
            yield

    def _on_signal(self, number: int) -> None:
        self.stopped_by = number
        self.stop()


def _stays_ignored(number: int) -> bool:
    return number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN
