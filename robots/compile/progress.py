"""A progress line on standard error: what is being compiled, for how long already, and how long it takes."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType

FIRST_S = 1.0
"""What takes less time is not worth a line."""
PLAIN_EVERY_S = 5.0
"""Where there is no terminal each line stays, so there are fewer."""
TERMINAL_EVERY_S = 0.5


class CompileProgress:
    """Shows on standard error that `name` is being compiled, while it is entered.

    Args:
        name: what is compiled.
        expected_s: how long it takes on an idle machine [s].
        last_time_s: how long it took on this machine last time [s]; None where that is not known.
    """

    def __init__(self, name: str, expected_s: float, last_time_s: float | None = None) -> None:
        self._what = f"kilohertz: compiling {name} for this machine, once"
        if last_time_s is None:
            self._expected = f"about {max(1.0, expected_s):.0f} s on an idle machine"
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
