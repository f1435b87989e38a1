"""SIGINT and SIGTERM as something that a loop looks at, instead of an exception in the middle of it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

NUMBERS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def told_by_signals(told: Callable[[int], None]) -> Iterator[None]:
    """Calls `told` with the number of each of `NUMBERS` that comes; only the main thread gets them."""

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
