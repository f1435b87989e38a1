"""Handling of SIGINT and SIGTERM by a callback, instead of an exception in the middle of a loop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

NUMBERS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def told_by_signals(told: Callable[[int], None]) -> Iterator[None]:
    """Calls a function for each signal of `NUMBERS` inside the `with` block.

    Only the main thread receives signals; in another thread the block runs without this handling.

    Args:
        told: called with the number of the signal.
    """

    def on_signal(number: int, frame: FrameType | None) -> None:
        told(number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = [signal.signal(number, on_signal) for number in NUMBERS]
    try:
        yield
    finally:
        for number, handler in zip(NUMBERS, before, strict=True):
            signal.signal(number, handler)
