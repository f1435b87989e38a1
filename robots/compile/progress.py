"""A progress line on standard error while machine code is compiled: elapsed time and expected time."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType

FIRST_S = 1.0
"""Time before the first line is shown [s]; shorter compilations show none."""
PLAIN_EVERY_S = 5.0
"""Time between lines [s] if standard error is not a terminal, because each line then stays visible."""
TERMINAL_EVERY_S = 0.5
"""Time between updates of the line [s] if standard error is a terminal."""


class CompileProgress:
    """Context manager that shows on standard error that `name` is being compiled.

    Args:
        name: name of the compiled module, for the line.
        expected_s: expected compile time on an idle machine [s].
        last_time_s: compile time on this machine last time [s]; None if not known.
    """

    def __init__(self, name: str, expected_s: float, last_time_s: float | None = None) -> None:
        self._what = f"kilohertz: compiling {name} for this machine, once"
        if last_time_s is None:
            self._expected = f"expected about {max(1.0, expected_s):.0f} s on an idle machine"
        else:
            self._expected = f"{max(1.0, last_time_s):.0f} s last time"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._show, name="compile progress", daemon=True)

    def __enter__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._started_s = time.monotonic()
        self._shown = False
        self._thread.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()
        if not self._shown:
            return
        if self._terminal:
            sys.stderr.write("\r\x1b[K")
        elif error is None:
            print(f"{self._what}: done in {self._elapsed_s():.0f} s", file=sys.stderr, flush=True)

    def _elapsed_s(self) -> float:
        return time.monotonic() - self._started_s

    def _show(self) -> None:
        wait_s = FIRST_S
        while not self._over.wait(wait_s):
            line = f"{self._what}: {self._elapsed_s():.0f} s, {self._expected}"
            if self._terminal:
                sys.stderr.write(f"\r{line}\x1b[K")
                sys.stderr.flush()
            else:
                print(line, file=sys.stderr, flush=True)
            self._shown = True
            wait_s = TERMINAL_EVERY_S if self._terminal else PLAIN_EVERY_S
