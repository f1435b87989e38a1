"""Compilation of entry points in two processes at once, so that a start with an empty cache uses two cores.

Both processes use the same cache and its locks, and take entry points from opposite ends of the list. If the
second process cannot start or ends early, the first process compiles the rest.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType

from kilohertz.robots.compile.cached_entry import Entry

Use = Callable[[ModuleType], None]

_pending: list[tuple[Entry, Use]] = []
_helper: subprocess.Popen[str] | None = None


def load_later(name: str, text: str, sources: Iterable[Path], expected_s: float, use: Use) -> None:
    """Loads a generated module: immediately if it is in the cache, else in `load_pending`.

    Args:
        name: name of the module, as for `load_entry`.
        text: Python source of the module, as for `load_entry`.
        sources: files that the entry points depend on, as for `load_entry`.
        expected_s: expected compile time, as for `load_entry` [s].
        use: function that is called with the loaded module.
    """
    entry = Entry.write(name, text, sources, expected_s)
    if entry.ready or len(os.sched_getaffinity(0)) < 2:
        use(entry.load())
        return
    _pending.append((entry, use))
    _ask_helper(entry)


def load_pending() -> None:
    """Compiles and loads the modules that `load_later` deferred; no tick compiles anything after this."""
    global _helper
    while _pending:
        entry, use = _pending.pop()
        use(entry.load())
    if _helper is not None:
        _helper.terminate()
        _helper.communicate()
        _helper = None


def _ask_helper(entry: Entry) -> None:
    global _helper
    with contextlib.suppress(OSError):
        if _helper is None:
            _helper = subprocess.Popen(
                [sys.executable, "-m", "kilohertz.robots.compile.ahead"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                text=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)},
            )
        assert _helper.stdin is not None
        _helper.stdin.write(f"{entry.path}\n")
        _helper.stdin.flush()


def _help() -> None:
    """Compiles the files named on standard input until the parent process closes it or ends."""
    for line in sys.stdin:
        path = Path(line.rstrip("\n"))
        Entry(path.stem, path, 0.0).load()


if __name__ == "__main__":
    _help()
